public import FleetModel
import Foundation
import Synchronization

/// The audit log: lines of JSON in files that are only added to, readable by their owner alone.
///
/// A record is in the file before its request is answered. A full file is renamed to `audit-N.jsonl`, by its first
/// record's number; the chain goes on in the next one.
public final class AuditLog: Sendable {
    private struct State {
        var chain: AuditChain
        var file: Int32
        var byteCount: Int
        var firstSequence: Int64
    }

    /// Where the chain stands: noted elsewhere, it shows later that no records were cut off at the end.
    public struct Head: Sendable, Hashable, Codable {
        /// The last record's number and hash.
        public var sequence: Int64
        public var hash: String
    }

    private let folder: String
    private let byteCountMax: Int
    private let now: @Sendable () -> Timestamp
    private let state: Mutex<State>

    private var path: String { folder + "/audit.jsonl" }

    /// Opens the log of a folder and verifies its newest file. A last line that a crash cut off is taken away.
    public init(folder: String, surroundings: Surroundings, byteCountMax: Int = 64 << 20) throws {
        self.folder = folder
        self.byteCountMax = byteCountMax
        now = surroundings.now
        let path = folder + "/audit.jsonl"
        let (chain, length, first) = try AuditLog.verifyNewest(folder: folder)
        let file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw AuditLog.failure("open", path) }
        guard ftruncate(file, off_t(length)) == 0 else { throw AuditLog.failure("truncate", path) }
        state = Mutex(State(chain: chain, file: file, byteCount: length, firstSequence: first))
    }

    deinit {
        state.withLock { state in
            fsync(state.file)
            close(state.file)
        }
    }

    /// Adds a record.
    public func append(_ record: AuditRecord) throws {
        try state.withLock { state in
            var chain = state.chain
            let line = try chain.append(record, at: now()) + [UInt8(ascii: "\n")]
            do {
                try AuditLog.writeAll(line, to: state.file, path: path)
            } catch {
                // Half a line would break the chain for whoever comes next.
                ftruncate(state.file, off_t(state.byteCount))
                throw error
            }
            state.chain = chain
            state.byteCount += line.count
            if state.byteCount >= byteCountMax { try turnOver(&state) }
        }
    }

    /// The last record's number and hash.
    public var head: Head {
        state.withLock { Head(sequence: $0.chain.sequence, hash: $0.chain.head) }
    }

    /// Records after a number, in their order.
    public func records(after sequence: Int64, limit: Int) throws -> [AuditRecord] {
        var found: [AuditRecord] = []
        for path in try AuditLog.files(folder) {
            // A file's name says with which record it begins; whole files before the one asked for are passed over.
            if let next = try AuditLog.files(folder).first(where: { AuditLog.first(of: $0) > AuditLog.first(of: path) }),
                AuditLog.first(of: next) <= sequence + 1
            {
                continue
            }
            guard let bytes = FileManager.default.contents(atPath: path) else { continue }
            for line in bytes.split(separator: UInt8(ascii: "\n")) {
                guard let record = try? JSONDecoder().decode(AuditRecord.self, from: line), record.sequence > sequence
                else { continue }
                found.append(record)
                if found.count == limit { return found }
            }
        }
        return found
    }

    /// Verifies all files of a folder, from the first record to the last; where the chain stands then.
    public static func verify(folder: String) throws -> Head {
        var chain = AuditChain()
        for path in try files(folder) {
            guard let bytes = FileManager.default.contents(atPath: path) else { throw failure("read", path) }
            for line in bytes.split(separator: UInt8(ascii: "\n")) { try chain.verify(line) }
        }
        return Head(sequence: chain.sequence, hash: chain.head)
    }

    private func turnOver(_ state: inout State) throws {
        guard fsync(state.file) == 0, rename(path, "\(folder)/audit-\(state.firstSequence).jsonl") == 0 else {
            throw AuditLog.failure("rename", path)
        }
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw AuditLog.failure("open", path) }
        close(state.file)
        state.file = file
        state.byteCount = 0
        state.firstSequence = state.chain.sequence + 1
    }

    private static func verifyNewest(folder: String) throws -> (chain: AuditChain, length: Int, first: Int64) {
        let files = try files(folder)
        let path = folder + "/audit.jsonl"
        var bytes = FileManager.default.contents(atPath: path) ?? Data()
        // What follows the last line's end was being written when the machine stopped; its request was not answered.
        let length = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 - bytes.startIndex + 1 } ?? 0
        bytes = bytes.prefix(length)
        var chain = AuditChain()
        if let before = files.last(where: { $0 != path }), let last = FileManager.default.contents(atPath: before)?
            .split(separator: UInt8(ascii: "\n")).last,
            let record = try? JSONDecoder().decode(AuditRecord.self, from: last)
        {
            chain = AuditChain(sequence: record.sequence, head: record.hash ?? "")
        }
        let first = chain.sequence + 1
        for line in bytes.split(separator: UInt8(ascii: "\n")) { try chain.verify(line) }
        return (chain, length, first)
    }

    /// The files in the order of their records; the one that is written is the last.
    private static func files(_ folder: String) throws -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0 == "audit.jsonl" || ($0.hasPrefix("audit-") && $0.hasSuffix(".jsonl")) }
            .map { "\(folder)/\($0)" }.sorted { first(of: $0) < first(of: $1) }
    }

    private static func first(of path: String) -> Int64 {
        let name = path.split(separator: "/").last ?? ""
        return Int64(name.dropFirst("audit-".count).dropLast(".jsonl".count)) ?? .max
    }

    private static func writeAll(_ bytes: [UInt8], to file: Int32, path: String) throws {
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write to", path) }
            start += count
        }
    }

    private static func failure(_ what: String, _ path: String) -> ServerError {
        ServerError("can't \(what) \(path): \(String(cString: strerror(errno)))")
    }
}
