import CPosix
import Glibc
public import Logging
import NodeModel
import Synchronization

/// Answers clients at the control socket: a thread that accepts, and one for each connection.
public final class ControlServer: Sendable {
    /// The most clients at one time.
    private static let connectionCountMax = 512

    private let agent: NodeAgent
    private let log: Logger
    private let listener: Descriptor
    private let connectionCount = Atomic<Int>(0)

    /// Listens at the state directory's control socket.
    public init(_ directory: StateDirectory, agent: NodeAgent, log: Logger) throws {
        self.agent = agent
        self.log = log
        listener = try LineSocket.listen(path: directory.controlSocket)
    }

    /// Accepts clients until ``stop()``.
    public func start() {
        startThread(named: "control") { [self] in
            while let socket = accept() {
                guard connectionCount.add(1, ordering: .relaxed).newValue <= ControlServer.connectionCountMax else {
                    connectionCount.subtract(1, ordering: .relaxed)
                    socket.close()
                    continue
                }
                startThread(named: "client") { [self] in
                    ControlConnection(socket, agent: agent, log: log).serve()
                    connectionCount.subtract(1, ordering: .relaxed)
                }
            }
        }
    }

    /// Stops accepting.
    public func stop() {
        shutdown(listener.number, Int32(SHUT_RDWR))
    }

    /// Waits for the next client; nil after ``stop()``.
    private func accept() -> LineSocket? {
        while true {
            let result = posix_accept(listener.number)
            if result >= 0 { return LineSocket(Descriptor(owning: result)) }
            switch -result {
            case EINVAL, EBADF: return nil
            case EMFILE, ENFILE, ENOMEM, ENOBUFS:
                log.warning("no room for another client")
                // Accepting again at once would fail at once; a little later somebody may have gone.
                poll(nil, 0, 100)
            default: continue
            }
        }
    }
}

/// One client's connection. While it holds a lease, its end gives the vGPUs back.
private final class ControlConnection: LeaseObserver {
    private let socket: LineSocket
    private let agent: NodeAgent
    private let log: Logger

    init(_ socket: LineSocket, agent: NodeAgent, log: Logger) {
        self.socket = socket
        self.agent = agent
        self.log = log
    }

    /// Answers requests until the client closes the connection or breaks the protocol.
    func serve() {
        // The folder's permissions say the same; this also holds where somebody loosened them.
        guard let peer = socket.peer, peer.userID == geteuid() || peer.userID == 0 else { return socket.close() }
        var lease: LeaseID?
        do {
            while let request = try socket.readMessage(ControlRequest.self) {
                switch request {
                case .acquire(var request):
                    // Only a control plane may say where, since it keeps count.
                    request.devices = nil
                    request.address = nil
                    guard lease == nil else {
                        deliver(.failure(message: "This connection holds vGPUs already."))
                        continue
                    }
                    lease = agent.acquire(request, clientProcessID: peer.processID, observer: self)
                case .release:
                    if let lease { agent.release(lease) }
                    lease = nil
                    deliver(.released)
                case .describe: deliver(.daemon(agent.describe()))
                case .report: deliver(.report(agent.report()))
                case .shutDown(let onlyIfIdle): shutDown(onlyIfIdle: onlyIfIdle)
                case .membershipChanged:
                    agent.membershipChanged()
                    deliver(.noted)
                }
            }
        } catch {
            log.warning("control connection broke", metadata: [LogKey.reason: "\(error)"])
            deliver(.failure(message: (error as? AgentError)?.message ?? "The request could not be read."))
        }
        socket.close()
        if let lease { agent.release(lease) }
    }

    private func shutDown(onlyIfIdle: Bool) {
        let held = agent.heldVirtualGPUs()
        guard held.isEmpty || !onlyIfIdle else { return deliver(.busy(held)) }
        deliver(.shuttingDown(ending: held))
        agent.shutDown()
    }

    func deliver(_ reply: ControlReply) {
        do {
            try socket.writeMessage(reply)
        } catch {
            // Ends the reading thread, which then gives the lease back.
            socket.close()
        }
    }
}
