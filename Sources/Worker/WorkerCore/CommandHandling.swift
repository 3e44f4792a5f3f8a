// What the generated `CommandHandler` and `CommandDispatch` stand on. The generator emits, for each command X:
//
//     case X.id:                                                   // async
//         let command = try context.decode(X.self, from: payload)
//         do throws(CommandError) { try handler.x(command) } catch { context.fail(error) }
//
//     case X.id:                                                   // sync
//         let command = try context.decode(X.self, from: payload)
//         var reply = X.Reply()
//         do throws(CommandError) { try handler.x(command, &reply) } catch { context.fail(error) }
//         context.finish(reply)
//
// with the arguments `context.bulk(command.bulkByteCount)` for a bulk command and `context.sink` for a bulk reply
// after the others, and `default: throw context.unknownCommand`.
public import WireProtocol

/// Why a command failed: a `CUresult` and, where it helps the user, a sentence for the client's log.
public struct CommandError: Error, Equatable {
    /// `CUresult`; never 0.
    public var status: Int32
    /// UTF-8 for the client's log or a JIT log buffer; empty if the status says it all.
    public var message: String

    public init(_ status: Int32, _ message: String = "") {
        self.status = status
        self.message = message
    }
}

/// A command that the wire does not allow; fatal for its connection.
public struct DispatchError: Error, Equatable {
    public var commandID: UInt16
    public var reason: WireError

    public init(commandID: UInt16, reason: WireError) {
        self.commandID = commandID
        self.reason = reason
    }
}

/// The raw bytes after a bulk command. What the handler leaves, the lane reads and drops.
public final class BulkSource {
    /// Fills the whole buffer from the connection; false when the connection ended.
    public typealias Receive = (UnsafeMutableRawBufferPointer) -> Bool

    private let receive: Receive
    /// Bytes that the handler has not read yet.
    public private(set) var remainingByteCount: UInt64 = 0
    /// Whether the connection ended within the bulk bytes.
    public private(set) var isBroken = false

    public init(receive: @escaping Receive) {
        self.receive = receive
    }

    /// Begins the bulk bytes of a command.
    func begin(byteCount: UInt64) { remainingByteCount = byteCount }

    /// Fills `buffer`, which must not be longer than what remains. The lane's thread blocks on the connection.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(CommandError) {
        guard !isBroken, UInt64(buffer.count) <= remainingByteCount else { throw BulkSource.lost }
        guard buffer.count > 0 else { return }
        guard receive(buffer) else {
            isBroken = true
            throw BulkSource.lost
        }
        remainingByteCount -= UInt64(buffer.count)
    }

    /// The client went away within its bytes: `CUDA_ERROR_INVALID_VALUE`, which nobody will read.
    static let lost = CommandError(1, "the connection ended within a transfer")
}

/// The raw bytes after a reply. The handler promises how many there are, then sends them; before the first of them
/// the reply itself leaves, so a handler must not fail after it began.
public final class BulkSink {
    /// Sends the reply's frame, which announces so many bytes; false when the connection ended.
    public typealias Begin = (_ byteCount: UInt64) -> Bool
    /// Sends bytes; false when the connection ended.
    public typealias Send = (UnsafeRawBufferPointer) -> Bool

    private let begin: Begin
    private let write: Send
    /// Bytes that the reply announces.
    public private(set) var byteCount: UInt64 = 0
    private var remainingByteCount: UInt64 = 0
    /// Whether the reply has left.
    public private(set) var hasBegun = false
    private var isConnected = true

    public init(begin: @escaping Begin, write: @escaping Send) {
        self.begin = begin
        self.write = write
    }

    func reset() {
        byteCount = 0
        remainingByteCount = 0
        hasBegun = false
        isConnected = true
    }

    /// Promises so many bytes. Called once, before ``send(_:)``.
    public func promise(_ byteCount: UInt64) {
        self.byteCount = byteCount
        remainingByteCount = byteCount
    }

