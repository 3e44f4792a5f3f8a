import FleetStore

/// The tables of the file, and how files of older versions become files of this one.
struct StoreSchema: Sendable {
    /// The statements that lead from each version to the next; the first make a new file.
    let steps: [String]

    /// Marks the file as a store of ours: "Rst1" in ASCII.
    static let applicationID: Int64 = 0x5273_7431

    /// `entry` is the present. `history` holds each event with what it replaced, so that a list can show a past
    /// revision.
    static let current = StoreSchema(steps: [
        """
        CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO mark VALUES ('revision', 0), ('compacted', 0);
        CREATE TABLE entry (
            key TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, value BLOB NOT NULL
        );
        CREATE TABLE history (
            revision INTEGER NOT NULL, key TEXT NOT NULL, second INTEGER NOT NULL, created INTEGER, value BLOB,
            oldRevision INTEGER, oldCreated INTEGER, oldValue BLOB, PRIMARY KEY (revision, key)
        );
        """
    ])

    /// Makes a new file's tables, or brings an older file up to date; refuses what it does not know.
    func prepare(_ connection: SQLiteConnection, path: String) throws(StoreError) {
        let application = try connection.number("PRAGMA application_id")
        let version = try connection.number("PRAGMA user_version")
        let tableCount = try connection.number("SELECT count(*) FROM sqlite_schema")
        let isNew = application == 0 && version == 0 && tableCount == 0
        guard isNew || application == StoreSchema.applicationID else {
            throw StoreError(.damaged, "\(path) is a database of another program: name another file for the store")
        }
        guard version <= steps.count else {
            throw StoreError(
                .damaged,
                "\(path) was written by a newer version (schema \(version), not \(steps.count)): use that version"
            )
        }
        guard version < steps.count else { return }
        try connection.run("BEGIN IMMEDIATE")
        do throws(StoreError) {
            for step in steps[Int(version)...] { try connection.run(step) }
            try connection.run("PRAGMA user_version = \(steps.count)")
            try connection.run("PRAGMA application_id = \(StoreSchema.applicationID)")
            try connection.run("COMMIT")
        } catch {
            try? connection.run("ROLLBACK")
            throw error
        }
    }

    /// Looks through the whole file, and whether its parts agree.
    static func check(_ connection: SQLiteConnection, path: String) throws(StoreError) {
        let query = try connection.statement("PRAGMA quick_check(1)")
        defer { query.reset() }
        let verdict = try query.step() ? query.text(0) : "no answer"
        guard verdict == "ok" else { throw damaged(path, verdict) }
        let ahead = try connection.number(
            """
            SELECT (SELECT count(*) FROM entry, mark WHERE name = 'revision' AND entry.revision > mark.value)
                + (SELECT count(*) FROM history, mark WHERE name = 'revision' AND history.revision > mark.value)
            """)
        guard ahead == 0 else { throw damaged(path, "\(ahead) rows are of revisions that have not been") }
        let odd = try connection.number(
            "SELECT count(*) FROM mark WHERE name IN ('revision', 'compacted') AND value >= 0")
        guard odd == 2 else { throw damaged(path, "its marks are missing") }
    }

    private static func damaged(_ path: String, _ reason: String) -> StoreError {
        StoreError(
            .damaged,
            "\(path) is damaged (\(reason)): restore it from a backup, or move it away to begin anew")
    }
}
