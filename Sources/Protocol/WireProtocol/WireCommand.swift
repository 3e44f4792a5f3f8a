/// One command of the stream from client to worker. The generator writes one structure for each.
public protocol WireCommand {
    /// The command's stable number.
    static var id: UInt16 { get }
    /// Whether raw bytes follow the frame.
    static var isBulk: Bool { get }
    /// Bytes of the payload, without padding.
    var encodedByteCount: Int { get }
    /// Appends the payload.
    func encode(into writer: inout WireWriter)
    /// Reads a payload; `bytes` fields point into the reader's memory.
    init(from reader: inout WireReader) throws(WireError)
}

extension WireCommand {
    @inlinable public static var isBulk: Bool { false }
}

/// A command whose caller goes on at once.
public protocol AsyncCommand: WireCommand {}

/// A command whose caller waits for the answer.
public protocol SyncCommand: WireCommand {
    associatedtype Reply: WireReply
}

/// The outputs of a command that waits.
public protocol WireReply {
    /// All outputs zero or empty.
    init()
    var encodedByteCount: Int { get }
    func encode(into writer: inout WireWriter)
    init(from reader: inout WireReader) throws(WireError)
}

/// The reply of a command without outputs.
public struct EmptyReply: WireReply, Sendable {
    @inlinable public init() {}
    @inlinable public var encodedByteCount: Int { 0 }
    @inlinable public func encode(into writer: inout WireWriter) {}
    @inlinable public init(from reader: inout WireReader) throws(WireError) {}
}
