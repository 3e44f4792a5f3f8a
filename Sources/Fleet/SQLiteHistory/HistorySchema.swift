import FleetModel
import FleetStore
import Monitoring
import SQLiteFleetStore

/// The tables of a history's file, and how values stand in them.
enum HistorySchema {
    /// Marks the file as a history of ours: "Rsth" in ASCII.
    private static let applicationID: Int64 = 0x5273_7468
    private static let version: Int64 = 1

    /// A sample's key begins with the time: rows come in that order and go in that order, so that a commit touches few
    /// pages of the file however many series there are.
    private static let tables = """
        CREATE TABLE series (
            id INTEGER PRIMARY KEY, metric TEXT NOT NULL, labels TEXT NOT NULL, seen INTEGER NOT NULL,
            UNIQUE (metric, labels)
        );
        CREATE TABLE sample (
            step INTEGER NOT NULL, bucket INTEGER NOT NULL, series INTEGER NOT NULL, value BLOB NOT NULL,
            PRIMARY KEY (step, bucket, series)
        ) WITHOUT ROWID;
        """

    static func prepare(_ connection: SQLiteConnection, path: String) throws(StoreError) {
        let application = try connection.number("PRAGMA application_id")
        let found = try connection.number("PRAGMA user_version")
        let tableCount = try connection.number("SELECT count(*) FROM sqlite_schema")
        if application == 0, found == 0, tableCount == 0 {
            try connection.run("BEGIN IMMEDIATE; \(tables) PRAGMA user_version = \(version);")
            try connection.run("PRAGMA application_id = \(applicationID); COMMIT")
            return
        }
        guard application == applicationID, found == version else {
            throw StoreError(
                .damaged, "\(path) is no history of metrics of this version (schema \(found), not \(version))")
        }
    }

    /// The ids of all series.
    static func series(_ connection: SQLiteConnection) throws(StoreError) -> [SeriesName: Int64] {
        let query = try connection.statement("SELECT id, metric, labels FROM series")
        defer { query.reset() }
        var found: [SeriesName: Int64] = [:]
        while try query.step() {
            found[SeriesName(metric: query.text(1), labels: labels(query.text(2)))] = query.number(0)
        }
        return found
    }

    // MARK: - Values

    /// Labels as pairs of lines, sorted by name. Labels of ours have no line ends; those that had would be cut there.
    static func text(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { name, value in
            "\(name)\n\(value.replacing("\n", with: " "))\n"
        }.joined()
    }

    private static func labels(_ text: String) -> [String: String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        var labels: [String: String] = [:]
        var rest = lines[...]
        while let name = rest.popFirst(), let value = rest.popFirst() { labels[String(name)] = String(value) }
        return labels
    }

    /// A bucket as 24 bytes, little-endian: least, greatest, average, last, growth as single precision, then the count.
    static func bytes(_ bucket: HistoryBucket) -> [UInt8] {
        let numbers = [bucket.minimum, bucket.maximum, bucket.average, bucket.last, bucket.growth].map(\.bitPattern)
        return (numbers + [UInt32(bitPattern: bucket.count)]).flatMap { number in
            (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * UInt32($0))) }
        }
    }

    /// Reads a bucket; nil where the bytes are none.
    static func bucket(_ number: Int64, _ bytes: [UInt8]) -> HistoryBucket? {
        guard bytes.count == 24 else { return nil }
        func word(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[index * 4 + $1]) << (8 * UInt32($1)) }
        }
        func value(_ index: Int) -> Float { Float(bitPattern: word(index)) }
        var bucket = HistoryBucket(
            number: number, minimum: value(0), maximum: value(1), average: value(2), last: value(3), growth: value(4))
        bucket.count = max(1, Int32(bitPattern: word(5)))
        return bucket
    }
}
