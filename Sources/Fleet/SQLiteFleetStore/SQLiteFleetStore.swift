public import FleetStore
import Foundation
import Synchronization

/// The embedded engine: one SQLite file, for a control plane of one process.
///
/// Acknowledged writes are on the disk (write-ahead log, `synchronous=FULL`); writers share commits. Reads use
/// connections of their own and never wait for a writer.
public final class SQLiteFleetStore: FleetStore {
    /// How a store is kept.
    public struct Options: Sendable {
        /// Events that watches and continuations may reach back.
        public var historyLimit = 100_000
        /// Seconds that they may reach back.
        public var historySeconds: Int64 = 3600
        /// Items that wait for a slow watcher.
        public var watchBuffer = 4096
        /// Revisions without anything for a watcher, until it gets a mark.
        public var progressInterval: Int64 = 256
        /// Seconds of the wall clock, for the history's age alone.
        public var now: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }

        /// The usual bounds.
        public init() {}
    }

    private struct Readers {
        var idle: [SQLiteConnection] = []
        var isClosed = false
    }

    private let path: String
    private let file: StoreFile
    private let writer: StoreWriter
    private let hub: WatchHub
    private let readers = Mutex(Readers())

    /// Read connections that are kept when nobody uses them.
    private static let idleReaderCount = 4

    /// Opens the store's file, or makes it; checks all of it, and brings an older one up to date.
    ///
    /// Throws `damaged` for a file that is damaged, foreign or of a newer version, and `unavailable` if it cannot
    /// be opened.
    public convenience init(path: String, options: Options = Options()) throws(StoreError) {
        try self.init(path: path, options: options, schema: .current)
    }

    init(path: String, options: Options, schema: StoreSchema) throws(StoreError) {
        self.path = path
        file = try StoreFile(path: path)
        let connection = try SQLiteConnection(path: path, isReadOnly: false)
        try schema.prepare(connection, path: path)
        try StoreSchema.check(connection, path: path)
        try SQLiteFleetStore.makeDurable(connection)
        let reader = StoreReader(connection: connection)
        hub = WatchHub(
            revision: try reader.mark("revision"),
            limits: WatchHub.Limits(buffer: options.watchBuffer, progressInterval: options.progressInterval))
        writer = try StoreWriter(connection: connection, hub: hub, options: options)
        try writer.start()
    }

    public func get(_ key: StoreKey) async throws(StoreError) -> StoreEntry? {
        try read { reader throws(StoreError) in try reader.entry(key) }
    }

    public func list(
        _ prefix: StorePrefix, limit: Int, from: StoreContinuation?
    ) async throws(StoreError) -> StorePage {
        try read { reader throws(StoreError) in
            try reader.atOneMoment { () throws(StoreError) in try reader.page(prefix, limit: limit, from: from) }
        }
    }

    public func commit(_ transaction: StoreTransaction) async throws(StoreError) -> Revision {
        try transaction.validate()
        return try await writer.commit(transaction)
    }

    public func watch(_ prefix: StorePrefix, after: Revision) async throws(StoreError) -> StoreWatch {
        try read { reader throws(StoreError) in
            let (revision, compacted) = try reader.atOneMoment { () throws(StoreError) in
                (try reader.mark("revision"), try reader.mark("compacted"))
            }
            guard after >= compacted else { throw .compacted(after, oldest: compacted) }
            guard after <= revision else { throw .future(after, current: revision) }
        }
        return try hub.watch(prefix, after: after) { [weak self] prefix, after, through, limit throws(StoreError) in
            guard let self else { throw .closed }
            return try self.read { reader throws(StoreError) in
                try reader.atOneMoment { () throws(StoreError) in
                    try reader.history(prefix, after: after, through: through, limit: limit)
                }
            }
        }
    }

    public func compact(through: Revision) async throws(StoreError) { try await writer.compact(through: through) }

    public func close() async {
        await writer.close()
        readers.withLock { $0 = Readers(isClosed: true) }
        hub.close(.closed)
        file.release()
    }

    /// Lends a read connection. The query runs on the caller's thread: a get takes some ten microseconds, less than
    /// waking another thread does.
    private func read<Output>(_ body: (StoreReader) throws(StoreError) -> Output) throws(StoreError) -> Output {
        let idle: SQLiteConnection? = try readers.withLock { readers throws(StoreError) in
            guard !readers.isClosed else { throw .closed }
            return readers.idle.popLast()
        }
        let connection: SQLiteConnection
        if let idle { connection = idle } else { connection = try SQLiteConnection(path: path, isReadOnly: true) }
        defer {
            readers.withLock { readers in
                let isKept = !readers.isClosed && readers.idle.count < SQLiteFleetStore.idleReaderCount
                if isKept { readers.idle.append(connection) }
            }
        }
        return try body(StoreReader(connection: connection))
    }

    private static func makeDurable(_ connection: SQLiteConnection) throws(StoreError) {
        let query = try connection.statement("PRAGMA journal_mode = WAL")
        let mode = try query.step() ? query.text(0) : ""
        query.reset()
        guard mode == "wal" else {
            throw StoreError(
                .unavailable, "the store's file system does not support a write-ahead log (mode '\(mode)')")
        }
        try connection.run("PRAGMA synchronous = FULL")
        try connection.run("PRAGMA journal_size_limit = 67108864")
    }
}
