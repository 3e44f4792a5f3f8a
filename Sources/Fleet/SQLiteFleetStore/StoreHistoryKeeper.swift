import FleetStore

/// Writes the tables, inside of a transaction that the writer has begun, and keeps the history within its bounds.
struct StoreHistoryKeeper {
    private let connection: SQLiteConnection
    private let reader: StoreReader
    private let options: SQLiteFleetStore.Options
    private var eventCount = 0
    private var trimmedAt = Revision.zero
    private var isKnown = false
    private var second: Int64 = 0
    private var written = (revision: Revision.zero, compacted: Revision.zero)

    /// The last transaction's revision.
    private(set) var revision = Revision.zero
    /// The history begins after this revision.
    private(set) var compacted = Revision.zero

    /// Revisions between looks at the history's age.
    private static let ageInterval: Int64 = 256

    init(_ connection: SQLiteConnection, options: SQLiteFleetStore.Options) throws(StoreError) {
        self.connection = connection
        self.options = options
        reader = StoreReader(connection: connection)
        try load()
    }

    /// Makes ready for the transactions of one commit.
    mutating func begin() throws(StoreError) {
        if !isKnown { try load() }
        second = options.now()
    }

    /// After a commit that failed: what is held here may be ahead of the file.
    mutating func forget() { isKnown = false }

    /// Does a transaction or refuses it. Throws when the file fails, and then the whole commit must be given up.
    mutating func apply(
        _ transaction: StoreTransaction
    ) throws(StoreError) -> Result<StoreChange?, StoreError> {
        if let fence = transaction.fence {
            let value = try reader.entry(electionEpochKey(fence.election))?.value
            do throws(StoreError) { try checkFence(fence, epochValue: value) } catch { return .failure(error) }
        }
        var before: [StoreKey: StoreEntry] = [:]
        for operation in transaction.operations {
            let entry = try reader.entry(operation.key)
            if let refusal = operation.refusal(current: entry?.revision) { return .failure(refusal) }
            before[operation.key] = entry
        }
        guard transaction.operations.contains(where: \.isWrite) else { return .success(nil) }
        revision = Revision(rawValue: revision.rawValue + 1)
        var events: [StoreEvent] = []
        for operation in transaction.operations.sorted(by: { $0.key < $1.key }) {
            guard let event = event(of: operation, before: before[operation.key]) else { continue }
            try write(event)
            try remember(event, before: before[operation.key])
            events.append(event)
        }
        return .success(StoreChange(revision: revision, events: events))
    }

    /// Forgets the history up to a revision.
    mutating func compact(through limit: Revision) throws(StoreError) {
        guard limit > compacted else { return }
        compacted = min(limit, revision)
        let deletion = try connection.statement("DELETE FROM history WHERE revision <= ?")
        deletion.bind(0, compacted.rawValue)
        try deletion.finish()
        eventCount = Int(try connection.number("SELECT count(*) FROM history"))
    }

    /// Keeps the history in its bounds, and writes the marks.
    mutating func finish() throws(StoreError) {
        try trim()
        guard written != (revision, compacted) else { return }
        let update = try connection.statement("UPDATE mark SET value = iif(name = 'revision', ?, ?)")
        update.bind(0, revision.rawValue)
        update.bind(1, compacted.rawValue)
        try update.finish()
        written = (revision, compacted)
    }

    private mutating func load() throws(StoreError) {
        revision = try reader.mark("revision")
        compacted = try reader.mark("compacted")
        written = (revision, compacted)
        trimmedAt = revision
        eventCount = Int(try connection.number("SELECT count(*) FROM history"))
        isKnown = true
    }

    private func event(of operation: StoreOperation, before: StoreEntry?) -> StoreEvent? {
        switch operation {
        case .create(let key, let value):
            .put(StoreEntry(key: key, value: value, revision: revision, created: revision))
        case .replace(let key, let value, _):
            .put(StoreEntry(key: key, value: value, revision: revision, created: before?.created ?? revision))
        case .delete(let key, _): .delete(key)
        case .check: nil
        }
    }

    private func write(_ event: StoreEvent) throws(StoreError) {
        switch event {
        case .put(let entry):
            let statement = try connection.statement(
                """
                INSERT INTO entry (key, revision, created, value) VALUES (?, ?, ?, ?) ON CONFLICT (key)
                DO UPDATE SET revision = excluded.revision, created = excluded.created, value = excluded.value
                """)
            statement.bind(0, text: entry.key.text)
            statement.bind(1, entry.revision.rawValue)
            statement.bind(2, entry.created.rawValue)
            statement.bind(3, blob: entry.value)
            try statement.finish()
        case .delete(let key):
            let statement = try connection.statement("DELETE FROM entry WHERE key = ?")
            statement.bind(0, text: key.text)
            try statement.finish()
        }
    }

    private mutating func remember(_ event: StoreEvent, before: StoreEntry?) throws(StoreError) {
        let statement = try connection.statement("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        statement.bind(0, revision.rawValue)
        statement.bind(1, text: event.key.text)
        statement.bind(2, second)
        if case .put(let entry) = event {
            statement.bind(3, entry.created.rawValue)
            statement.bind(4, blob: entry.value)
        } else {
            statement.bind(3, nil)
            statement.bind(4, blob: nil)
        }
        statement.bind(5, before?.revision.rawValue)
        statement.bind(6, before?.created.rawValue)
        statement.bind(7, blob: before?.value)
        try statement.finish()
        eventCount += 1
    }

    /// Cuts a little and often, so that no commit waits long for it.
    private mutating func trim() throws(StoreError) {
        let excess = eventCount - options.historyLimit
        if excess > max(64, min(1000, options.historyLimit / 8)) {
            let query = try connection.statement("SELECT revision FROM history ORDER BY revision, key LIMIT 1 OFFSET ?")
            defer { query.reset() }
            query.bind(0, Int64(excess - 1))
            if try query.step() {
                let bound = Revision(rawValue: query.number(0))
                query.reset()
                try compact(through: bound)
            }
        }
        guard revision.rawValue - trimmedAt.rawValue >= StoreHistoryKeeper.ageInterval else { return }
        trimmedAt = revision
        let query = try connection.statement(
            "SELECT revision FROM history WHERE second >= ? ORDER BY revision, key LIMIT 1")
        defer { query.reset() }
        query.bind(0, second - options.historySeconds)
        let bound = try query.step() ? query.number(0) - 1 : revision.rawValue
        query.reset()
        try compact(through: Revision(rawValue: bound))
    }
}
