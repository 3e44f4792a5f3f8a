import CPosix

/// Where clients arrive at a worker.
public final class Listener: Sendable {
    private let descriptor: Int32
    private let isLocal: Bool
    private let identity: TLSIdentity?

    /// The place, with the real port when port 0 was asked for, and with the pin of the identity for TLS.
    public let endpoint: Endpoint

    /// Listens. A Unix-domain socket is for this user only; one that a dead worker left behind is replaced.
    /// - Parameter identity: What clients that come with TLS are shown; an endpoint with a pin wants just that one.
    public init(
        _ endpoint: Endpoint, identity: TLSIdentity? = nil, backlog: Int32 = 128
    ) throws(TransportError) {
        var actual = endpoint
        var descriptor: Int32
        switch endpoint {
        case .unix(let path), .sharedMemory(let path):
            guard path.count <= Endpoint.pathByteCountMax else { throw .tooLong }
            descriptor = path.withTerminator { posix_unix_listen($0, backlog) }
            if descriptor == -EADDRINUSE {
                try Listener.removeStale(path)
                descriptor = path.withTerminator { posix_unix_listen($0, backlog) }
            }
        case .tcp(let host, let port):
            descriptor = host.withTerminator { posix_tcp_listen($0, port, backlog) }
            if descriptor == -ENOENT { throw .unknownHost }
            if descriptor >= 0, let bound = UInt16(exactly: posix_socket_port(descriptor)) {
                actual = .tcp(host: host, port: bound)
            }
        case .tls(let host, let port, let pin):
            guard let identity else { throw .tls(.identityMissing) }
            if let pin, pin != identity.pin { throw .tls(.identityDiffers) }
            descriptor = host.withTerminator { posix_tcp_listen($0, port, backlog) }
            if descriptor == -ENOENT { throw .unknownHost }
            if descriptor >= 0, let bound = UInt16(exactly: posix_socket_port(descriptor)) {
                actual = .tls(host: host, port: bound, pin: identity.pin)
            }
        }
        guard descriptor >= 0 else {
            switch -descriptor {
            case EADDRINUSE: throw .addressInUse
            case ENAMETOOLONG: throw .tooLong
            default: throw .system(-descriptor)
            }
        }
        self.descriptor = descriptor
        self.endpoint = actual
        isLocal = endpoint.isLocal
        if case .tls = endpoint { self.identity = identity } else { self.identity = nil }
    }

    deinit { _ = posix_close(descriptor) }

    /// Waits for the next client, of whom nothing has been read yet. Throws `closed` once the listener was closed.
    public func accept() throws(TransportError) -> Connection {
        let accepted = posix_accept(descriptor)
        guard accepted >= 0 else {
            // A socket that was shut down refuses to accept as one that never listened.
            throw accepted == -EINVAL ? .closed : .system(-accepted)
        }
        if !isLocal { posix_tcp_tune(accepted) }
        let connection = Connection(descriptor: accepted, isLocal: isLocal)
        if let identity { connection.tls = try identity.stream(over: accepted) }
        return connection
    }

    /// Stops listening: a blocked ``accept()`` throws, and the socket's file goes away.
    public func close() {
        if let path = endpoint.path { _ = path.withTerminator { posix_unlink($0) } }
        _ = posix_shutdown(descriptor)
    }

    private static func removeStale(_ path: [UInt8]) throws(TransportError) {
        let probe = path.withTerminator { posix_unix_connect($0, 200) }
        if probe >= 0 {
            _ = posix_close(probe)
            throw .addressInUse
        }
        // Connecting to an ordinary file is refused too; only a socket may be removed.
        guard probe == -ECONNREFUSED, path.withTerminator({ posix_is_socket_file($0) }) else { throw .addressInUse }
        _ = path.withTerminator { posix_unlink($0) }
    }
}
