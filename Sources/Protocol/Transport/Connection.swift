import CPosix
import CTLS
import WireProtocol

// SAFETY: the descriptor never changes until `deinit`; the read buffer belongs to the one reader, the rings' write
// half to the one writer; `closedFlag` is only touched by atomic operations.
/// One blocking ordered byte stream between a client and a worker.
///
/// One thread may read while another writes; two readers, or two writers, must take turns.
/// Any thread may close it at any time.
public final class Connection: @unchecked Sendable {
    let descriptor: Int32
    let closedFlag: UnsafeMutablePointer<UInt32>
    /// Set once, before the connection is shared between threads.
    var rings: RingPair?
    /// What encrypts the stream; nil for the others. Set once, as the rings.
    var tls: TLSStream?
    /// Bytes that came with earlier ones; only in use after the handshake, since a descriptor must not be read past.
    var readAhead = ReadAhead()
    var isReadAheadEnabled = false
    private var spinBudget = SpinBudget(looksPerRound: 2)

    /// Whether both ends are on one machine.
    public let isLocal: Bool

    init(descriptor: Int32, isLocal: Bool) {
        self.descriptor = descriptor
        self.isLocal = isLocal
        closedFlag = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        closedFlag.initialize(to: 0)
    }

    deinit {
        let isAbandoned = posix_atomic_load_acquire_32(closedFlag) > 1
        if let rings { rings.unmap(isClosing: !isAbandoned) }
        if let tls, !isAbandoned { tls.free() }
        _ = posix_close(descriptor)
        readAhead.free()
        closedFlag.deallocate()
    }

    /// Two connections that are each other's other end, in this process.
    public static func pair() throws(TransportError) -> (Connection, Connection) {
        var first: Int32 = -1
        var second: Int32 = -1
        let status = posix_socket_pair(&first, &second)
        guard status == 0 else { throw .system(-status) }
        let ends = (
            Connection(descriptor: first, isLocal: true), Connection(descriptor: second, isLocal: true)
        )
        ends.0.isReadAheadEnabled = true
        ends.1.isReadAheadEnabled = true
        return ends
    }

