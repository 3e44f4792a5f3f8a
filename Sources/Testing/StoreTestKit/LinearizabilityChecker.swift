public import FleetStore

/// Decides whether a history of concurrent calls could have come from a store that does one call at a time, each
/// between its start and its end.
///
/// Keys are independent, so each is checked alone. For one key this is Wing and Gong's search with Lowe's memory of
/// places seen: it takes calls in every order that their times allow, and goes back when the model refuses. A call
/// with an unknown outcome has no end, and may be left out.
public struct LinearizabilityChecker {
    /// Why a history cannot be.
    public struct Violation: Sendable, CustomStringConvertible {
        /// The key.
        public let key: StoreKey
        /// Its calls by start.
        public let calls: [RecordedCall]
        /// The longest order of calls that the model accepts.
        public let explained: Int

        public var description: String {
            let lines = calls.map { "  client \($0.client) [\($0.start), \($0.end)] \($0.input) -> \($0.output)" }
            return "\(key): no order explains more than \(explained) of \(calls.count) calls\n"
                + lines.joined(separator: "\n")
        }
    }

    /// The first key whose calls cannot be put in an order, or nil if all can.
    public static func violation(in history: [RecordedCall]) -> Violation? {
        for (key, calls) in Dictionary(grouping: history, by: \.key).sorted(by: { $0.key < $1.key }) {
            let ordered = calls.sorted { $0.start < $1.start }
            var search = LinearizationSearch(ordered)
            if !search.run() { return Violation(key: key, calls: ordered, explained: search.longest) }
        }
        return nil
    }
}

/// The search for one key: a list of call and return marks by time, out of which calls are lifted as they are put
/// in order.
private struct LinearizationSearch {
    private struct Mark {
        var call: Int
        var isReturn: Bool
        var previous: Int
        var next: Int
    }

    private struct Place: Hashable {
        var taken: [UInt64]
        var state: RegisterState
    }

    private let calls: [RecordedCall]
    private var marks: [Mark] = []
    private var returnMark: [Int]
    private var seen = Set<Place>()
    private var taken: [UInt64]
    private var state = RegisterState(content: nil)
    private var path: [(mark: Int, state: RegisterState)] = []
    private var unfinished: Int
    private(set) var longest = 0

    init(_ calls: [RecordedCall]) {
        self.calls = calls
        returnMark = Array(repeating: 0, count: calls.count)
        taken = Array(repeating: 0, count: calls.count / 64 + 1)
        unfinished = calls.count { $0.output != .unknown }
        var times: [(time: Int, call: Int, isReturn: Bool)] = []
        for (index, call) in calls.enumerated() {
            times.append((call.start, index, false))
            times.append((call.output == .unknown ? Int.max : call.end, index, true))
        }
        times.sort { ($0.time, $0.isReturn ? 1 : 0, $0.call) < ($1.time, $1.isReturn ? 1 : 0, $1.call) }
        // Mark 0 stands before all others.
        marks.append(Mark(call: -1, isReturn: false, previous: 0, next: times.isEmpty ? 0 : 1))
        for (index, time) in times.enumerated() {
            let next = index + 2 <= times.count ? index + 2 : 0
            marks.append(Mark(call: time.call, isReturn: time.isReturn, previous: index, next: next))
            if time.isReturn { returnMark[time.call] = index + 1 }
        }
    }

    mutating func run() -> Bool {
        var at = marks[0].next
        while unfinished > 0 {
            if at != 0, !marks[at].isReturn {
                at = take(at) ? marks[0].next : marks[at].next
            } else if let last = path.popLast() {
                // A call has returned that no order accepts after what was taken: give the last one up.
                giveBack(last)
                at = marks[last.mark].next
            } else {
                return false
            }
        }
        return true
    }

    private mutating func take(_ at: Int) -> Bool {
        let call = marks[at].call
        guard let next = state.after(calls[call]) else { return false }
        taken[call / 64] |= 1 << UInt64(call % 64)
        guard seen.insert(Place(taken: taken, state: next)).inserted else {
            taken[call / 64] &= ~(1 << UInt64(call % 64))
            return false
        }
        path.append((at, state))
        state = next
        unlink(at)
        unlink(returnMark[call])
        if calls[call].output != .unknown { unfinished -= 1 }
        longest = max(longest, path.count)
        return true
    }

    private mutating func giveBack(_ step: (mark: Int, state: RegisterState)) {
        let call = marks[step.mark].call
        state = step.state
        taken[call / 64] &= ~(1 << UInt64(call % 64))
        relink(returnMark[call])
        relink(step.mark)
        if calls[call].output != .unknown { unfinished += 1 }
    }

    private mutating func unlink(_ at: Int) {
        marks[marks[at].previous].next = marks[at].next
        if marks[at].next != 0 { marks[marks[at].next].previous = marks[at].previous }
    }

    private mutating func relink(_ at: Int) {
        marks[marks[at].previous].next = at
        if marks[at].next != 0 { marks[marks[at].next].previous = at }
    }
}
