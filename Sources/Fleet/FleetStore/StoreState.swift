/// What one event replaced, so that the past can be told from the present.
package struct StoreRecord: Hashable, Sendable {
    /// When it happened.
    package let revision: Revision
    /// What happened.
    package let event: StoreEvent
    /// The object before, or nil if it did not exist.
    package let previous: StoreEntry?

    package init(revision: Revision, event: StoreEvent, previous: StoreEntry?) {
        self.revision = revision
        self.event = event
        self.previous = previous
    }
}

/// A part of the history, read from the oldest end.
package struct HistoryPage: Sendable {
    /// The changes, whole transactions only.
    package let changes: [StoreChange]
    /// Up to which revision nothing more is to come.
    package let reached: Revision

    package init(changes: [StoreChange], reached: Revision) {
        self.changes = changes
        self.reached = reached
    }
}

/// The store as a value: what the in-memory engine holds, and the model that the other engines are compared with.
package struct StoreState: Sendable {
    private var entries: [StoreKey: StoreEntry] = [:]
    private var keys: [StoreKey] = []
    private var records: [StoreRecord] = []
    private let historyLimit: Int

    /// The last transaction's revision.
    package private(set) var revision = Revision.zero
    /// The history begins after this revision.
    package private(set) var compacted = Revision.zero

    /// An empty store that remembers about `historyLimit` events.
    package init(historyLimit: Int) {
        self.historyLimit = historyLimit
    }

    /// Reads a key.
    package func entry(_ key: StoreKey) -> StoreEntry? { entries[key] }

    /// Does a transaction, or throws and changes nothing. Nil if it had checks only.
    package mutating func apply(_ transaction: StoreTransaction) throws(StoreError) -> StoreChange? {
        try transaction.validate()
        if let fence = transaction.fence {
            let keys = try ElectionKeys(fence.election)
            try keys.check(fence, epochValue: entries[keys.epoch]?.value)
        }
        for operation in transaction.operations {
            if let refusal = operation.refusal(current: entries[operation.key]?.revision) { throw refusal }
        }
        guard transaction.operations.contains(where: \.isWrite) else { return nil }
        revision = revision.next
        var events: [StoreEvent] = []
        for operation in transaction.operations.sorted(by: { $0.key < $1.key }) {
            guard let event = event(of: operation) else { continue }
            records.append(StoreRecord(revision: revision, event: event, previous: entries[operation.key]))
            put(event)
            events.append(event)
        }
        if records.count > historyLimit + historyLimit / 4 {
            compact(through: records[records.count - historyLimit - 1].revision)
        }
        return StoreChange(revision: revision, events: events)
    }

    /// Forgets the history up to a revision.
    package mutating func compact(through limit: Revision) {
        guard limit > compacted else { return }
        compacted = min(limit, revision)
        records.removeFirst(place(after: compacted))
    }

    /// A page of a folder at the continuation's revision, or at the present one.
    package func page(
        _ prefix: StorePrefix, limit: Int, from continuation: StoreContinuation?
    ) throws(StoreError) -> StorePage {
        let limit = try checkedListLimit(limit)
        let moment = continuation?.revision ?? revision
        guard moment >= compacted else { throw .compacted(moment, oldest: compacted) }
        guard moment <= revision else { throw .future(moment, current: revision) }
        let undone = StoreState.previousEntries(records[place(after: moment)...])
        var present: [StoreEntry] = []
        var at = firstKey { $0.text > (continuation?.after.text ?? prefix.text) }
        while at < keys.count, prefix.contains(keys[at]), present.count <= limit {
            if let entry = entries[keys[at]], entry.revision <= moment { present.append(entry) }
            at += 1
        }
        let past = undone.filter { entry in
            prefix.contains(entry.key) && entry.key > (continuation?.after ?? StoreKey(unchecked: ""))
        }
        return StoreState.page(present: present, past: past, limit: limit, revision: moment)
    }

    /// The changes of a folder after a revision and up to another, about `limit` events of them.
    package func history(
        _ prefix: StorePrefix, after: Revision, through: Revision, limit: Int
    ) throws(StoreError) -> HistoryPage {
        guard after >= compacted else { throw .compacted(after, oldest: compacted) }
        return StoreState.historyPage(records[place(after: after)...], prefix: prefix, through: through, limit: limit)
    }

    private func event(of operation: StoreOperation) -> StoreEvent? {
        switch operation {
        case .create(let key, let value):
            .put(StoreEntry(key: key, value: value, revision: revision, created: revision))
        case .replace(let key, let value, _):
            .put(StoreEntry(key: key, value: value, revision: revision, created: entries[key]?.created ?? revision))
        case .delete(let key, _): .delete(key)
        case .check: nil
        }
    }

    private mutating func put(_ event: StoreEvent) {
        let key = event.key
        let at = firstKey { $0 >= key }
        let isPresent = at < keys.count && keys[at] == key
        switch event {
        case .put(let entry):
            entries[key] = entry
            if !isPresent { keys.insert(key, at: at) }
        case .delete:
            entries[key] = nil
            if isPresent { keys.remove(at: at) }
        }
    }

    private func firstKey(where isBehind: (StoreKey) -> Bool) -> Int {
        StoreState.firstIndex(keys.count) { isBehind(keys[$0]) }
    }

    private func place(after revision: Revision) -> Int {
        StoreState.firstIndex(records.count) { records[$0].revision > revision }
    }

    private static func firstIndex(_ count: Int, where isBehind: (Int) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension StoreState {
    /// The objects that the records of a time began with, by key.
    package static func previousEntries(_ records: some Sequence<StoreRecord>) -> [StoreEntry] {
        var seen = Set<StoreKey>()
        var entries: [StoreEntry] = []
        for record in records where seen.insert(record.event.key).inserted {
            if let previous = record.previous { entries.append(previous) }
        }
        return entries.sorted { $0.key < $1.key }
    }

    /// Merges what has not changed since a revision with what has, and cuts the page.
    package static func page(
        present: [StoreEntry], past: [StoreEntry], limit: Int, revision: Revision
    ) -> StorePage {
        let merged = past.isEmpty ? present : (present + past).sorted { $0.key < $1.key }
        let entries = Array(merged.prefix(limit))
        guard merged.count > limit, let last = entries.last else {
            return StorePage(entries: entries, revision: revision, continuation: nil)
        }
        return StorePage(
            entries: entries, revision: revision, continuation: StoreContinuation(revision: revision, after: last.key))
    }

    /// Puts records together to changes. Ends between transactions, once `limit` records were looked at.
    package static func historyPage(
        _ records: some Sequence<StoreRecord>, prefix: StorePrefix, through: Revision, limit: Int
    ) -> HistoryPage {
        var changes: [StoreChange] = []
        var events: [StoreEvent] = []
        var revision: Revision?
        var count = 0
        func endTransaction() {
            if let revision, !events.isEmpty { changes.append(StoreChange(revision: revision, events: events)) }
            events = []
        }
        for record in records {
            if record.revision != revision {
                endTransaction()
                if record.revision > through { return HistoryPage(changes: changes, reached: through) }
                if count >= limit, let revision { return HistoryPage(changes: changes, reached: revision) }
                revision = record.revision
            }
            count += 1
            if prefix.contains(record.event.key) { events.append(record.event) }
        }
        endTransaction()
        return HistoryPage(changes: changes, reached: through)
    }
}
