/// The 16 bytes before each frame's body.
public struct FrameHeader: Sendable, Equatable {
    public enum Kind: UInt16, Sendable {
        case commands = 1
        case reply = 2
        case event = 3
    }

    public static let byteCount = 16

    public var bodyByteCount: UInt32
    public var kind: Kind
    /// Commands in the body; 0 for other kinds.
    public var count: UInt16
    /// Of the first command; of the answered command for a reply.
    public var sequence: UInt64

    public init(bodyByteCount: UInt32, kind: Kind, count: UInt16, sequence: UInt64) {
        self.bodyByteCount = bodyByteCount
        self.kind = kind
        self.count = count
        self.sequence = sequence
    }

    public func encode(into writer: inout WireWriter) {
        writer.write(bodyByteCount)
        writer.write(kind.rawValue)
        writer.write(count)
        writer.write(sequence)
    }

    public init(from reader: inout WireReader) throws(WireError) {
        bodyByteCount = try reader.read()
        let rawKind: UInt16 = try reader.read()
        guard let kind = Kind(rawValue: rawKind) else { throw .badHeader }
        self.kind = kind
        count = try reader.read()
        sequence = try reader.read()
        guard Int(bodyByteCount) <= WireLimits.frameByteCountMax else { throw .oversized }
    }
}

/// The 8 bytes before each command's payload.
public struct CommandHeader: Sendable, Equatable {
    public static let byteCount = 8
    /// The lane waits for the answer; last command of its frame.
    public static let replyFlag: UInt16 = 1
    /// Raw bytes follow the frame; last command of its frame.
    public static let bulkFlag: UInt16 = 2

    public var id: UInt16
    public var flags: UInt16
    /// Bytes of the payload; the next command begins at the next multiple of 8.
    public var payloadByteCount: UInt32

    @inlinable
    public init(id: UInt16, flags: UInt16, payloadByteCount: UInt32) {
        self.id = id
        self.flags = flags
        self.payloadByteCount = payloadByteCount
    }

    @inlinable
    public func encode(into writer: inout WireWriter) {
        writer.write(id)
        writer.write(flags)
        writer.write(payloadByteCount)
    }

    @inlinable
    public init(from reader: inout WireReader) throws(WireError) {
        id = try reader.read()
        flags = try reader.read()
        payloadByteCount = try reader.read()
        guard flags & ~(CommandHeader.replyFlag | CommandHeader.bulkFlag) == 0 else { throw .badHeader }
    }
}

/// The fixed part of a reply's body.
public struct ReplyHeader: Sendable, Equatable {
    public static let byteCount = 32

    /// `CUresult` of the answered command.
    public var status: Int32
    /// First error of earlier no-reply commands of the lane's context; 0 if none.
    public var deferredStatus: Int32
    public var outputByteCount: UInt32
    public var printfByteCount: UInt32
    public var messageByteCount: UInt32
    public var flags: UInt32
    /// Raw bytes after the frame.
    public var bulkByteCount: UInt64

    public init(
        status: Int32 = 0, deferredStatus: Int32 = 0, outputByteCount: UInt32 = 0, printfByteCount: UInt32 = 0,
        messageByteCount: UInt32 = 0, bulkByteCount: UInt64 = 0
    ) {
        self.status = status
        self.deferredStatus = deferredStatus
        self.outputByteCount = outputByteCount
        self.printfByteCount = printfByteCount
        self.messageByteCount = messageByteCount
        self.flags = 0
        self.bulkByteCount = bulkByteCount
    }

    public func encode(into writer: inout WireWriter) {
        writer.write(status)
        writer.write(deferredStatus)
        writer.write(outputByteCount)
        writer.write(printfByteCount)
        writer.write(messageByteCount)
        writer.write(flags)
        writer.write(bulkByteCount)
    }

    public init(from reader: inout WireReader) throws(WireError) {
        status = try reader.read()
        deferredStatus = try reader.read()
        outputByteCount = try reader.read()
        printfByteCount = try reader.read()
        messageByteCount = try reader.read()
        flags = try reader.read()
        bulkByteCount = try reader.read()
    }
}

/// What the worker wants of the client on the events connection. Its `token` says for which command.
public enum EventKind: UInt32, Sendable {
    /// Run a host function; answered by `hostFunctionDone`.
    case call = 1
    /// Take so many bytes, which follow the frame, to host memory; answered by `hostFunctionDone`.
    case give = 2
    /// Send so many bytes of host memory; answered by `hostBytes`.
    case take = 3
}