    /// Sends the next bytes, blocking on the connection; false when it ended or when there are more than promised.
    public func send(_ piece: UnsafeRawBufferPointer) -> Bool {
        guard isConnected, UInt64(piece.count) <= remainingByteCount else { return false }
        if !hasBegun {
            hasBegun = true
            isConnected = begin(byteCount)
        }
        guard isConnected else { return false }
        remainingByteCount -= UInt64(piece.count)
        isConnected = write(piece)
        return isConnected
    }

    /// Sends zeros for what the handler promised and did not send; false when the connection ended. The reply has left.
    func finish() -> Bool {
        hasBegun = true
        let zeros = [UInt8](repeating: 0, count: 4096)
        while isConnected, remainingByteCount > 0 {
            let count = Int(min(remainingByteCount, 4096))
            _ = zeros.withUnsafeBytes { send(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        return isConnected
    }
}

/// What one lane's dispatcher needs beside the payload; the lane resets it before each command.
public final class DispatchContext {
    private let source: BulkSource
    public let sink: BulkSink
    /// Of the command that is dispatched now.
    private var header = CommandHeader(id: 0, flags: 0, payloadByteCount: 0)
    /// Why the command failed; nil if it did not.
    public private(set) var failure: CommandError?
    /// The encoded outputs.
    public private(set) var output: [UInt8] = []
    /// Whether a handler of a command that answers ran to its end, successful or not.
    public private(set) var hasReply = false

    public init(source: BulkSource, sink: BulkSink) {
        self.source = source
        self.sink = sink
    }

    /// Begins a command.
    public func begin(_ header: CommandHeader) {
        self.header = header
        failure = nil
        output.removeAll(keepingCapacity: true)
        hasReply = false
        source.begin(byteCount: 0)
        sink.reset()
    }

    /// For ids that no command has.
    public var unknownCommand: DispatchError { DispatchError(commandID: header.id, reason: .unknownCommand) }

    /// Decodes the payload of a command whose caller goes on; its flags must fit.
    public func decode<Command: AsyncCommand>(
        _ type: Command.Type, from payload: UnsafeRawBufferPointer
    ) throws(DispatchError) -> Command {
        try decode(type, from: payload, flags: Command.isBulk ? CommandHeader.bulkFlag : 0)
    }

    /// Decodes the payload of a command whose caller waits; its flags must fit.
    public func decode<Command: SyncCommand>(
        _ type: Command.Type, from payload: UnsafeRawBufferPointer
    ) throws(DispatchError) -> Command {
        let bulk = Command.isBulk ? CommandHeader.bulkFlag : 0
        return try decode(type, from: payload, flags: CommandHeader.replyFlag | bulk)
    }

    private func decode<Command: WireCommand>(
        _: Command.Type, from payload: UnsafeRawBufferPointer, flags: UInt16
    ) throws(DispatchError) -> Command {
        do throws(WireError) {
            guard header.flags == flags else { throw .badHeader }
            var reader = WireReader(payload)
            let command = try Command(from: &reader)
            try reader.finish()
            return command
        } catch {
            throw DispatchError(commandID: header.id, reason: error)
        }
    }

    /// The bytes after the command that is dispatched now.
    public func bulk(_ byteCount: UInt64) throws(DispatchError) -> BulkSource {
        guard byteCount <= WireLimits.bulkByteCountMax else {
            throw DispatchError(commandID: header.id, reason: .oversized)
        }
        source.begin(byteCount: byteCount)
        return source
    }

    /// Remembers why the command failed.
    public func fail(_ error: CommandError) { failure = error }

    /// Encodes the outputs of a command that answers; a failed one has none.
    public func finish<Reply: WireReply>(_ reply: Reply) {
        hasReply = true
        guard failure == nil else { return }
        let byteCount = reply.encodedByteCount
        guard byteCount > 0 else { return }
        output.append(contentsOf: repeatElement(0, count: byteCount))
        output.withUnsafeMutableBytes { bytes in
            var writer = WireWriter(into: bytes)
            reply.encode(into: &writer)
        }
    }
}
