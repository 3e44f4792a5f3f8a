public import FleetStore
import Synchronization

/// The engine for several control planes: an etcd v3 cluster, spoken to through its JSON gateway.
///
/// A write whose answer was lost ends as `unknownOutcome` and is not sent again. Reads are linearizable and go on
/// with the next member. Revisions are etcd's own, so they also grow with what others write to the cluster.
public final class EtcdFleetStore: FleetStore {
    private struct Watches {
        var open: [ObjectIdentifier: HubWatcher] = [:]
        var isClosed = false
    }

    private let options: EtcdOptions
    private let client: EtcdClient
    private let watches = Mutex(Watches())

    /// Prepares the engine; connections are made as they are needed.
    public init(_ options: EtcdOptions) throws(StoreError) {
        _ = try StoreKey(options.namespace)
        self.options = options
        client = try EtcdClient(options)
    }

    public func get(_ key: StoreKey) async throws(StoreError) -> StoreEntry? {
        try checkOpen()
        let answer = try await client.call(
            "/v3/kv/range", EtcdMessage.RangeRequest(key: name(key)), .read, as: EtcdMessage.RangeResponse.self)
        guard let value = answer.kvs?.first else { return nil }
        return try entry(value)
    }

    public func list(
        _ prefix: StorePrefix, limit: Int, from: StoreContinuation?
    ) async throws(StoreError) -> StorePage {
        try checkOpen()
        let limit = try checkedListLimit(limit)
        // The first key behind another one is that one with a byte 0.
        let start = from.map { EtcdBytes(name($0.after).bytes + [0]) } ?? EtcdBytes(options.namespace + prefix.text)
        let answer = try await client.call(
            "/v3/kv/range",
            EtcdMessage.RangeRequest(
                key: start, range_end: EtcdBytes(options.namespace + prefix.end), limit: EtcdNumber(Int64(limit)),
                revision: from.map { EtcdNumber($0.revision.rawValue) }),
            .read, as: EtcdMessage.RangeResponse.self)
        let entries = try (answer.kvs ?? []).map { value throws(StoreError) in try entry(value) }
        let revision: Revision
        if let from { revision = from.revision } else { revision = try EtcdFleetStore.revision(answer.header) }
        guard answer.more == true, let last = entries.last else {
            return StorePage(entries: entries, revision: revision, continuation: nil)
        }
        return StorePage(
            entries: entries, revision: revision, continuation: StoreContinuation(revision: revision, after: last.key))
    }

    public func commit(_ transaction: StoreTransaction) async throws(StoreError) -> Revision {
        try checkOpen()
        try transaction.validate()
        let encoding = EtcdTransaction(transaction, namespace: options.namespace)
        let answer = try await client.call(
            "/v3/kv/txn", try encoding.request(), transaction.operations.contains(where: \.isWrite) ? .write : .read,
            as: EtcdMessage.TransactionResponse.self)
        if let refusal = try encoding.refusal(answer) { throw refusal }
        return try EtcdFleetStore.revision(answer.header)
    }

    public func watch(_ prefix: StorePrefix, after: Revision) async throws(StoreError) -> StoreWatch {
        try checkOpen()
        let watcher = HubWatcher(
            prefix: prefix, after: after, joining: after,
            limits: WatchHub.Limits(buffer: options.watchBuffer, progressInterval: 1),
            history: { _, _, through, _ in HistoryPage(changes: [], reached: through) },
            leave: { [weak self] watcher in self?.forget(watcher) })
        let isOpen = watches.withLock { watches in
            if !watches.isClosed { watches.open[ObjectIdentifier(watcher)] = watcher }
            return !watches.isClosed
        }
        guard isOpen else { throw .closed }
        let opening = Opening()
        let pump = Task { [client, options] in
            let sink = EtcdWatchStream.Sink(
                opened: { opening.finish($0) },
                deliver: { [weak watcher] in watcher?.deliver($0, through: $1) ?? false },
                fail: { [weak watcher] in watcher?.fail($0) })
            var stream = EtcdWatchStream(client: client, options: options, prefix: prefix, after: after, sink: sink)
            await stream.run()
        }
        let watch = StoreWatch(PumpedWatch(watcher: watcher, pump: pump))
        // A failed watch is let go here, which ends its task.
        if let error = await opening.wait() { throw error }
        return watch
    }

