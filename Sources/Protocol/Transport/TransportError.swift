public import WireProtocol

/// Why a connection could not be made or does not work any more.
public enum TransportError: Error, Sendable, Equatable {
    /// The other end has gone, or this end was closed.
    case closed
    /// Nobody listens there, or the system refuses; with the error number.
    case refused(Int32)
    /// The time was over.
    case timedOut
    /// A path, a host name or a message is longer than allowed.
    case tooLong
    /// A host name that no resolver knows.
    case unknownHost
    /// Another process listens at this place.
    case addressInUse
    /// The other end's bytes break the protocol.
    case violation(WireError)
    /// The stream can't be encrypted, or the other end is not who it should be.
    case tls(TLSProblem)
    /// A system call failed; with the error number.
    case system(Int32)

    /// A phrase for messages and log lines.
    public var reason: StaticString {
        switch self {
        case .closed: "the connection is closed"
        case .refused: "the connection was refused"
        case .timedOut: "no answer in time"
        case .tooLong: "a path or a message is too long"
        case .unknownHost: "the host name is unknown"
        case .addressInUse: "another process listens there"
        case .violation: "the other end breaks the protocol"
        case .tls(let problem): problem.reason
        case .system: "a system call failed"
        }
    }

    /// The error number of ``refused(_:)`` and ``system(_:)``, 0 for others.
    public var errorNumber: Int32 {
        switch self {
        case .refused(let number), .system(let number): number
        default: 0
        }
    }
}
