/// A violation of the wire format. It is fatal for the connection on which it happened.
public enum WireError: UInt8, Error, Sendable {
    /// A field or a string of bytes reaches beyond the end of its payload.
    case truncated
    /// A length exceeds its limit in ``WireLimits``.
    case oversized
    /// A frame or a handshake does not begin as it must.
    case badHeader
    /// A command id that the description does not know, or one that this role may not send.
    case unknownCommand
    /// Payload bytes remain after the last field.
    case trailingBytes
    /// A value that its type does not have.
    case badValue

    /// A word for log lines.
    public var reason: StaticString {
        switch self {
        case .truncated: "truncated"
        case .oversized: "oversized"
        case .badHeader: "bad header"
        case .unknownCommand: "unknown command"
        case .trailingBytes: "trailing bytes"
        case .badValue: "bad value"
        }
    }
}
