import Glibc
import NodeModel

/// Where a worker serves. Each worker has a Unix socket, through which the daemon asks how it does.
struct WorkerEndpoints: Sendable, Equatable {
    /// What the worker listens at.
    var listening: [String]
    /// What clients are told.
    var forClients: String

    init(_ transport: TransportKind, socketPath: String) throws {
        switch transport {
        case .sharedMemory:
            forClients = "shm://\(socketPath)"
            listening = [forClients]
        case .unix:
            forClients = "unix://\(socketPath)"
            listening = [forClients]
        case .tcp:
            forClients = "tcp://127.0.0.1:\(try WorkerEndpoints.unusedPort())"
            listening = [forClients, "unix://\(socketPath)"]
        }
    }

    /// A loopback port that nobody uses now. Should somebody take it before the worker does, the worker says so, ends,
    /// and the request is refused with that reason.
    private static func unusedPort() throws -> UInt16 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = try Descriptor.adopt(socket(AF_INET, type, 0), "can't make a socket")
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let bound = bind(descriptor.number, address, length)
                return bound == 0 ? getsockname(descriptor.number, address, &length) : bound
            }
        }
        guard result == 0 else { throw AgentError.system("can't find a port on loopback") }
        return UInt16(bigEndian: address.sin_port)
    }
}
