public import FleetModel
public import FleetStore
import Foundation
public import Monitoring
import SQLiteFleetStore

/// The history of metrics in a SQLite file of its own, so that it burdens nothing else and may be lost without harm.
///
/// A commit is a few rows for each series; it is in the file when `append` returns, and so survives the end of the
/// process however it comes. It is not forced to the disk: a power failure may take the last minutes with it.
public actor MetricHistoryFile {
    /// How a history is kept.
    public struct Options: Sendable {
        /// The steps, the shortest first.
        public var tiers: [HistoryTier]
        /// How large the file may become, without its log of 16 MiB.
        public var maximumByteCount: Int64

        /// The usual steps in a file of at most 1 GiB.
        public init(tiers: [HistoryTier] = HistoryTier.usual(), maximumByteCount: Int64 = 1 << 30) {
            self.tiers = tiers
            self.maximumByteCount = maximumByteCount
        }
    }

    private let connection: SQLiteConnection
    private let file: StoreFile?
    private let options: Options
    private let pageByteCount: Int64
    private var identifiers: [SeriesName: Int64] = [:]
    private var prunedAt: Timestamp?

    /// How long rows may stay after they are too old.
    private static let pruneInterval = TimeSpan.minutes(1)

    /// Opens a file, or makes it; without a path the history is in memory and ends with the process.
    ///
    /// Throws `damaged` for a file that is damaged, foreign or of a newer version, and `unavailable` if it cannot be
    /// opened.
    public init(path: String?, options: Options = Options()) throws(StoreError) {
        self.options = options
        if let path { file = try StoreFile(path: path) } else { file = nil }
        connection = try SQLiteConnection(path: path ?? ":memory:", isReadOnly: false)
        try HistorySchema.prepare(connection, path: path ?? "memory")
        let mode = try connection.statement("PRAGMA journal_mode = WAL")
        try mode.finish()
        // What is lost with the machine's power is a few charts' last points.
        try connection.run("PRAGMA synchronous = NORMAL")
        try connection.run("PRAGMA journal_size_limit = 16777216")
        pageByteCount = try connection.number("PRAGMA page_size")
        _ = try connection.number("PRAGMA max_page_count = \(max(1, options.maximumByteCount / pageByteCount))")
        identifiers = try HistorySchema.series(connection)
    }

    /// How large the file is without what is free in it, in bytes.
    public var byteCount: Int64 {
        get throws(StoreError) {
            let pages = try connection.number("PRAGMA page_count")
            return (pages - (try connection.number("PRAGMA freelist_count"))) * pageByteCount
        }
    }

    // MARK: - Writing

    /// Keeps rows, all in one commit, and drops what is too old or too much.
    public func append(_ rows: [HistoryRow], at moment: Timestamp) throws(StoreError) {
        do {
            try commit { () throws(StoreError) in try insert(rows) }
        } catch  where error.code == .unavailable {
            // Full: the oldest go, then it is tried once more.
            try commit { () throws(StoreError) in try shorten() }
            try commit { () throws(StoreError) in try insert(rows) }
        }
        guard prunedAt.map({ moment - $0 >= MetricHistoryFile.pruneInterval }) ?? true else { return }
        prunedAt = moment
        try commit { () throws(StoreError) in try prune(at: moment) }
        if try byteCount > options.maximumByteCount / 10 * 9 {
            try commit { () throws(StoreError) in try shorten() }
        }
    }

    private func commit(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        try connection.run("BEGIN IMMEDIATE")
        do throws(StoreError) {
            try body()
            try connection.run("COMMIT")
        } catch {
            try? connection.run("ROLLBACK")
            identifiers = (try? HistorySchema.series(connection)) ?? identifiers
            throw error
        }
    }

    private func insert(_ rows: [HistoryRow]) throws(StoreError) {
        for row in rows {
            let series = try identifier(of: row)
            let query = try connection.statement(
                "INSERT OR REPLACE INTO sample (step, bucket, series, value) VALUES (?, ?, ?, ?)")
            query.bind(0, row.step.milliseconds)
            query.bind(1, row.bucket.number)
            query.bind(2, series)
            query.bind(3, blob: HistorySchema.bytes(row.bucket))
            try query.finish()
            guard row.step == options.tiers.last?.step else { continue }
            let seen = try connection.statement("UPDATE series SET seen = ? WHERE id = ?")
            seen.bind(0, row.bucket.number * row.step.milliseconds)
            seen.bind(1, series)
            try seen.finish()
        }
    }

    private func identifier(of row: HistoryRow) throws(StoreError) -> Int64 {
        let name = row.series
        if let known = identifiers[name] { return known }
        let query = try connection.statement("INSERT INTO series (metric, labels, seen) VALUES (?, ?, ?) RETURNING id")
        defer { query.reset() }
        query.bind(0, text: name.metric)
        query.bind(1, text: HistorySchema.text(name.labels))
        query.bind(2, row.bucket.number * row.step.milliseconds)
        guard try query.step() else { throw StoreError(.damaged, "the history's file gives no id") }
        let made = query.number(0)
        // The statement ends with the row that it returns.
        _ = try query.step()
        identifiers[name] = made
        return made
    }

    private func prune(at moment: Timestamp) throws(StoreError) {
        for tier in options.tiers {
            try deleteSamples(of: tier, before: (moment.milliseconds - tier.span.milliseconds) / tier.step.milliseconds)
        }
        let oldest = moment.milliseconds - (options.tiers.last?.span.milliseconds ?? 0)
        let query = try connection.statement("DELETE FROM series WHERE seen < ?")
        query.bind(0, oldest)
        try query.finish()
        identifiers = try HistorySchema.series(connection)
    }

    /// Drops the oldest tenth of the time that each step reaches back.
    private func shorten() throws(StoreError) {
        for tier in options.tiers {
            let query = try connection.statement("SELECT min(bucket), max(bucket) FROM sample WHERE step = ?")
            defer { query.reset() }
            query.bind(0, tier.step.milliseconds)
            guard try query.step(), !query.isNull(0) else { continue }
            let (first, last) = (query.number(0), query.number(1))
            query.reset()
            try deleteSamples(of: tier, before: first + max(1, (last - first) / 10))
        }
    }

    private func deleteSamples(of tier: HistoryTier, before bucket: Int64) throws(StoreError) {
        let query = try connection.statement("DELETE FROM sample WHERE step = ? AND bucket < ?")
        query.bind(0, tier.step.milliseconds)
        query.bind(1, bucket)
        try query.finish()
    }

    // MARK: - Reading

    /// The rows that a history takes in at its start: the last ones of each step.
    public func recent(at moment: Timestamp) throws(StoreError) -> [HistoryRow] {
        let names = Dictionary(identifiers.map { ($0.value, $0.key) }) { first, _ in first }
        var rows: [HistoryRow] = []
        for tier in options.tiers {
            let query = try connection.statement(
                "SELECT bucket, series, value FROM sample WHERE step = ? AND bucket > ? ORDER BY bucket")
            defer { query.reset() }
            query.bind(0, tier.step.milliseconds)
            query.bind(1, tier.number(of: moment) - Int64(tier.recentCount))
            while try query.step() {
                guard let name = names[query.number(1)],
                    let bucket = HistorySchema.bucket(query.number(0), query.blob(2))
                else { continue }
                rows.append(HistoryRow(series: name, step: tier.step, bucket: bucket))
            }
        }
        return rows
    }

    /// The labels of a metric's series.
    public func labels(of metric: String) -> [[String: String]] {
        identifiers.keys.filter { $0.metric == metric }.map(\.labels)
    }

    /// The buckets of some series of a metric in one step, in the order of time.
    public func buckets(
        of metric: String, labels: [[String: String]], step: TimeSpan, numbers: ClosedRange<Int64>
    ) throws(StoreError) -> [(labels: [String: String], buckets: [HistoryBucket])] {
        var wanted: [Int64: Int] = [:]
        for (index, labels) in labels.enumerated() {
            if let id = identifiers[SeriesName(metric: metric, labels: labels)] { wanted[id] = index }
        }
        guard let least = wanted.keys.min(), let greatest = wanted.keys.max() else { return [] }
        var found: [[HistoryBucket]] = Array(repeating: [], count: labels.count)
        // The keys begin with the time, since that is how they come; so this looks up the series in each bucket.
        for number in try presentNumbers(step: step, numbers: numbers) {
            let query = try connection.statement(
                "SELECT series, value FROM sample WHERE step = ? AND bucket = ? AND series BETWEEN ? AND ?")
            defer { query.reset() }
            query.bind(0, step.milliseconds)
            query.bind(1, number)
            query.bind(2, least)
            query.bind(3, greatest)
            while try query.step() {
                guard let index = wanted[query.number(0)],
                    let bucket = HistorySchema.bucket(number, query.blob(1))
                else { continue }
                found[index].append(bucket)
            }
        }
        return zip(labels, found).filter { !$0.1.isEmpty }.map { (labels: $0.0, buckets: $0.1) }
    }

    /// The numbers of the step's buckets in a range that may be there.
    private func presentNumbers(step: TimeSpan, numbers: ClosedRange<Int64>) throws(StoreError) -> ClosedRange<Int64> {
        let query = try connection.statement(
            "SELECT min(bucket), max(bucket) FROM sample WHERE step = ? AND bucket BETWEEN ? AND ?")
        defer { query.reset() }
        query.bind(0, step.milliseconds)
        query.bind(1, numbers.lowerBound)
        query.bind(2, numbers.upperBound)
        guard try query.step(), !query.isNull(0) else { return numbers.lowerBound...numbers.lowerBound }
        return query.number(0)...query.number(1)
    }
}

extension MetricHistoryFile {
    /// Opens a file; a damaged or foreign one is put aside first, since charts are not worth a server that won't start.
    ///
    /// - Returns: The history, and where what could not be read is now.
    public static func openOrReplace(
        path: String, options: Options
    ) throws(StoreError) -> (file: MetricHistoryFile, aside: String?) {
        do {
            return (try MetricHistoryFile(path: path, options: options), nil)
        } catch  where error.code == .damaged {
            let aside = path + ".damaged"
            for ending in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: aside + ending)
                try? FileManager.default.moveItem(atPath: path + ending, toPath: aside + ending)
            }
            return (try MetricHistoryFile(path: path, options: options), aside)
        }
    }
}
