public import FleetStore
import Synchronization

/// A generator of random numbers that a seed determines (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Begins at the seed.
    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Concurrent clients that read and write a few keys, each as its seed says, and record what they see.
public struct StoreWorkload: Sendable {
    /// What the clients' choices follow from.
    public var seed: UInt64
    /// Clients that run at once.
    public var clientCount: Int
    /// Calls of each.
    public var callCount: Int
    /// What they write to.
    public var keys: [StoreKey]

    /// Describes the clients.
    public init(seed: UInt64, clientCount: Int, callCount: Int, keys: [StoreKey]) {
        self.seed = seed
        self.clientCount = clientCount
        self.callCount = callCount
        self.keys = keys
    }

    /// Runs all clients to their end. Calls that failed without effect are left out.
    public func run(on store: any FleetStore) async throws -> [RecordedCall] {
        let clock = TickClock()
        return try await withThrowingTaskGroup(of: [RecordedCall].self) { group in
            for client in 0..<clientCount {
                group.addTask { try await runClient(client, on: store, clock: clock) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func runClient(
        _ client: Int, on store: any FleetStore, clock: TickClock
    ) async throws(StoreError) -> [RecordedCall] {
        var random = SeededGenerator(seed: seed &* 1_000_003 &+ UInt64(client))
        var known: [StoreKey: Revision] = [:]
        var calls: [RecordedCall] = []
        for number in 0..<callCount {
            let key = keys[Int(random.next() % UInt64(keys.count))]
            let value = Array("\(client).\(number)".utf8)
            let input = choose(&random, value: value, expected: known[key])
            let start = clock.tick()
            guard let output = try await StoreWorkload.perform(input, on: key, store: store) else { continue }
            calls.append(
                RecordedCall(client: client, key: key, input: input, output: output, start: start, end: clock.tick()))
            switch output {
            case .read(_, let revision), .written(let revision), .refused(let revision): known[key] = revision
            case .absent, .notFound, .unknown: known[key] = nil
            }
        }
        return calls
    }

    private func choose(
        _ random: inout SeededGenerator, value: [UInt8], expected: Revision?
    ) -> RecordedCall.Input {
        let choice = random.next() % 10
        guard let expected else { return choice < 5 ? .create(value) : .get }
        return switch choice {
        case 0..<3: .get
        case 3..<8: .replace(value, expected: expected)
        case 8: .delete(expected: expected)
        default: .create(value)
        }
    }

    /// Nil if the call failed without effect; throws what no engine may answer here.
    private static func perform(
        _ input: RecordedCall.Input, on key: StoreKey, store: any FleetStore
    ) async throws(StoreError) -> RecordedCall.Output? {
        do throws(StoreError) {
            switch input {
            case .get:
                guard let entry = try await store.get(key) else { return .absent }
                return .read(value: entry.value, revision: entry.revision)
            case .create(let value): return .written(try await store.create(key, value))
            case .replace(let value, let expected):
                return .written(try await store.replace(key, value, expected: expected))
            case .delete(let expected): return .written(try await store.delete(key, expected: expected))
            }
        } catch {
            switch (error.code, error.revision) {
            case (.notFound, _): return .notFound
            case (.conflict, let current?), (.exists, let current?): return .refused(current: current)
            case (.unknownOutcome, _): return .unknown
            case (.unavailable, _): return nil
            default: throw error
            }
        }
    }
}

/// Counts ticks for all clients, so that their calls have an order in real time.
private final class TickClock: Sendable {
    private let ticks = Atomic<Int>(0)

    func tick() -> Int { ticks.add(1, ordering: .sequentiallyConsistent).newValue }
}