    /// Writes all of both buffers, the second right after the first.
    public func write(
        _ first: UnsafeRawBufferPointer,
        _ second: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws(TransportError) {
        guard posix_atomic_load_relaxed_32(closedFlag) == 0 else { throw .closed }
        if let rings {
            try rings.write(first, self)
            if second.count > 0 { try rings.write(second, self) }
            return
        }
        let status =
            tls?.write(first, second)
            ?? posix_send_all(descriptor, first.baseAddress, first.count, second.baseAddress, second.count)
        guard status == 0 else { throw Connection.streamError(status) }
    }

    /// Fills the buffer, waiting as long as it takes.
    public func read(exactly buffer: UnsafeMutableRawBufferPointer) throws(TransportError) {
        if let rings { return try rings.read(buffer, self) }
        var rest = buffer
        while rest.count > 0 {
            let taken = readAhead.take(into: rest)
            if taken > 0 {
                rest = UnsafeMutableRawBufferPointer(rebasing: rest[taken...])
                continue
            }
            guard posix_atomic_load_relaxed_32(closedFlag) == 0 else { throw .closed }
            if isReadAheadEnabled, rest.count < ReadAhead.byteCountMax / 4 {
                guard readAhead.prepare() else { throw .system(ENOMEM) }
                readAhead.commit(try receiveAwake(readAhead.room))
            } else {
                let count = try receiveAwake(rest)
                rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
            }
        }
    }

    /// Ends the stream in both directions; blocked readers and writers of both ends return with an error.
    public func close() {
        guard posix_atomic_compare_exchange_32(closedFlag, 0, 1) else { return }
        rings?.markClosed()
        _ = posix_shutdown(descriptor)
    }

    /// How long one read may wait for the next byte before it throws `timedOut`. Only for sockets; rings wait forever.
    public func setReadTimeout(milliseconds: Int32) {
        posix_set_receive_timeout(descriptor, milliseconds)
        tls?.readTimeoutMilliseconds = milliseconds
    }

    /// In a forked child: lets this end go without ending the parent's stream, which shares it.
    public func abandonAfterFork() {
        _ = posix_atomic_exchange_32(closedFlag, 2)
    }

    /// Whether this end was closed. The other end's death shows when one reads or writes.
    public var isClosed: Bool { posix_atomic_load_relaxed_32(closedFlag) != 0 }

    /// The process and user at the other end; nil over a network.
    public var peerIdentity: (processID: Int32, userID: UInt32)? {
        var processID: Int32 = 0
        var userID: UInt32 = 0
        guard isLocal, posix_peer_identity(descriptor, &processID, &userID) == 0 else { return nil }
        return (processID, userID)
    }

    /// The other end, for log lines: "process 17" or "10.0.0.1:4242".
    public var peer: String {
        if let identity = peerIdentity { return "process \(identity.processID)" }
        var text = [UInt8](repeating: 0, count: 80)
        let status = text.withUnsafeMutableBytes { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return posix_peer_text(descriptor, start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard status == 0, let end = text.firstIndex(of: 0) else { return "unknown peer" }
        return String(decoding: text[..<end], as: UTF8.self)
    }

    /// Whether the socket's other end has gone, without waiting.
    public func isPeerGone() -> Bool {
        let events = posix_poll(descriptor, Int32(POSIX_POLL_PEER_CLOSED), 0)
        let fatal = POSIX_POLL_PEER_CLOSED | POSIX_POLL_HANGUP | POSIX_POLL_ERROR
        return events < 0 || UInt32(events) & UInt32(fatal) != 0
    }

    /// Receives at least one byte; with a timeout in milliseconds, waits no longer than that for the first.
    func receive(_ buffer: UnsafeMutableRawBufferPointer, timeout: Int32?) throws(TransportError) -> Int {
        guard let start = buffer.baseAddress, buffer.count > 0 else { return 0 }
        if let tls {
            let count = tls.receive(start, buffer.count, timeout: timeout ?? tls.readTimeoutMilliseconds)
            guard count > 0 else { throw Connection.streamError(Int32(truncatingIfNeeded: count)) }
            return count
        }
        if let timeout {
            let events = posix_poll(descriptor, Int32(POSIX_POLL_READABLE), timeout)
            guard events >= 0 else { throw .system(-events) }
            guard events > 0 else { throw .timedOut }
        }
        let count = posix_receive(descriptor, start, buffer.count, false)
        guard count != 0 else { throw .closed }
        guard count > 0 else { throw Connection.streamError(Int32(truncatingIfNeeded: count)) }
        return count
    }

    /// Receives at least one byte; looks for it for a while before it sleeps.
    private func receiveAwake(_ buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int {
        guard let start = buffer.baseAddress, buffer.count > 0 else { return 0 }
        var count = -Int(EAGAIN)
        let isReady = try spinBudget.spin { () throws(TransportError) in
            count =
                tls?.receive(start, buffer.count, timeout: 0) ?? posix_receive(descriptor, start, buffer.count, true)
            return count != -Int(EAGAIN)
        }
        guard isReady else { return try receive(buffer, timeout: nil) }
        guard count != 0 else { throw .closed }
        guard count > 0 else { throw Connection.streamError(Int32(truncatingIfNeeded: count)) }
        return count
    }

    static func streamError(_ status: Int32) -> TransportError {
        if status == TLS_ENDED.number { return .closed }
        if let problem = TLSProblem(result: status) { return .tls(problem) }
        return switch -status {
        case EPIPE, ECONNRESET, ENOTCONN, EBADF, ESHUTDOWN: .closed
        case EAGAIN, ETIMEDOUT: .timedOut
        default: .system(-status)
        }
    }
}

/// Bytes received before somebody asked for them: one system call then brings a frame's header and its body.
struct ReadAhead {
    static let byteCountMax = 64 << 10

    private var storage: UnsafeMutableRawPointer?
    private var next = 0
    private var end = 0

    /// Makes room; false without memory. Only called when empty.
    mutating func prepare() -> Bool {
        if storage == nil { storage = malloc(ReadAhead.byteCountMax) }
        next = 0
        end = 0
        return storage != nil
    }

    var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: storage, count: storage == nil ? 0 : ReadAhead.byteCountMax)
    }

    mutating func commit(_ count: Int) {
        end = min(count, ReadAhead.byteCountMax)
    }

    /// Moves as many bytes as there are, at most the buffer's size.
    mutating func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(end &- next, buffer.count)
        guard count > 0, let storage, let target = buffer.baseAddress else { return 0 }
        target.copyMemory(from: storage + next, byteCount: count)
        next &+= count
        return count
    }

    mutating func free() {
        CPosix.free(storage)
        storage = nil
        next = 0
        end = 0
    }
}
