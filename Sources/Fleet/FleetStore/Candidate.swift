import Synchronization

/// A time of leading: what a leader's writes carry, and until when it may act without having renewed.
public struct Leadership<Time: Clock>: Sendable where Time.Duration == Duration {
    /// Goes into every write of the leader.
    public let fence: Fence
    /// When the leader must have stopped, unless it renews.
    public let deadline: Time.Instant
}

/// One process's part in an election. At most one candidate acts as leader, as far as clocks run at the same speed;
/// where they do not, or a process was paused, the fence keeps an old leader's writes out.
public final class Candidate<Time: Clock>: Sendable where Time.Duration == Duration {
    private let store: any FleetStore
    private let election: String
    private let keys: ElectionKeys
    private let clock: Time
    private let origin: Time.Instant
    private let policy: ElectionPolicy
    private let view: Mutex<ElectionView>

    /// Takes part in an election, once `step` or `run` is called.
    /// - Parameters:
    ///   - election: Its name, one segment of a key.
    ///   - identity: Unique to this process and this start of it, without spaces.
    public init(
        store: any FleetStore, election: String, identity: String, policy: ElectionPolicy = .standard, clock: Time
    ) throws(StoreError) {
        guard !identity.isEmpty, identity != "-", !identity.utf8.contains(UInt8(ascii: " ")) else {
            throw .invalid("a candidate's identity '\(identity)' is empty, a dash, or has a space")
        }
        self.store = store
        self.election = election
        keys = try ElectionKeys(election)
        self.clock = clock
        self.policy = policy
        origin = clock.now
        view = Mutex(ElectionView(identity: identity, policy: policy))
    }

    /// What this candidate may act on now, or nil if it does not lead. Ask before each action.
    public var leadership: Leadership<Time>? {
        guard let (epoch, until) = view.withLock({ [now] view in view.leadership(at: now) }) else { return nil }
        return Leadership(fence: Fence(election: election, epoch: epoch), deadline: origin.advanced(by: until))
    }

    /// Looks at the record once, and takes over or renews if that is due. A store that fails changes nothing: a
    /// leader then runs into its deadline.
    public func step() async throws(StoreError) {
        let sight = try await look()
        let (action, record) = view.withLock { [now] view in
            view.see(sight, at: now)
            return (view.action(at: now), nextRecord(view, after: sight))
        }
        let start = now
        switch action {
        case .wait: return
        case .renew:
            guard let revision = sight.holderRevision else { return }
            try await write(
                sight.epoch, startedAt: start,
                [
                    .replace(keys.holder, value: record.encoded, expected: revision)
                ], fence: Fence(election: election, epoch: sight.epoch))
        case .acquire:
            let epoch = sight.epoch + 1
            try await write(
                epoch, startedAt: start,
                [
                    put(keys.epoch, ElectionKeys.value(epoch: epoch), expected: sight.epochRevision),
                    put(keys.holder, record.encoded, expected: sight.holderRevision),
                ])
        }
    }

    /// Gives the leadership back, so that others need not wait. Does nothing if it is not held.
    public func resign() async throws(StoreError) {
        let sight = try await look()
        let mayWrite = view.withLock { [now] view in
            view.see(sight, at: now)
            defer { view.stepDown() }
            return view.leadership(at: now) != nil
        }
        guard mayWrite, let revision = sight.holderRevision else { return }
        let record = ElectionRecord(holder: nil, timeToLive: .zero, renewals: (sight.record?.renewals ?? 0) + 1)
        _ = try await store.commit(
            StoreTransaction(
                [.replace(keys.holder, value: record.encoded, expected: revision)],
                fence: Fence(election: election, epoch: sight.epoch)))
    }

    /// Takes part until the task is cancelled, then resigns. Each time it is elected, `lead` runs in a task that is
    /// cancelled when the leadership ends, at the latest at its deadline; the next round begins when `lead` has
    /// returned.
    public func run(_ lead: @escaping @Sendable (Leadership<Time>) async -> Void) async {
        while !Task.isCancelled {
            try? await step()
            if let leadership { await hold(leadership, lead) }
            try? await clock.sleep(for: policy.interval)
        }
        // A cancelled task's calls fail; the resignation is a last word that must get through.
        await Task { try? await self.resign() }.value
    }

    private func hold(
        _ leadership: Leadership<Time>, _ lead: @escaping @Sendable (Leadership<Time>) async -> Void
    ) async {
        await withTaskGroup { group in
            group.addTask { await lead(leadership) }
            group.addTask { await self.keepUp(leadership.fence) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Renews until the leadership is lost. A renewal that hangs does not hold back the deadline.
    private func keepUp(_ fence: Fence) async {
        await withTaskGroup { group in
            group.addTask {
                while !Task.isCancelled, self.leadership?.fence == fence {
                    try? await self.clock.sleep(for: self.policy.interval)
                    if !Task.isCancelled { try? await self.step() }
                }
            }
            group.addTask {
                while !Task.isCancelled, let current = self.leadership, current.fence == fence {
                    try? await self.clock.sleep(until: current.deadline, tolerance: nil)
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private var now: Duration { origin.duration(to: clock.now) }

    /// Both keys at one revision, read by one list.
    private func look() async throws(StoreError) -> ElectionView.Sight {
        let page = try await store.list(StorePrefix("/elections/\(election)/"), limit: 10, from: nil)
        var sight = ElectionView.Sight(epoch: 0)
        for entry in page.entries {
            if entry.key == keys.epoch {
                guard let epoch = ElectionKeys.epoch(entry.value), epoch < Int64.max else {
                    throw .invalid("\(keys.epoch) does not hold an epoch: somebody else wrote it")
                }
                sight.epoch = epoch
                sight.epochRevision = entry.revision
            } else if entry.key == keys.holder {
                sight.record = ElectionRecord(entry.value)
                sight.holderRevision = entry.revision
            }
        }
        return sight
    }

    private func nextRecord(_ view: ElectionView, after sight: ElectionView.Sight) -> ElectionRecord {
        ElectionRecord(
            holder: view.identity, timeToLive: policy.timeToLive, renewals: (sight.record?.renewals ?? 0) &+ 1)
    }

    private func put(_ key: StoreKey, _ value: [UInt8], expected: Revision?) -> StoreOperation {
        expected.map { .replace(key, value: value, expected: $0) } ?? .create(key, value: value)
    }

    private func write(
        _ epoch: Int64, startedAt start: Duration, _ operations: [StoreOperation], fence: Fence? = nil
    ) async throws(StoreError) {
        do throws(StoreError) {
            _ = try await store.commit(StoreTransaction(operations, fence: fence))
            view.withLock { $0.wrote(epoch: epoch, startedAt: start) }
        } catch {
            // Somebody else was faster: whatever this candidate held is over.
            if [.fenced, .conflict, .exists, .notFound].contains(error.code) { view.withLock { $0.stepDown() } }
            throw error
        }
    }
}
