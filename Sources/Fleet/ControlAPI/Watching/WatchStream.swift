import FleetModel
import NIOCore

/// One client's watch: what of a kind's changes it chose and may see.
struct WatchStream: Sendable {
    let fan: WatchFan
    let reader: WatchReader
    let selection: ResourceSelection
    /// What is sent first.
    var head: [ByteBuffer] = []
    /// Throws once whoever watches is not known any more.
    let recheck: @Sendable () async throws -> Void

    /// Writes lines until the watch ends. The last line of one that failed is an `ERROR`.
    func run(_ write: ([ByteBuffer]) async throws -> Void) async throws {
        defer { fan.leave(reader) }
        if !head.isEmpty { try await write(head) }
        do {
            while let items = try await reader.next() {
                let buffers = try await lines(items)
                if !buffers.isEmpty { try await write(buffers) }
            }
        } catch let problem as Problem {
            try await write([WatchLine.failure(problem)])
        }
    }

    private func lines(_ items: [WatchReader.Item]) async throws -> [ByteBuffer] {
        var buffers: [ByteBuffer] = []
        for item in items {
            switch item {
            case .progress(let revision):
                // A token may have been revoked, and projects moved, since the last look.
                try await recheck()
                selection.sight.forget()
                buffers.append(WatchLine.progress(revision))
            case .line(let line):
                if let buffer = try await buffer(line) { buffers.append(buffer) }
            }
        }
        return buffers
    }

    private func buffer(_ line: WatchLine) async throws -> ByteBuffer? {
        if let project = selection.project, line.reference.project != project { return nil }
        guard let text = line.text else {
            return try await selection.sight.seesDeletion(of: line.reference) ? line.bytes : nil
        }
        guard try await selection.sight.sees(text) else { return nil }
        if try await selection.includes(text) { return line.bytes }
        // It may have had the labels before; who never knew of it has nothing to forget.
        return WatchLine(deletionOf: line.reference, revision: line.revision).bytes
    }
}
