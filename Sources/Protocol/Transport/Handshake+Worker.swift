import CPosix
public import WireProtocol

/// A client's greeting as the worker received it.
public struct ReceivedHello: Sendable {
    public let protocolVersion: UInt32
    public let descriptionHash: UInt64
    public let role: ConnectionRole
    public let flags: UInt32
    public let session: SessionID
    public let laneIndex: UInt32
    public let processID: UInt32
    public let token: [UInt8]
    /// UTF-8, as the client claims it.
    public let processName: [UInt8]

    init(_ hello: Hello) {
        protocolVersion = hello.protocolVersion
        descriptionHash = hello.descriptionHash
        role = hello.role
        flags = hello.flags
        session = hello.session
        laneIndex = hello.laneIndex
        processID = hello.processID
        token = [UInt8](hello.token)
        processName = [UInt8](hello.processName)
    }

    /// Whether the client asks for byte rings.
    public var wantsSharedMemory: Bool { flags & Hello.sharedMemoryFlag != 0 }

    /// Compares in a time that depends only on the lengths.
    public func isToken(_ expected: [UInt8]) -> Bool {
        var difference: UInt8 = token.count == expected.count ? 0 : 1
        for index in 0..<min(token.count, expected.count) { difference |= token[index] ^ expected[index] }
        return difference == 0
    }
}

extension Connection {
    /// Bytes of each ring unless the worker wants others.
    public static let ringByteCountDefault = 1 << 20

    /// Agrees on keys where the stream is encrypted and receives a new client's greeting, within `timeoutMilliseconds`
    /// in all.
    public func readHello(timeoutMilliseconds: Int32 = 5_000) throws(TransportError) -> ReceivedHello {
        let deadline = Deadline(milliseconds: timeoutMilliseconds)
        if let tls { try tls.handshake(deadline) }
        let bytes = try readMessage(atMost: Hello.byteCountMax, deadline)
        do throws(WireError) {
            return try bytes.withBytes { bytes throws(WireError) in
                var reader = WireReader(bytes)
                return ReceivedHello(try Hello(from: &reader))
            }
        } catch {
            throw .violation(error)
        }
    }

    /// Accepts a client. If it asked for rings and is on this machine, all later bytes go through shared memory.
    /// - Parameter ringByteCount: A power of two; bytes of each ring.
    public func accept(
        _ hello: ReceivedHello, ringByteCount: Int = Connection.ringByteCountDefault
    ) throws(TransportError) {
        guard hello.wantsSharedMemory, isLocal else {
            try sendMessage(byteCountMax: Welcome.byteCountMax) { writer in
                Welcome(status: .accepted).encode(into: &writer)
            }
            isReadAheadEnabled = true
            return
        }
        let (newRings, memoryFile) = try RingPair.create(ringByteCount: ringByteCount)
        defer { _ = posix_close(memoryFile) }
        do throws(TransportError) {
            try sendMessage(byteCountMax: Welcome.byteCountMax) { writer in
                let count = UInt32(truncatingIfNeeded: ringByteCount)
                Welcome(status: .accepted, ringByteCount: count).encode(into: &writer)
            }
            // Before the client has the memory: what it then asks for on another connection may have another thread
            // write here at once, and on the socket nobody would read that any more.
            rings = newRings
            let status = posix_send_descriptor(descriptor, RingPair.passingByte, memoryFile)
            guard status == 0 else { throw Connection.streamError(status) }
        } catch {
            rings = nil
            newRings.unmap(isClosing: true)
            throw error
        }
    }

    /// Refuses a client, tells it why, and closes.
    /// - Parameter message: A sentence with the next step, UTF-8; cut at the wire's limit.
    public func refuse(_ status: Welcome.Status, message: [UInt8]) {
        let cut = [UInt8](message.prefix(WireLimits.messageByteCountMax))
        cut.withUnsafeBytes { bytes in
            // The client may be gone already; then nobody has to know.
            try? sendMessage(byteCountMax: Welcome.byteCountMax) { writer in
                var welcome = Welcome(status: status)
                welcome.message = bytes
                welcome.encode(into: &writer)
            }
        }
        close()
    }
}
