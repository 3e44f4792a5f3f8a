import ControlPlane
import FleetModel
import FleetStore

/// A whole fleet in one thread: store, control planes, agents and clients, under one clock and one sequence of random
/// numbers. What happens depends on the seed alone.
final class World {
    /// Numbers of one sequence, and the clock.
    // SAFETY: a world is used by one thread.
    final class Environment: FleetEnvironment, @unchecked Sendable {
        var moment = Timestamp(milliseconds: 1_800_000_000_000)
        private var state: UInt64

        init(seed: UInt64) {
            state = seed &* 0x9E37_79B9_7F4A_7C15 ^ 0xD1B5_4A32_D192_ED03
        }

        func now() -> Timestamp { moment }
        func sleep(for span: TimeSpan) async {}

        func random() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private struct Planned {
        var time: Int64
        var order: Int
        var action: () throws -> Void
    }

    /// A resource as one transaction left it.
    private struct Version: Hashable {
        var key: StoreKey
        var revision: Revision
    }

    let environment: Environment
    private(set) var store = StoreState(historyLimit: 100_000)
    /// What the store's bytes say, read once for all who follow. ``Invariants`` reads the bytes anew at the end.
    private var read: [Version: ResourceDocument] = [:]
    private var agenda: [Planned] = []
    private var planned = 0
    /// Told of each change of the store.
    var onChange: (StoreChange) throws -> Void = { _ in }
    /// How many transactions were done, and how many refused.
    private(set) var commitCount = 0
    private(set) var refusalCount = 0

    init(seed: UInt64) {
        environment = Environment(seed: seed)
    }

    // MARK: - Time and chance

    /// The time since the beginning, in milliseconds.
    var now: Int64 { environment.moment.milliseconds - 1_800_000_000_000 }

    /// A number from a range.
    func pick(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(environment.random() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    /// Whether something happens that does so `percent` times of a hundred.
    func happens(_ percent: Int64) -> Bool { pick(0...99) < percent }

    /// One of some.
    func choose<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[Int(pick(0...Int64(elements.count - 1)))]
    }

    /// Does something after some milliseconds.
    func after(_ milliseconds: Int64, _ action: @escaping () throws -> Void) {
        planned += 1
        var at = agenda.count
        agenda.append(Planned(time: now + milliseconds, order: planned, action: action))
        while at > 0, isBefore(at, (at - 1) / 2) {
            agenda.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    /// Does what was planned until a time.
    func run(until end: Int64) throws {
        while let next = agenda.first, next.time <= end {
            removeFirst()
            environment.moment = Timestamp(milliseconds: 1_800_000_000_000 + next.time)
            try next.action()
        }
        environment.moment = Timestamp(milliseconds: 1_800_000_000_000 + end)
    }

    /// Forgets what is planned and who is told: they hold on to the world, and it to them.
    func end() {
        agenda = []
        onChange = { _ in }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (agenda[left].time, agenda[left].order) < (agenda[right].time, agenda[right].order)
    }

    private func removeFirst() {
        agenda.swapAt(0, agenda.count - 1)
        agenda.removeLast()
        var at = 0
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < agenda.count && isBefore(child, least) { least = child }
            if least == at { return }
            agenda.swapAt(at, least)
            at = least
        }
    }

    // MARK: - The store

    /// Does a transaction.
    ///
    /// - Returns: Its revision, or why it is refused.
    func commit(_ operations: [StoreOperation], fence: Fence? = nil) throws -> Result<Int64, StoreError> {
        do throws(StoreError) {
            let change = try store.apply(StoreTransaction(operations, fence: fence))
            commitCount += 1
            if let change { try onChangeChecked(change) }
        } catch {
            if error.code == .unavailable { throw SimulationFailure(error.message) }
            refusalCount += 1
            return .failure(error)
        }
        return .success(store.revision.rawValue)
    }

    private func onChangeChecked(_ change: StoreChange) throws(StoreError) {
        do {
            try onChange(change)
        } catch {
            throw StoreError(.unavailable, "\(error)")
        }
    }

    /// A resource as it is.
    func document(_ reference: ResourceReference) -> ResourceDocument? {
        guard let key = try? StoreKey(reference.key), let entry = store.entry(key) else { return nil }
        return document(entry)
    }

    /// What an entry says; nil where it can't be read.
    func document(_ entry: StoreEntry) -> ResourceDocument? {
        let version = Version(key: entry.key, revision: entry.revision)
        if let known = read[version] { return known }
        let document = try? ResourceDocument(stored: entry.value, revision: entry.revision.rawValue)
        read[version] = document
        return document
    }

    /// The entries of all resources as they are, or of one kind's.
    func entries(of kind: ResourceKind? = nil) -> [StoreEntry] {
        guard let prefix = try? kind.map({ try StorePrefix("/\($0.plural)/") }) ?? .all,
            let page = try? store.page(prefix, limit: 10_000, from: nil)
        else { return [] }
        return page.entries.filter { ResourceReference(key: $0.key.text) != nil }
    }

    /// All resources as they are.
    var documents: [ResourceDocument] { entries().compactMap(document) }

    /// Changes after a revision.
    func changes(after revision: Int64) -> [StoreChange] {
        let page = try? store.history(
            .all, after: Revision(rawValue: revision), through: store.revision, limit: .max)
        return page?.changes ?? []
    }
}

/// What must never be and was.
public struct SimulationFailure: Error, Sendable, CustomStringConvertible {
    /// What, with names.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
