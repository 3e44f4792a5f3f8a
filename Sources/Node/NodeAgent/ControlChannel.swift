import Glibc
public import NodeModel

/// A client's way to the daemon. The only seam between commands and how they reach a daemon.
public protocol ControlChannel: AnyObject, Sendable {
    /// Sends a request.
    func send(_ request: ControlRequest) throws
    /// Waits for the next message; nil where the daemon closed the connection. Called by one thread at a time.
    func receive(timeout: Duration?) throws -> ControlReply?
    /// Waits whether the daemon ends the connection. Only between requests, and without a lease.
    func isClosed(within time: Duration) throws -> Bool
    /// Ends the connection, and with it the lease that it holds.
    func close()
}

extension ControlChannel {
    /// Sends a request and waits for its answer.
    public func ask(_ request: ControlRequest, timeout: Duration = .seconds(10)) throws -> ControlReply {
        try send(request)
        guard let reply = try receive(timeout: timeout) else {
            throw AgentError(
                .connectionLost, "The daemon closed the connection; its log is daemon.log in the state directory.")
        }
        if case .failure(let message) = reply { throw AgentError(.badMessage, message) }
        return reply
    }
}

/// A control channel over the Unix socket in a state directory.
public final class SocketControlChannel: ControlChannel {
    private let socket: LineSocket

    private init(_ socket: LineSocket) {
        self.socket = socket
    }

    /// Connects to the daemon of a state directory.
    ///
    /// - Throws: ``AgentError`` with `notRunning` where there is none.
    public static func connect(_ directory: StateDirectory) throws -> SocketControlChannel {
        try directory.check()
        guard let socket = try LineSocket.connect(path: directory.controlSocket) else {
            throw AgentError(
                .notRunning, "No daemon runs at \(directory.path). Start one with `roost up`.")
        }
        guard let peer = socket.peer, peer.userID == geteuid() || peer.userID == 0 else {
            throw AgentError(.stateDirectory, "The daemon at \(directory.path) is another user's.")
        }
        return SocketControlChannel(socket)
    }

    public func send(_ request: ControlRequest) throws {
        try socket.writeMessage(request)
    }

    public func receive(timeout: Duration?) throws -> ControlReply? {
        try socket.readMessage(ControlReply.self, until: timeout.map { ContinuousClock.now + $0 })
    }

    public func isClosed(within time: Duration) throws -> Bool {
        try socket.hasInput(until: ContinuousClock.now + time)
    }

    public func close() {
        socket.close()
    }
}
