import CSQLite
package import FleetStore

// SAFETY: whoever holds a connection is alone with it: the writer's thread, or the read that took it from the idle
// ones.
/// One connection to the file, with its prepared statements. Used by one thread at a time.
package final class SQLiteConnection: @unchecked Sendable {
    private let database: OpaquePointer
    private var statements: [String: SQLiteStatement] = [:]

    /// Opens a file that exists.
    package init(path: String, isReadOnly: Bool) throws(StoreError) {
        var opened: OpaquePointer?
        // Without SQLite's own mutex: whoever holds the connection is alone with it.
        let flags = SQLITE_OPEN_NOMUTEX | (isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE)
        let status = sqlite3_open_v2(path, &opened, flags, nil)
        guard status == SQLITE_OK, let opened else {
            let text = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw StoreError(.unavailable, "the store's file \(path) cannot be opened: \(text)")
        }
        database = opened
        sqlite3_extended_result_codes(database, 1)
        sqlite3_busy_timeout(database, 10_000)
        _ = csqlite_set_defensive(database)
    }

    deinit {
        statements = [:]
        sqlite3_close_v2(database)
    }

    /// Runs statements that return nothing of interest.
    package func run(_ text: String) throws(StoreError) {
        let status = sqlite3_exec(database, text, nil, nil, nil)
        guard status == SQLITE_OK else { throw failure(status, text) }
    }

    /// The statement of this text, ready to be bound; it is prepared once.
    package func statement(_ text: String) throws(StoreError) -> SQLiteStatement {
        if let known = statements[text] {
            known.reset()
            return known
        }
        var prepared: OpaquePointer?
        let status = sqlite3_prepare_v3(
            database, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard status == SQLITE_OK, let prepared else { throw failure(status, text) }
        let statement = SQLiteStatement(prepared, of: self)
        statements[text] = statement
        return statement
    }

    /// The single number that a query without parameters gives.
    package func number(_ text: String) throws(StoreError) -> Int64 {
        let query = try statement(text)
        defer { query.reset() }
        guard try query.step() else { throw StoreError(.damaged, "the store's file gives no answer to: \(text)") }
        return query.number(0)
    }

    /// What SQLite said, as the store's error.
    func failure(_ status: Int32, _ text: String) -> StoreError {
        let message = String(cString: sqlite3_errmsg(database))
        switch status & 0xFF {
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return StoreError(
                .damaged,
                "the store's file is damaged (\(message)): restore it from a backup, or move it away to begin anew"
            )
        case SQLITE_FULL:
            return StoreError(
                .unavailable, "the store's file cannot grow: it has its maximum size, or the disk is full")
        default:
            return StoreError(.unavailable, "SQLite failed with \(status) (\(message)) at: \(text)")
        }
    }
}

/// A prepared statement. Columns and parameters are counted from 0.
package final class SQLiteStatement {
    private let handle: OpaquePointer
    private unowned let connection: SQLiteConnection

    init(_ handle: OpaquePointer, of connection: SQLiteConnection) {
        self.handle = handle
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    /// Makes it ready for the next use, and ends a read that it holds open.
    package func reset() { sqlite3_reset(handle) }

    /// Goes to the next row; false when there is none.
    package func step() throws(StoreError) -> Bool {
        let status = sqlite3_step(handle)
        switch status {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            let error = connection.failure(status, String(cString: sqlite3_sql(handle)))
            reset()
            throw error
        }
    }

    /// Runs it to its end.
    package func finish() throws(StoreError) {
        while try step() {}
        reset()
    }

    package func bind(_ index: Int32, _ number: Int64?) {
        if let number { sqlite3_bind_int64(handle, index + 1, number) } else { sqlite3_bind_null(handle, index + 1) }
    }

    package func bind(_ index: Int32, text: String) {
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                _ = csqlite_bind_text(handle, index + 1, characters.baseAddress, Int32(characters.count))
            }
        }
    }

    package func bind(_ index: Int32, blob: [UInt8]?) {
        guard let blob else {
            sqlite3_bind_null(handle, index + 1)
            return
        }
        blob.withUnsafeBytes { bytes in
            _ = csqlite_bind_blob(handle, index + 1, bytes.baseAddress, Int32(bytes.count))
        }
    }

    package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    package func number(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    package func blob(_ column: Int32) -> [UInt8] {
        let count = Int(sqlite3_column_bytes(handle, column))
        guard count > 0, let bytes = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    package func text(_ column: Int32) -> String {
        let count = Int(sqlite3_column_bytes(handle, column))
        guard count > 0, let bytes = sqlite3_column_text(handle, column) else { return "" }
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
