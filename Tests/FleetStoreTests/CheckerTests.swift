import FleetStore
import StoreTestKit
import Testing

@Suite("The checker of histories")
struct CheckerTests {
    private static let key = StoreKey.test("/k")

    private func call(
        _ input: RecordedCall.Input, _ output: RecordedCall.Output, _ start: Int, _ end: Int
    ) -> RecordedCall {
        RecordedCall(client: 0, key: Self.key, input: input, output: output, start: start, end: end)
    }

    private func isAccepted(_ calls: [RecordedCall]) -> Bool { LinearizabilityChecker.violation(in: calls) == nil }

    private func revision(_ number: Int64) -> Revision { Revision(rawValue: number) }

    @Test("Calls one after the other must follow from each other")
    func sequential() {
        let create = call(.create([1]), .written(revision(5)), 1, 2)
        #expect(isAccepted([create, call(.get, .read(value: [1], revision: revision(5)), 3, 4)]))
        #expect(!isAccepted([create, call(.get, .absent, 3, 4)]))
        #expect(!isAccepted([create, call(.get, .read(value: [1], revision: revision(4)), 3, 4)]))
        #expect(!isAccepted([create, call(.get, .read(value: [2], revision: revision(5)), 3, 4)]))
        #expect(!isAccepted([create, call(.create([2]), .written(revision(6)), 3, 4)]))
        #expect(isAccepted([create, call(.create([2]), .refused(current: revision(5)), 3, 4)]))
        #expect(!isAccepted([call(.create([2]), .refused(current: revision(5)), 3, 4)]))
    }

    @Test("Calls at the same time may have happened in either order")
    func concurrent() {
        let create = call(.create([1]), .written(revision(5)), 1, 4)
        #expect(isAccepted([create, call(.get, .absent, 2, 3)]))
        #expect(isAccepted([create, call(.get, .read(value: [1], revision: revision(5)), 2, 3)]))
        let before = call(.get, .read(value: [1], revision: revision(5)), 2, 3)
        #expect(!isAccepted([create, before, call(.get, .absent, 5, 6)]))
    }

    @Test("Of two compare-and-sets with one expectation one is refused")
    func race() {
        let create = call(.create([1]), .written(revision(5)), 1, 2)
        let first = call(.replace([2], expected: revision(5)), .written(revision(6)), 3, 6)
        #expect(!isAccepted([create, first, call(.replace([3], expected: revision(5)), .written(revision(7)), 4, 7)]))
        let refused = call(.replace([3], expected: revision(5)), .refused(current: revision(6)), 4, 7)
        #expect(isAccepted([create, first, refused]))
        #expect(
            !isAccepted([create, call(.replace([3], expected: revision(5)), .refused(current: revision(5)), 4, 7)]))
        #expect(!isAccepted([create, call(.replace([3], expected: revision(5)), .notFound, 4, 7)]))
        let removal = call(.delete(expected: revision(5)), .written(revision(6)), 3, 6)
        #expect(isAccepted([create, removal, call(.replace([3], expected: revision(5)), .notFound, 4, 7)]))
    }

    @Test("A call with a lost answer may have been done later, or never, but not twice")
    func unknown() {
        let create = call(.create([1]), .written(revision(5)), 1, 2)
        let lost = call(.replace([2], expected: revision(5)), .unknown, 3, 4)
        let old = call(.get, .read(value: [1], revision: revision(5)), 5, 6)
        let new = call(.get, .read(value: [2], revision: revision(9)), 7, 8)
        #expect(isAccepted([create, lost, old]))
        #expect(isAccepted([create, lost, old, new]))
        #expect(
            isAccepted([create, lost, new, call(.replace([3], expected: revision(9)), .written(revision(10)), 9, 10)]))
        let olderAgain = call(.get, .read(value: [1], revision: revision(5)), 9, 10)
        #expect(!isAccepted([create, lost, new, olderAgain]))
        let otherRevision = call(.get, .read(value: [2], revision: revision(8)), 9, 10)
        #expect(!isAccepted([create, lost, new, otherRevision]))
        #expect(!isAccepted([create, new]))
    }

    @Test("A search with many calls at once ends")
    func manyConcurrent() {
        var calls = (0..<14).map { call(.create([UInt8($0)]), .refused(current: revision(5)), 2, 100 + $0) }
        calls.append(call(.create([99]), .written(revision(5)), 1, 200))
        #expect(isAccepted(calls))
        calls.append(call(.get, .absent, 300, 301))
        #expect(!isAccepted(calls))
    }

    @Test("Gaps, repetitions and inventions of watchers are found")
    func watchers() {
        let entry = StoreEntry(key: Self.key, value: [1], revision: revision(5), created: revision(5))
        let put = WatchItem.change(StoreChange(revision: revision(5), events: [.put(entry)]))
        let removal = WatchItem.change(StoreChange(revision: revision(6), events: [.delete(Self.key)]))
        let calls = [
            call(.create([1]), .written(revision(5)), 1, 2),
            call(.delete(expected: revision(5)), .written(revision(6)), 3, 4),
        ]
        func violations(_ transcripts: [[WatchItem]], _ entries: [StoreEntry] = []) -> [String] {
            StoreHistory(calls: calls, transcripts: transcripts).violations(finally: entries)
        }
        #expect(violations([[put, removal], [removal]]) == [])
        #expect(violations([[put]], [entry]) != [])
        #expect(violations([[put, put, removal]]) != [])
        #expect(violations([[removal, put]]) != [])
        #expect(violations([[put, removal], [put]]) != [])
        #expect(violations([[put, removal]], [entry]) != [])
        #expect(violations([[put, .progress(revision(9)), removal]]) != [])
        let other = StoreEntry(key: Self.key, value: [7], revision: revision(7), created: revision(7))
        let invented = WatchItem.change(StoreChange(revision: revision(7), events: [.put(other)]))
        #expect(violations([[put, removal, invented]], [other]) != [])
    }
}
