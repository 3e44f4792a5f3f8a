public import FleetModel
public import FleetStore

/// A store whose commits are spans, where they are a part of a trace.
public struct TracedFleetStore: FleetStore {
    private let store: any FleetStore
    private let spans: SpanQueue
    private let now: @Sendable () -> Timestamp

    /// Records the commits of a store.
    public init(_ store: any FleetStore, _ spans: SpanQueue, now: @escaping @Sendable () -> Timestamp) {
        self.store = store
        self.spans = spans
        self.now = now
    }

    public func get(_ key: StoreKey) async throws(StoreError) -> StoreEntry? { try await store.get(key) }

    public func list(
        _ prefix: StorePrefix, limit: Int, from: StoreContinuation?
    ) async throws(StoreError) -> StorePage {
        try await store.list(prefix, limit: limit, from: from)
    }

    @discardableResult
    public func commit(_ transaction: StoreTransaction) async throws(StoreError) -> Revision {
        guard let parent = TraceContext.current, parent.isSampled else { return try await store.commit(transaction) }
        let (start, begin) = (now(), ContinuousClock.now)
        let result: Result<Revision, StoreError>
        do throws(StoreError) {
            result = .success(try await store.commit(transaction))
        } catch {
            result = .failure(error)
        }
        var span = Span(
            parent.child(random: spans.random), in: parent, "store commit", kind: .client, from: start,
            lasting: .now - begin)
        span.attributes["roost.store.operations"] = .number(Int64(transaction.operations.count))
        if case .failure(let error) = result { span.failure = error.code.rawValue }
        spans.record(span)
        return try result.get()
    }

    public func watch(_ prefix: StorePrefix, after: Revision) async throws(StoreError) -> StoreWatch {
        try await store.watch(prefix, after: after)
    }

    public func compact(through: Revision) async throws(StoreError) { try await store.compact(through: through) }

    public func close() async { await store.close() }
}
