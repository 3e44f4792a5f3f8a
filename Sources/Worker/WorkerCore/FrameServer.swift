import Transport
import WireProtocol

/// Why a connection's thread stops.
enum LaneEnd: Error, Equatable {
    /// The other end has gone, or the worker closed the connection.
    case closed
    /// The bytes break the protocol; the command is 0 when it happened outside of one.
    case violation(WireError, commandID: UInt16)
    /// Another lane did not come to the command that this one waits for.
    case laneWaitTimeout
}

/// What a connection's commands do.
protocol CommandExecutor {
    /// Executes one command. `payload` stays valid until this returns.
    mutating func execute(_ header: CommandHeader, payload: UnsafeRawBufferPointer, sequence: UInt64) throws(LaneEnd)
}

/// Reads a connection's frames and has their commands executed, one after the other.
///
/// Each frame is copied out of the connection before it is decoded, so that nobody can change it in between.
final class FrameServer<Executor: CommandExecutor> {
    private let connection: Connection
    private var executor: Executor
    private var frame: UnsafeMutableRawBufferPointer
    private var nextSequence: UInt64 = 1

    private static var initialByteCount: Int { 64 << 10 }

    init(connection: Connection, executor: Executor) {
        self.connection = connection
        self.executor = executor
        frame = .allocate(byteCount: Self.initialByteCount, alignment: 16)
    }

    deinit {
        frame.deallocate()
    }

    /// Serves frames until the connection ends; answers why.
    func run() -> LaneEnd {
        do throws(LaneEnd) {
            while true { try serveFrame() }
        } catch {
            return error
        }
    }

    private func serveFrame() throws(LaneEnd) {
        let header = try readHeader()
        let byteCount = Int(header.bodyByteCount)
        if byteCount > frame.count {
            frame.deallocate()
            frame = .allocate(byteCount: min(byteCount * 2, WireLimits.frameByteCountMax), alignment: 16)
        }
        let body = UnsafeMutableRawBufferPointer(rebasing: frame[..<byteCount])
        guard connection.receive(body) else { throw .closed }
        try execute(UnsafeRawBufferPointer(body), header)
    }

    private func readHeader() throws(LaneEnd) -> FrameHeader {
        let target = UnsafeMutableRawBufferPointer(rebasing: frame[..<FrameHeader.byteCount])
        guard connection.receive(target) else { throw .closed }
        let header: FrameHeader
        do throws(WireError) {
            var reader = WireReader(UnsafeRawBufferPointer(target))
            header = try FrameHeader(from: &reader)
        } catch {
            throw .violation(error, commandID: 0)
        }
        guard header.kind == .commands, header.count > 0, header.sequence == nextSequence else {
            throw .violation(.badHeader, commandID: 0)
        }
        return header
    }

    private func execute(_ body: UnsafeRawBufferPointer, _ frameHeader: FrameHeader) throws(LaneEnd) {
        var reader = WireReader(body)
        for index in 0..<frameHeader.count {
            let header: CommandHeader
            let payload: UnsafeRawBufferPointer
            do throws(WireError) {
                header = try CommandHeader(from: &reader)
                payload = try reader.readUnprefixed(Int(header.payloadByteCount))
                let padding = -Int(header.payloadByteCount) & 7
                // The last command's padding may be missing.
                _ = try reader.readUnprefixed(min(padding, reader.remainingByteCount))
            } catch {
                throw .violation(error, commandID: 0)
            }
            guard header.flags == 0 || index + 1 == frameHeader.count else {
                throw .violation(.badHeader, commandID: header.id)
            }
            try executor.execute(header, payload: payload, sequence: nextSequence)
            nextSequence &+= 1
        }
        guard reader.remainingByteCount == 0 else { throw .violation(.trailingBytes, commandID: 0) }
    }
}
