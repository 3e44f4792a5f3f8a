import CPosix
public import WireProtocol

/// A worker's answer to a greeting, and the connection if it accepted.
public struct Greeting: Sendable {
    /// Closed unless ``status`` is `accepted`.
    public let connection: Connection
    public let status: Welcome.Status
    /// What is wrong, UTF-8; empty when accepted.
    public let message: [UInt8]
}

extension Connection {
    /// Connects to a worker, greets it and waits for its answer.
    /// - Parameters:
    ///   - hello: The flag for shared memory is set here, by the kind of endpoint.
    ///   - timeoutMilliseconds: For each of connecting, agreeing on keys, and greeting.
    public static func connect(
        to endpoint: Endpoint, hello: Hello, timeoutMilliseconds: Int32 = 10_000
    ) throws(TransportError) -> Greeting {
        let connection = try open(endpoint, timeoutMilliseconds: timeoutMilliseconds)
        var hello = hello
        if case .sharedMemory = endpoint { hello.flags |= Hello.sharedMemoryFlag }
        do throws(TransportError) {
            return try connection.greet(hello, deadline: Deadline(milliseconds: timeoutMilliseconds))
        } catch {
            connection.close()
            throw error
        }
    }

    /// Connects without a greeting.
    static func open(_ endpoint: Endpoint, timeoutMilliseconds: Int32) throws(TransportError) -> Connection {
        let descriptor: Int32
        switch endpoint {
        case .unix(let path), .sharedMemory(let path):
            descriptor = path.withTerminator { posix_unix_connect($0, timeoutMilliseconds) }
        case .tcp(let host, let port):
            descriptor = host.withTerminator { posix_tcp_connect($0, port, timeoutMilliseconds) }
        case .tls(let host, let port, _):
            descriptor = host.withTerminator { posix_tcp_connect($0, port, timeoutMilliseconds) }
        }
        if descriptor == -ENOENT, !endpoint.isLocal { throw .unknownHost }
        guard descriptor >= 0 else {
            switch -descriptor {
            case ETIMEDOUT: throw .timedOut
            case ENAMETOOLONG: throw .tooLong
            default: throw .refused(-descriptor)
            }
        }
        let connection = Connection(descriptor: descriptor, isLocal: endpoint.isLocal)
        if case .tls(let host, _, let pin) = endpoint {
            // A connection that throws here closes itself as its last reference goes.
            let tls = try TLSStream(over: descriptor, host: host, pin: pin)
            connection.tls = tls
            try tls.handshake(Deadline(milliseconds: timeoutMilliseconds))
        }
        return connection
    }

    private func greet(_ hello: Hello, deadline: Deadline) throws(TransportError) -> Greeting {
        try sendHello(hello)
        let answer = try readMessage(atMost: Welcome.byteCountMax, deadline)
        let welcome: Answer
        do throws(WireError) {
            welcome = try answer.withBytes(Answer.init)
        } catch {
            throw .violation(error)
        }
        guard welcome.status == .accepted else {
            close()
            return Greeting(connection: self, status: welcome.status, message: welcome.message)
        }
        if welcome.ringByteCount > 0 {
            guard hello.flags & Hello.sharedMemoryFlag != 0 else { throw .violation(.badValue) }
            rings = try receiveRings(ringByteCount: Int(welcome.ringByteCount), deadline)
        } else {
            isReadAheadEnabled = true
        }
        return Greeting(connection: self, status: .accepted, message: [])
    }

    private func sendHello(_ hello: Hello) throws(TransportError) {
        guard hello.token.count <= WireLimits.tokenByteCountMax,
            hello.processName.count <= WireLimits.processNameByteCountMax
        else { throw .tooLong }
        try sendMessage(byteCountMax: Hello.byteCountMax) { writer in hello.encode(into: &writer) }
    }
}

/// A ``Welcome`` with its own memory.
private struct Answer {
    var status: Welcome.Status
    var ringByteCount: UInt32
    var message: [UInt8]

    init(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
        var reader = WireReader(bytes)
        let welcome = try Welcome(from: &reader)
        status = welcome.status
        ringByteCount = welcome.ringByteCount
        message = [UInt8](welcome.message)
    }
}

/// A point in time after which nobody waits.
struct Deadline {
    private let end: UInt64?

    /// Negative: never.
    init(milliseconds: Int32) {
        end = milliseconds < 0 ? nil : posix_monotonic_nanoseconds() &+ UInt64(milliseconds) &* 1_000_000
    }

    /// Milliseconds left, rounded up; -1 when there is no end.
    func remaining() throws(TransportError) -> Int32 {
        guard let end else { return -1 }
        let now = posix_monotonic_nanoseconds()
        guard now < end else { throw .timedOut }
        return Int32(truncatingIfNeeded: (end &- now) / 1_000_000 &+ 1)
    }
}

extension Connection {
    /// Sends a u32 length and what `encode` writes.
    func sendMessage(byteCountMax: Int, _ encode: (inout WireWriter) -> Void) throws(TransportError) {
        var bytes = [UInt8](repeating: 0, count: 4 + byteCountMax)
        let count = bytes.withUnsafeMutableBytes { storage -> Int in
            var writer = WireWriter(into: UnsafeMutableRawBufferPointer(rebasing: storage[4...]))
            encode(&writer)
            guard !writer.isOverflowed else { return -1 }
            storage.storeBytes(of: UInt32(truncatingIfNeeded: writer.byteCount).littleEndian, as: UInt32.self)
            return 4 + writer.byteCount
        }
        guard count > 0 else { throw .tooLong }
        try bytes.withBytes { storage throws(TransportError) in
            try write(UnsafeRawBufferPointer(rebasing: storage[..<count]))
        }
    }

    /// Receives a u32 length and that many bytes.
    func readMessage(atMost limit: Int, _ deadline: Deadline) throws(TransportError) -> [UInt8] {
        let prefix = try readBytes(4, deadline)
        let count = prefix.reversed().reduce(0) { $0 << 8 | Int($1) }
        guard count <= limit else { throw .violation(.oversized) }
        return try readBytes(count, deadline)
    }

    private func readBytes(_ count: Int, _ deadline: Deadline) throws(TransportError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let timeout = try deadline.remaining()
            done += try bytes.withMutableBytes { storage throws(TransportError) in
                try receive(UnsafeMutableRawBufferPointer(rebasing: storage[done...]), timeout: timeout)
            }
        }
        return bytes
    }
}
