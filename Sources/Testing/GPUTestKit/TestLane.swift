public import Transport
public import WireProtocol

/// What a worker answered.
public struct TestReply<Output: WireReply> {
    public var status: Int32
    public var deferredStatus: Int32
    public var printf: [UInt8]
    public var message: String
    public var output: Output
    public var bulk: [UInt8]
}

/// What the test did not expect of a worker.
public struct TestLaneError: Error {
    public var reason: String
}

/// A client's end of a connection that encodes each frame by hand.
public final class TestLane {
    public let connection: Connection
    public let session: SessionID
    /// Keeps the worker alive for as long as the lane.
    let fixture: WorkerFixture?
    /// The number of the next command.
    public private(set) var nextSequence: UInt64 = 1

    public init(connection: Connection, session: SessionID, fixture: WorkerFixture? = nil) {
        self.fixture = fixture
        self.connection = connection
        self.session = session
    }

    deinit {
        connection.close()
    }

    // MARK: - Greeting

    /// Greets as a well-meaning client.
    public func greet(role: ConnectionRole, index: UInt32 = 0) throws {
        let welcome = try exchange(
            Hello(
                descriptionHash: DescriptionHash.value, role: role, flags: 0, session: session, laneIndex: index,
                processID: 17))
        guard welcome.status == .accepted else { throw TestLaneError(reason: "refused: \(welcome.message)") }
    }

    /// Sends a greeting and reads the answer.
    public func exchange(_ hello: Hello) throws -> (status: Welcome.Status, message: String) {
        let bytes = encoded(byteCountMax: Hello.byteCountMax + 4096) { hello.encode(into: &$0) }
        var length: [UInt8] = []
        length.appendInteger(UInt32(bytes.count))
        try write(length + bytes)
        let count = try read(4).withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        let answer = try read(Int(count))
        return try answer.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let welcome = try Welcome(from: &reader)
            return (welcome.status, String(decoding: welcome.message, as: UTF8.self))
        }
    }

    // MARK: - Commands

    /// Sends one command in a frame of its own; the caller goes on.
    public func send<Command: AsyncCommand>(_ command: Command, bulk: [UInt8] = []) throws {
        try write(frame(of: command, flags: Command.isBulk ? CommandHeader.bulkFlag : 0) + bulk)
    }

    /// Sends one command in a frame of its own and waits for the answer.
    public func call<Command: SyncCommand>(_ command: Command, bulk: [UInt8] = []) throws -> TestReply<Command.Reply> {
        let sequence = nextSequence
        let flags = CommandHeader.replyFlag | (Command.isBulk ? CommandHeader.bulkFlag : 0)
        try write(frame(of: command, flags: flags) + bulk)
        return try readReply(sequence)
    }

    /// The bytes of a frame with one command, numbered as the lane's next.
    public func frame<Command: WireCommand>(of command: Command, flags: UInt16) -> [UInt8] {
        let payload = encoded(byteCountMax: command.encodedByteCount) { command.encode(into: &$0) }
        let padded = (payload.count + 7) & ~7
        let body = CommandHeader.byteCount + padded
        let head = encoded(byteCountMax: FrameHeader.byteCount + CommandHeader.byteCount) { writer in
            FrameHeader(bodyByteCount: UInt32(body), kind: .commands, count: 1, sequence: nextSequence)
                .encode(into: &writer)
            CommandHeader(id: Command.id, flags: flags, payloadByteCount: UInt32(payload.count)).encode(into: &writer)
        }
        nextSequence += 1
        return head + payload + [UInt8](repeating: 0, count: padded - payload.count)
    }

    /// Reads the next reply, which must answer the command with this number.
    public func readReply<Output: WireReply>(_ sequence: UInt64) throws -> TestReply<Output> {
        let frame = try read(FrameHeader.byteCount).withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            return try FrameHeader(from: &reader)
        }
        guard frame.kind == .reply, frame.sequence == sequence else {
            throw TestLaneError(reason: "a frame of kind \(frame.kind) for command \(frame.sequence), not \(sequence)")
        }
        let body = try read(Int(frame.bodyByteCount))
        var reply = try body.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let header = try ReplyHeader(from: &reader)
            let printf = try reader.readUnprefixed(Int(header.printfByteCount))
            let message = try reader.readUnprefixed(Int(header.messageByteCount))
            let outputBytes = try reader.readUnprefixed(Int(header.outputByteCount))
            var output = Output()
            if header.status == 0 {
                var outputReader = WireReader(outputBytes)
                output = try Output(from: &outputReader)
            }
            return (
                TestReply(
                    status: header.status, deferredStatus: header.deferredStatus, printf: [UInt8](printf),
                    message: String(decoding: message, as: UTF8.self), output: output, bulk: []),
                header.bulkByteCount
            )
        }
        reply.0.bulk = try read(Int(reply.1))
        return reply.0
    }

    /// Reads one event's token.
    public func readEvent() throws -> UInt64 {
        let bytes = try read(FrameHeader.byteCount + 16)
        return try bytes.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            let frame = try FrameHeader(from: &reader)
            guard frame.kind == .event, try reader.read(UInt32.self) == 1 else {
                throw TestLaneError(reason: "not the event of a host function")
            }
            _ = try reader.read(UInt32.self)
            return try reader.read(UInt64.self)
        }
    }

    // MARK: - Bytes

    public func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try connection.write($0) }
    }

    public func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { try connection.read(exactly: $0) }
        return bytes
    }

    /// Whether the worker closes the connection without sending more.
    public func isClosedByWorker() -> Bool {
        do {
            _ = try read(1)
            return false
        } catch {
            return true
        }
    }

    private func encoded(byteCountMax: Int, _ encode: (inout WireWriter) -> Void) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCountMax)
        let count = bytes.withUnsafeMutableBytes { buffer in
            var writer = WireWriter(into: buffer)
            encode(&writer)
            return writer.byteCount
        }
        return [UInt8](bytes.prefix(count))
    }
}
