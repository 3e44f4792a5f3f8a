internal import CPosix
internal import Primitives
internal import Transport
internal import WireProtocol

/// The connection on which a worker asks the client to run host functions, and the thread that runs them in order.
// SAFETY: the connection is read by one thread only, which also is its only writer; `nextSequence` belongs to that
// thread.
public final class EventsLink: @unchecked Sendable {
    private let worker: Worker
    private let connection: Connection
    private let run: @Sendable (UInt64) -> Void
    private var nextSequence: UInt64 = 1

    private init(worker: Worker, connection: Connection, run: @escaping @Sendable (UInt64) -> Void) {
        self.worker = worker
        self.connection = connection
        self.run = run
    }

    /// Connects and starts the thread. `run` gets the tokens of the worker's requests, in order, on that thread.
    public static func start(worker: Worker, run: @escaping @Sendable (UInt64) -> Void) -> EventsLink? {
        guard let connection = worker.connect(role: .events, laneIndex: 0) else { return nil }
        let link = EventsLink(worker: worker, connection: connection, run: run)
        guard OSThread.start("roost-events", { link.serve() }) != nil else { return nil }
        return link
    }

    private func serve() {
        ThreadState.mine?.pointee.runsHostFunctions = true
        let byteCount = FrameHeader.byteCount &+ 16
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount &+ 8, alignment: 8)
        defer { buffer.deallocate() }
        while true {
            let frame = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<byteCount])
            do throws(TransportError) { try connection.read(exactly: frame) } catch { return }
            guard let token = token(in: UnsafeRawBufferPointer(frame)) else {
                worker.markLost("it sent an event that this client does not understand")
                connection.close()
                return
            }
            run(token)
            guard answer(token, buffer) else { return }
        }
    }

    private func token(in frame: UnsafeRawBufferPointer) -> UInt64? {
        var reader = WireReader(frame)
        do throws(WireError) {
            let header = try FrameHeader(from: &reader)
            guard header.kind == .event, header.bodyByteCount == 16 else { return nil }
            _ = try reader.read(UInt32.self)
            _ = try reader.read(UInt32.self)
            return try reader.read(UInt64.self)
        } catch {
            return nil
        }
    }

    private func answer(_ token: UInt64, _ buffer: UnsafeMutableRawBufferPointer) -> Bool {
        let command = HostFunctionDone(token: token)
        var writer = WireWriter(into: buffer)
        FrameHeader(
            bodyByteCount: UInt32(truncatingIfNeeded: CommandHeader.byteCount &+ command.encodedByteCount),
            kind: .commands, count: 1, sequence: nextSequence
        ).encode(into: &writer)
        CommandHeader(
            id: HostFunctionDone.id, flags: 0, payloadByteCount: UInt32(truncatingIfNeeded: command.encodedByteCount)
        ).encode(into: &writer)
        command.encode(into: &writer)
        nextSequence &+= 1
        do throws(TransportError) {
            try connection.write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[0..<writer.byteCount]))
            return true
        } catch {
            return false
        }
    }
}
