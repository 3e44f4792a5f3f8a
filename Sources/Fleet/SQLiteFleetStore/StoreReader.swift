import FleetStore

/// The queries of the store on one connection, each inside of one read transaction.
struct StoreReader {
    let connection: SQLiteConnection

    func mark(_ name: String) throws(StoreError) -> Revision {
        let query = try connection.statement("SELECT value FROM mark WHERE name = ?")
        defer { query.reset() }
        query.bind(0, text: name)
        guard try query.step() else { throw StoreError(.damaged, "the store's file lacks the mark '\(name)'") }
        return Revision(rawValue: query.number(0))
    }

    func entry(_ key: StoreKey) throws(StoreError) -> StoreEntry? {
        let query = try connection.statement("SELECT revision, created, value FROM entry WHERE key = ?")
        defer { query.reset() }
        query.bind(0, text: key.text)
        guard try query.step() else { return nil }
        return StoreEntry(
            key: key, value: query.blob(2), revision: Revision(rawValue: query.number(0)),
            created: Revision(rawValue: query.number(1)))
    }

    /// Runs several queries on one state of the store.
    func atOneMoment<Output>(_ body: () throws(StoreError) -> Output) throws(StoreError) -> Output {
        try connection.run("BEGIN")
        do throws(StoreError) {
            let output = try body()
            try connection.run("COMMIT")
            return output
        } catch {
            try? connection.run("ROLLBACK")
            throw error
        }
    }

    func page(
        _ prefix: StorePrefix, limit: Int, from continuation: StoreContinuation?
    ) throws(StoreError) -> StorePage {
        let limit = try checkedListLimit(limit)
        let revision = try mark("revision")
        let moment = continuation?.revision ?? revision
        let compacted = try mark("compacted")
        guard moment >= compacted else { throw .compacted(moment, oldest: compacted) }
        guard moment <= revision else { throw .future(moment, current: revision) }
        let start = continuation?.after.text ?? prefix.text
        let present = try presentEntries(after: start, before: prefix.end, moment: moment, limit: limit + 1)
        var past: [StoreEntry] = []
        if moment < revision {
            past = StoreState.previousEntries(
                try records(after: moment, through: revision, keys: (start, prefix.end), limit: Int.max))
        }
        return StoreState.page(present: present, past: past, limit: limit, revision: moment)
    }

    func history(
        _ prefix: StorePrefix, after: Revision, through: Revision, limit: Int
    ) throws(StoreError) -> HistoryPage {
        let compacted = try mark("compacted")
        guard after >= compacted else { throw .compacted(after, oldest: compacted) }
        // A page ends between transactions, so it is read to the end of the one that the limit falls into.
        let page = max(limit, StoreTransaction.maximumOperationCount)
        let found = try records(
            after: after, through: through, keys: nil, limit: page + StoreTransaction.maximumOperationCount)
        return StoreState.historyPage(found, prefix: prefix, through: through, limit: page)
    }

    private func presentEntries(
        after start: String, before end: String, moment: Revision, limit: Int
    ) throws(StoreError) -> [StoreEntry] {
        let query = try connection.statement(
            """
            SELECT key, revision, created, value FROM entry
            WHERE key > ? AND key < ? AND revision <= ? ORDER BY key LIMIT ?
            """)
        defer { query.reset() }
        query.bind(0, text: start)
        query.bind(1, text: end)
        query.bind(2, moment.rawValue)
        query.bind(3, Int64(limit))
        var entries: [StoreEntry] = []
        while try query.step() {
            entries.append(
                StoreEntry(
                    key: StoreKey(unchecked: query.text(0)), value: query.blob(3),
                    revision: Revision(rawValue: query.number(1)), created: Revision(rawValue: query.number(2))))
        }
        return entries
    }

    private func records(
        after: Revision, through: Revision, keys: (after: String, before: String)?, limit: Int
    ) throws(StoreError) -> [StoreRecord] {
        let query = try connection.statement(
            """
            SELECT revision, key, created, value, oldRevision, oldCreated, oldValue FROM history
            WHERE revision > ? AND revision <= ? AND key > ? AND key < ? ORDER BY revision, key LIMIT ?
            """)
        defer { query.reset() }
        query.bind(0, after.rawValue)
        query.bind(1, through.rawValue)
        query.bind(2, text: keys?.after ?? "")
        query.bind(3, text: keys?.before ?? "~")
        query.bind(4, Int64(limit))
        var records: [StoreRecord] = []
        while try query.step() {
            let revision = Revision(rawValue: query.number(0))
            let key = StoreKey(unchecked: query.text(1))
            let event: StoreEvent =
                query.isNull(2)
                ? .delete(key)
                : .put(
                    StoreEntry(
                        key: key, value: query.blob(3), revision: revision,
                        created: Revision(rawValue: query.number(2))))
            let previous =
                query.isNull(4)
                ? nil
                : StoreEntry(
                    key: key, value: query.blob(6), revision: Revision(rawValue: query.number(4)),
                    created: Revision(rawValue: query.number(5)))
            records.append(StoreRecord(revision: revision, event: event, previous: previous))
        }
        return records
    }
}