    public func compact(through: Revision) async throws(StoreError) {
        try checkOpen()
        do throws(StoreError) {
            _ = try await client.call(
                "/v3/kv/compaction", EtcdMessage.CompactionRequest(revision: EtcdNumber(through.rawValue)), .read,
                as: EtcdMessage.Empty.self)
        } catch {
            // It was compacted farther already; a revision that is still to come is a mistake of the caller's.
            guard error.code == .compacted, !error.message.contains("future") else { throw error }
        }
    }

    public func close() async {
        let open = watches.withLock { watches in
            defer { watches = Watches(isClosed: true) }
            return Array(watches.open.values)
        }
        for watcher in open { watcher.fail(.closed) }
        await client.close()
    }

    private func checkOpen() throws(StoreError) {
        if watches.withLock(\.isClosed) { throw .closed }
    }

    private func forget(_ watcher: HubWatcher) {
        watches.withLock { $0.open[ObjectIdentifier(watcher)] = nil }
    }

    private func name(_ key: StoreKey) -> EtcdBytes { EtcdBytes(options.namespace + key.text) }

    private func entry(_ value: EtcdMessage.KeyValue) throws(StoreError) -> StoreEntry {
        try value.entry(namespace: options.namespace)
    }

    private static func revision(_ header: EtcdMessage.Header?) throws(StoreError) -> Revision {
        guard let revision = header?.revision?.value else {
            throw StoreError(.unavailable, "etcd's answer has no revision: is something else behind the endpoint?")
        }
        return Revision(rawValue: revision)
    }
}

/// Says once whether a watch stands.
private final class Opening: Sendable {
    private struct State {
        var outcome: StoreError??
        var waiter: CheckedContinuation<StoreError?, Never>?
    }

    private let state = Mutex(State())

    func finish(_ error: StoreError?) {
        let waiter = state.withLock { state in
            if state.outcome == nil { state.outcome = .some(error) }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: error)
    }

    func wait() async -> StoreError? {
        await withCheckedContinuation { continuation in
            let outcome: StoreError?? = state.withLock { state in
                if state.outcome == nil { state.waiter = continuation }
                return state.outcome
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }
}

/// A watch that a task of its own fills; the task ends with it.
private final class PumpedWatch: WatchSource {
    private let watcher: HubWatcher
    private let pump: Task<Void, Never>

    init(watcher: HubWatcher, pump: Task<Void, Never>) {
        self.watcher = watcher
        self.pump = pump
    }

    func next() async throws(StoreError) -> WatchItem? { try await watcher.next() }

    func cancel() {
        pump.cancel()
        watcher.cancel()
    }
}

extension EtcdMessage.KeyValue {
    /// The object that it stands for.
    func entry(namespace: String) throws(StoreError) -> StoreEntry {
        StoreEntry(
            key: try storeKey(namespace: namespace), value: value?.bytes ?? [],
            revision: Revision(rawValue: mod_revision?.value ?? 0),
            created: Revision(rawValue: create_revision?.value ?? 0))
    }

    /// Its key without the namespace. Somebody else may have written a key that is none of ours.
    func storeKey(namespace: String) throws(StoreError) -> StoreKey {
        guard key.text.hasPrefix(namespace) else {
            throw StoreError(.damaged, "etcd answers with the key '\(key.text)' outside of \(namespace)")
        }
        return try StoreKey(String(key.text.dropFirst(namespace.count)))
    }
}
