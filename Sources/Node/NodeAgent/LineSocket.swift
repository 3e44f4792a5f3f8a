import CPosix
import Foundation
import Glibc
import Synchronization

/// A Unix stream socket that carries one message on each line. One thread reads, any thread writes.
final class LineSocket: Sendable {
    /// The longest line, in bytes: enough for a report of a thousand vGPUs.
    static let lineByteCountMax = 4 << 20

    private let descriptor: Descriptor
    private let input = Mutex<[UInt8]>([])
    private let output = Mutex<Void>(())

    /// Takes over a connected socket.
    init(_ descriptor: Descriptor) {
        self.descriptor = descriptor
        // A reader that hangs must not hold up the daemon: a write to it fails instead.
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// The user and process on the other side; nil where the kernel does not say.
    var peer: (processID: pid_t, userID: uid_t)? {
        var processID: pid_t = 0
        var userID: uid_t = 0
        guard posix_peer_identity(descriptor.number, &processID, &userID) == 0 else { return nil }
        return (processID, userID)
    }

    /// Waits for a line and takes it, without its end.
    ///
    /// - Returns: Nil where the other side closed the connection.
    /// - Throws: ``AgentError`` where the line is too long, the deadline passed or the connection broke.
    func readLine(until deadline: ContinuousClock.Instant? = nil) throws -> [UInt8]? {
        try input.withLock { buffer in
            var searched = 0
            while true {
                if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                    let line = Array(buffer[..<end])
                    buffer.removeSubrange(...end)
                    return line
                }
                searched = buffer.count
                guard searched <= LineSocket.lineByteCountMax else {
                    throw AgentError(
                        .badMessage, "A control message is longer than \(LineSocket.lineByteCountMax) bytes.")
                }
                guard try descriptor.waitUntilReadable(until: deadline) else {
                    throw AgentError(.connectionLost, "The daemon did not answer in time; `roost doctor` looks at it.")
                }
                guard let bytes = try receive() else { return nil }
                buffer += bytes
            }
        }
    }

    /// Waits for something to read, which may be the end.
    func hasInput(until deadline: ContinuousClock.Instant) throws -> Bool {
        try descriptor.waitUntilReadable(until: deadline)
    }

    /// Takes what has arrived; nil at the end.
    private func receive() throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(descriptor.number, &bytes, bytes.count, 0)
            if count > 0 { return Array(bytes[..<count]) }
            if count == 0 || errno == ECONNRESET { return nil }
            guard errno == EINTR else { throw AgentError.system("can't read from a control connection") }
        }
    }

    /// Writes a line.
    func writeLine(_ line: [UInt8]) throws {
        try output.withLock { _ in
            let bytes = line + [UInt8(ascii: "\n")]
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes { rest in
                    send(descriptor.number, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                }
                if count > 0 {
                    sent += count
                } else if errno != EINTR {
                    throw AgentError(.connectionLost, "A control connection broke.")
                }
            }
        }
    }

    /// Ends the connection for both sides; a thread that reads sees its end.
    func close() {
        shutdown(descriptor.number, Int32(SHUT_RDWR))
    }

    /// Reads a message.
    func readMessage<Message: Decodable>(
        _ type: Message.Type, until deadline: ContinuousClock.Instant? = nil
    ) throws -> Message? {
        guard let line = try readLine(until: deadline) else { return nil }
        do {
            return try JSONDecoder().decode(type, from: Foundation.Data(line))
        } catch {
            throw AgentError(
                .badMessage, "The other side speaks another version of the control messages; restart the daemon.")
        }
    }

    /// Writes a message.
    func writeMessage(_ message: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try writeLine(Array(try encoder.encode(message)))
    }
}

// MARK: - Addresses

extension LineSocket {
    /// Calls `body` with the address of the socket at a path.
    private static func withAddress(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws -> Int32 {
        guard path.utf8.count <= StateDirectory.socketPathByteCountMax else {
            throw AgentError(.stateDirectory, "The path of a Unix socket is too long: \(path)")
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func makeSocket() throws -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        return try Descriptor.adopt(socket(AF_UNIX, type, 0), "can't make a socket")
    }

    /// Connects to the socket at a path; nil where nobody listens there.
    static func connect(path: String) throws -> LineSocket? {
        let descriptor = try makeSocket()
        let result = try withAddress(of: path) { Glibc.connect(descriptor.number, $0, $1) }
        if result == 0 { return LineSocket(descriptor) }
        guard errno == ENOENT || errno == ECONNREFUSED else { throw AgentError.system("can't connect to \(path)") }
        return nil
    }

    /// Listens at a path that only this user may connect to.
    static func listen(path: String) throws -> Descriptor {
        let descriptor = try makeSocket()
        let bound = try withAddress(of: path) { bind(descriptor.number, $0, $1) }
        guard bound == 0, chmod(path, 0o600) == 0, Glibc.listen(descriptor.number, 64) == 0 else {
            throw AgentError.system("can't listen at \(path)")
        }
        return descriptor
    }
}
