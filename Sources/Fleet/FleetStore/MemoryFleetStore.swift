import Synchronization

/// What the in-memory engine does to a call, for simulations.
public enum StoreFault: Sendable, Hashable {
    /// Nothing.
    case none
    /// The call fails as `unavailable` before anything is done.
    case refuse
    /// The call is done, but its answer is lost: a write ends as `unknownOutcome`, a read as `unavailable`.
    case loseAnswer
}

/// A call that a fault may strike.
public enum StoreCall: Sendable, Hashable {
    case get(StoreKey)
    case list(StorePrefix)
    case commit(StoreTransaction)
    case watch(StorePrefix)
}

/// Decides what happens to the calls of an in-memory store. Both closures may wait, on the simulation's clock.
public struct StoreFaults: Sendable {
    /// Called before a call is done.
    public var before: @Sendable (StoreCall) async -> StoreFault
    /// Called after it was done and before its caller hears of it.
    public var after: @Sendable (StoreCall) async -> Void

    /// Takes the two decisions.
    public init(
        before: @escaping @Sendable (StoreCall) async -> StoreFault,
        after: @escaping @Sendable (StoreCall) async -> Void = { _ in }
    ) {
        self.before = before
        self.after = after
    }
}

/// The engine for tests and simulations: all in memory, no threads and no clock of its own.
public final class MemoryFleetStore: FleetStore {
    private struct State {
        var store: StoreState
        var isClosed = false
    }

    private let state: Mutex<State>
    private let hub: WatchHub
    private let faults: StoreFaults?

    /// An empty store.
    /// - Parameters:
    ///   - historyLimit: Events that watches and continuations may reach back.
    ///   - watchBuffer: Items that wait for a slow watcher.
    ///   - progressInterval: Revisions without anything for a watcher, until it gets a mark.
    public init(
        historyLimit: Int = 10_000, watchBuffer: Int = 4096, progressInterval: Int64 = 256, faults: StoreFaults? = nil
    ) {
        precondition(historyLimit >= 0 && watchBuffer > 0 && progressInterval > 0, "limits of a store are positive")
        state = Mutex(State(store: StoreState(historyLimit: historyLimit)))
        hub = WatchHub(
            revision: .zero, limits: WatchHub.Limits(buffer: watchBuffer, progressInterval: progressInterval))
        self.faults = faults
    }

    public func get(_ key: StoreKey) async throws(StoreError) -> StoreEntry? {
        try await perform(.get(key)) { state throws(StoreError) in state.entry(key) }
    }

    public func list(
        _ prefix: StorePrefix, limit: Int, from: StoreContinuation?
    ) async throws(StoreError) -> StorePage {
        try await perform(.list(prefix)) { state throws(StoreError) in try state.page(prefix, limit: limit, from: from)
        }
    }

    public func commit(_ transaction: StoreTransaction) async throws(StoreError) -> Revision {
        try await perform(.commit(transaction)) { [hub] state throws(StoreError) in
            // Under the lock, so that watchers hear of changes in the order of their revisions.
            if let change = try state.apply(transaction) { hub.publish([change]) }
            return state.revision
        }
    }

    public func watch(_ prefix: StorePrefix, after: Revision) async throws(StoreError) -> StoreWatch {
        try await perform(.watch(prefix)) { [hub] state throws(StoreError) in
            guard after >= state.compacted else { throw .compacted(after, oldest: state.compacted) }
            guard after <= state.revision else { throw .future(after, current: state.revision) }
            return try hub.watch(prefix, after: after) { [weak self] prefix, after, through, limit throws(StoreError) in
                guard let self else { throw .closed }
                return try self.state.withLock { state throws(StoreError) in
                    try state.store.history(prefix, after: after, through: through, limit: limit)
                }
            }
        }
    }

    public func compact(through: Revision) async throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            guard !state.isClosed else { throw .closed }
            state.store.compact(through: through)
        }
    }

    public func close() async {
        state.withLock { $0.isClosed = true }
        hub.close(.closed)
    }

    private func perform<Output: Sendable>(
        _ call: StoreCall, _ body: (inout StoreState) throws(StoreError) -> Output
    ) async throws(StoreError) -> Output {
        let fault = await faults?.before(call) ?? .none
        if fault == .refuse { throw StoreError(.unavailable, "the store refused the call (an injected fault)") }
        let result = state.withLock { state -> Result<Output, StoreError> in
            guard !state.isClosed else { return .failure(.closed) }
            do throws(StoreError) { return .success(try body(&state.store)) } catch { return .failure(error) }
        }
        await faults?.after(call)
        guard fault == .loseAnswer else { return try result.get() }
        if case .commit = call {
            throw StoreError(
                .unknownOutcome, "the write's answer was lost (an injected fault): read to see if it was done")
        }
        throw StoreError(.unavailable, "the answer was lost (an injected fault): ask again")
    }
}
