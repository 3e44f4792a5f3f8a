import FleetStore
import StoreTestKit
import Synchronization
import Testing

@Suite("Histories of concurrent clients", .timeLimit(.minutes(5)))
struct LinearizabilityTests {
    private static let keys = (0..<4).map { StoreKey.test("/race/k\($0)") }

    /// Runs clients and watchers at once, and gives everything that cannot be.
    private func violations(on store: any FleetStore, seed: UInt64, clients: Int = 6, calls: Int = 40) async throws
        -> [String]
    {
        let start = try await store.list(.all, limit: 1, from: nil).revision
        let early = try await store.watch(.test("/race/"), after: start)
        let end = StoreKey.test("/race/end")
        async let first = transcript(early, until: end)
        let workload = StoreWorkload(seed: seed, clientCount: clients, callCount: calls, keys: Self.keys)
        async let second = lateTranscript(store, until: end)
        var calls = try await workload.run(on: store)
        let last = try await writeEnd(end, on: store)
        calls.append(
            RecordedCall(client: -1, key: end, input: .create([]), output: last, start: Int.max - 2, end: Int.max - 1))
        let history = StoreHistory(calls: calls, transcripts: [try await first, try await second])
        return history.violations(finally: try await store.listAll(.test("/race/")).entries)
    }

    private func writeEnd(
        _ key: StoreKey, on store: any FleetStore
    ) async throws(StoreError) -> RecordedCall.Output {
        while true {
            do throws(StoreError) {
                return .written(try await store.create(key, []))
            } catch {
                if error.code == .exists { return .unknown }
                guard [.unavailable, .unknownOutcome].contains(error.code) else { throw error }
            }
        }
    }

    private func transcript(_ watch: StoreWatch, until end: StoreKey) async throws -> [WatchItem] {
        var items: [WatchItem] = []
        for try await item in watch {
            items.append(item)
            if case .change(let change) = item, change.events.contains(where: { $0.key == end }) { break }
        }
        return items
    }

    /// A watcher that begins somewhere in the middle.
    private func lateTranscript(_ store: any FleetStore, until end: StoreKey) async throws -> [WatchItem] {
        while true {
            do {
                let page = try await store.list(.all, limit: 1, from: nil)
                return try await transcript(try await store.watch(.test("/race/"), after: page.revision), until: end)
            } catch let error as StoreError where error.code == .unavailable {}
        }
    }

    @Test("Clients of the in-memory engine see one order of calls", arguments: UInt64(1)...60)
    func memory(_ seed: UInt64) async throws {
        let store = MemoryFleetStore()
        #expect(try await violations(on: store, seed: seed) == [])
    }

    @Test("So they do when calls fail and answers are lost", arguments: UInt64(100)...160)
    func memoryWithFaults(_ seed: UInt64) async throws {
        let random = Mutex(SeededGenerator(seed: seed))
        let faults = StoreFaults { call in
            await Task.yield()
            if case .watch = call { return .none }
            return switch random.withLock({ $0.next() % 12 }) {
            case 0: .refuse
            case 1: .loseAnswer
            default: .none
            }
        } after: { _ in
            await Task.yield()
        }
        let store = MemoryFleetStore(faults: faults)
        let start = await retried { try await store.list(.all, limit: 1, from: nil).revision }
        #expect(start == .zero)
        #expect(try await violationsWithFaults(on: store, seed: seed) == [])
    }

    /// A list may fail here; the checks around the clients are tried again.
    private func violationsWithFaults(on store: any FleetStore, seed: UInt64) async throws -> [String] {
        let end = StoreKey.test("/race/end")
        async let first = transcript(try await store.watch(.test("/race/"), after: .zero), until: end)
        let workload = StoreWorkload(seed: seed, clientCount: 5, callCount: 40, keys: Self.keys)
        var calls = try await workload.run(on: store)
        let last = try await writeEnd(end, on: store)
        calls.append(
            RecordedCall(client: -1, key: end, input: .create([]), output: last, start: Int.max - 2, end: Int.max - 1))
        let entries = await retried { try await store.listAll(.test("/race/")).entries }
        return StoreHistory(calls: calls, transcripts: [try await first]).violations(finally: entries)
    }

