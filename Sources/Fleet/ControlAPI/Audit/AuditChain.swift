import FleetModel
import Foundation

/// Records whose hashes hold each other: none can be changed, left out or moved without the later ones showing it.
struct AuditChain: Sendable, Hashable {
    /// What the first record names as its predecessor's hash.
    static let origin = String(repeating: "0", count: 64)

    /// The last record's number and hash.
    private(set) var sequence: Int64
    private(set) var head: String

    /// Begins a chain, or goes on behind a record.
    init(sequence: Int64 = 0, head: String = AuditChain.origin) {
        self.sequence = sequence
        self.head = head
    }

    /// Adds a record; its line, without the line's end.
    mutating func append(_ record: AuditRecord, at moment: Timestamp) throws -> [UInt8] {
        var record = record
        record.sequence = sequence + 1
        record.at = moment
        record.previous = head
        record.hash = nil
        var line = try AuditChain.text(record)
        let hash = sha256(line)
        // The hash comes last in the line, behind the text that it is of.
        line.removeLast()
        line += Array(",\"hash\":\"\(hash)\"}".utf8)
        sequence += 1
        head = hash
        return line
    }

    /// Takes a line in; throws where it does not continue the chain.
    @discardableResult
    mutating func verify(_ line: some Collection<UInt8>) throws -> AuditRecord {
        let place = "record \(sequence + 1) of the audit log"
        guard let record = try? JSONDecoder().decode(AuditRecord.self, from: Data(line)), let hash = record.hash else {
            throw ServerError("\(place) can't be read: somebody changed it")
        }
        let end = Array(",\"hash\":\"\(hash)\"}".utf8)
        guard line.count > end.count, line.suffix(end.count).elementsEqual(end) else {
            throw ServerError("\(place) does not end with its hash: somebody changed it")
        }
        let text = Array(line.dropLast(end.count)) + Array("}".utf8)
        guard sha256(text) == hash else { throw ServerError("\(place) does not have its hash: somebody changed it") }
        guard record.sequence == sequence + 1, record.previous == head else {
            throw ServerError("\(place) does not follow the one before it: somebody took records out or put some in")
        }
        sequence = record.sequence
        head = hash
        return record
    }

    private static func text(_ record: AuditRecord) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(record))
    }
}
