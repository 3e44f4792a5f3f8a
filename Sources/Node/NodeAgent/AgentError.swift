import Glibc

/// Why something on this node did not work: a sentence with the next step.
public struct AgentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of thing went wrong.
    public enum Code: Sendable, Equatable {
        /// The state directory can't be used.
        case stateDirectory
        /// A daemon serves at this state directory already.
        case alreadyRunning
        /// No daemon serves at this state directory.
        case notRunning
        /// The other side of a control connection is gone or silent.
        case connectionLost
        /// The other side of a control connection sent something else than was expected.
        case badMessage
        /// A part of Roost is not where it should be.
        case incompleteInstallation
        /// The node's certificate is missing or can't be used.
        case identity
        /// A call of the operating system failed.
        case system
    }

    /// What kind of thing went wrong.
    public let code: Code
    /// What went wrong and what to do, for people.
    public let message: String

    /// Makes an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Makes an error out of `errno`, which must not have been overwritten since the call failed.
    static func system(_ action: String) -> AgentError {
        AgentError(.system, "\(action): \(String(cString: strerror(errno)))")
    }

    /// The message.
    public var description: String { message }
}
