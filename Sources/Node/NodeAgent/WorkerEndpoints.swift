import Glibc
import NodeModel

/// Where a worker serves. Each worker has a Unix socket, through which the daemon asks how it does.
struct WorkerEndpoints: Sendable, Equatable {
    /// What the worker listens at.
    var listening: [String]
    /// What clients are told.
    var forClients: String

    /// - Parameters:
    ///   - address: Where to listen for other machines, with `tcp` and `tls`; loopback where nil.
    ///   - identity: The node's certificate, which `tls` needs.
    init(
        _ transport: TransportKind, socketPath: String, address: String? = nil, identity: TLSIdentityFiles? = nil
    ) throws {
        switch transport {
        case .sharedMemory:
            forClients = "shm://\(socketPath)"
            listening = [forClients]
        case .unix:
            forClients = "unix://\(socketPath)"
            listening = [forClients]
        case .tcp:
            let host = address ?? "127.0.0.1"
            forClients = "tcp://\(host):\(try WorkerEndpoints.unusedPort(at: host))"
            // Programs of the node itself need not go through the network.
            listening = [forClients, "shm://\(socketPath)"]
        case .tls:
            guard let identity else {
                throw AgentError(
                    .identity,
                    "The node has no certificate for tls; start it with `roost up` and --tls-certificate and --tls-key.")
            }
            let host = address ?? "127.0.0.1"
            // Read anew for each worker, since certificates are renewed. A worker whose files have another key by the
            // time it reads them refuses to listen with this pin, so that no client is told a wrong one.
            forClients = "tls://\(host):\(try WorkerEndpoints.unusedPort(at: host))#\(try identity.pin())"
            listening = [forClients, "shm://\(socketPath)"]
        }
    }

    /// A port that nobody uses now at one of the machine's addresses. Should somebody take it before the worker does,
    /// the worker says so, ends,
    /// and the request is refused with that reason.
    private static func unusedPort(at host: String) throws -> UInt16 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = try Descriptor.adopt(socket(AF_INET, type, 0), "can't make a socket")
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw AgentError(.badMessage, "'\(host)' is no IPv4 address of this machine.")
        }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let bound = bind(descriptor.number, address, length)
                return bound == 0 ? getsockname(descriptor.number, address, &length) : bound
            }
        }
        guard result == 0 else { throw AgentError.system("can't find a port at \(host)") }
        return UInt16(bigEndian: address.sin_port)
    }
}