    private func retried<Output>(_ call: () async throws -> Output) async -> Output {
        while true {
            if let output = try? await call() { return output }
        }
    }

    @Test("Clients of the SQLite engine see one order of calls", arguments: UInt64(1)...8)
    func sqlite(_ seed: UInt64) async throws {
        let found = try await StoreEngine.sqlite.withStore { store in try await violations(on: store, seed: seed) }
        #expect(found == [])
    }

    @Test(
        "Clients of etcd see one order of calls", .enabled(if: EtcdServer.isInstalled, "etcd is not installed"),
        arguments: UInt64(1)...6)
    func etcd(_ seed: UInt64) async throws {
        let found = try await StoreEngine.etcd.withStore { store in try await violations(on: store, seed: seed) }
        #expect(found == [])
    }

    @Test("An engine that reads what was overwritten is found out", arguments: UInt64(1)...5)
    func staleReads(_ seed: UInt64) async throws {
        let store = BrokenStore(.staleRead, seed: seed)
        #expect(try await violations(on: store, seed: seed).contains { $0.contains("no order explains") })
    }

    @Test("An engine that loses a write that it acknowledged is found out", arguments: UInt64(1)...5)
    func lostUpdates(_ seed: UInt64) async throws {
        let store = BrokenStore(.lostUpdate, seed: seed)
        let found = try await violations(on: store, seed: seed)
        #expect(found.contains { $0.contains("no order explains") })
        #expect(found.contains { $0.contains("was not watched") })
    }

    @Test("An engine that compares with nothing is found out", arguments: UInt64(1)...5)
    func blindWrites(_ seed: UInt64) async throws {
        let store = BrokenStore(.blindWrite, seed: seed)
        #expect(try await violations(on: store, seed: seed).contains { $0.contains("no order explains") })
    }
}

/// The in-memory engine with one defect, which shows in some calls.
final class BrokenStore: FleetStore {
    enum Defect: Sendable {
        /// Some reads answer with what stood there before.
        case staleRead
        /// Some writes are acknowledged and not done.
        case lostUpdate
        /// Some compare-and-sets take whatever revision there is.
        case blindWrite
    }

    private let defect: Defect
    private let sound = MemoryFleetStore()
    private let random: Mutex<SeededGenerator>
    private let overwritten = Mutex<[StoreKey: StoreEntry]>([:])

    init(_ defect: Defect, seed: UInt64) {
        self.defect = defect
        random = Mutex(SeededGenerator(seed: seed))
    }

    private var isStruck: Bool { random.withLock { $0.next() % 8 == 0 } }

    func get(_ key: StoreKey) async throws(StoreError) -> StoreEntry? {
        await Task.yield()
        if defect == .staleRead, isStruck, let old = overwritten.withLock({ $0[key] }) { return old }
        return try await sound.get(key)
    }

    func list(_ prefix: StorePrefix, limit: Int, from: StoreContinuation?) async throws(StoreError) -> StorePage {
        try await sound.list(prefix, limit: limit, from: from)
    }

    func commit(_ transaction: StoreTransaction) async throws(StoreError) -> Revision {
        await Task.yield()
        guard case .replace(let key, let value, let expected)? = transaction.operations.first else {
            return try await sound.commit(transaction)
        }
        let before = try await sound.get(key)
        if defect == .lostUpdate, before?.revision == expected, isStruck {
            return Revision(rawValue: expected.rawValue + 1)
        }
        if defect == .blindWrite, let before, before.revision != expected {
            return try await sound.replace(key, value, expected: before.revision)
        }
        let revision = try await sound.commit(transaction)
        overwritten.withLock { $0[key] = before }
        return revision
    }

    func watch(_ prefix: StorePrefix, after: Revision) async throws(StoreError) -> StoreWatch {
        try await sound.watch(prefix, after: after)
    }

    func compact(through: Revision) async throws(StoreError) { try await sound.compact(through: through) }

    func close() async { await sound.close() }
}
