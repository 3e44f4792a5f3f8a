import GPUBackend
import Transport
import WireProtocol

// SAFETY: all mutable properties are read and written under `monitor`.
/// Has the client run host functions, one after the other, over its events connection.
final class HostFunctionQueue: @unchecked Sendable {
    private let monitor = Monitor()
    private var connection: Connection?
    private var awaited: UInt64?
    private var awaitedByteCount: UInt64?
    private var received: [UInt8]?
    private var isBusy = false
    private var isCancelled = false

    /// Sets the session's events connection; false if it has one.
    func attach(_ connection: Connection) -> Bool {
        monitor.withLock {
            guard self.connection == nil, !isCancelled else { return false }
            self.connection = connection
            monitor.signalAll()
            return true
        }
    }

    /// The events connection ended; nobody will answer any more.
    func detach() {
        monitor.withLock {
            connection = nil
            awaited = nil
            monitor.signalAll()
        }
    }

    /// Sends a token to the client and waits for its answer, for the end of the connection or of the session.
    func run(_ token: UInt64) {
        guard let receiver = begin(token, byteCount: nil) else { return }
        defer { end() }
        guard send(.call, token, on: receiver) else { return }
        _ = answer()
    }

    /// Sends bytes to the client and waits until it has them.
    func give(
        _ token: UInt64, byteCount: UInt64, _ pieces: (_ send: (UnsafeRawBufferPointer) -> Bool) -> Void
    ) {
        guard let receiver = begin(token, byteCount: nil) else { return }
        defer { end() }
        guard send(.give, token, byteCount: byteCount, on: receiver) else { return }
        var rest = byteCount
        pieces { piece in
            guard UInt64(piece.count) <= rest, receiver.send(piece) else { return false }
            rest -= UInt64(piece.count)
            return true
        }
        // The client would take what comes next for the missing bytes.
        guard rest == 0 else { return receiver.close() }
        _ = answer()
    }

    /// Asks the client for bytes and waits for them; nil when it is gone.
    func take(_ token: UInt64, byteCount: UInt64) -> [UInt8]? {
        guard let receiver = begin(token, byteCount: byteCount) else { return nil }
        defer { end() }
        guard send(.take, token, byteCount: byteCount, on: receiver) else { return nil }
        return answer()
    }

    /// The client has run the function or has the bytes; false if nobody waits for this token.
    func finish(_ token: UInt64, bytes: [UInt8]? = nil) -> Bool {
        monitor.withLock {
            guard awaited == token, (bytes == nil) == (awaitedByteCount == nil) else { return false }
            awaited = nil
            received = bytes
            monitor.signalAll()
            return true
        }
    }

    /// How many bytes somebody waits for under this token.
    func awaitedByteCount(of token: UInt64) -> UInt64? {
        monitor.withLock { awaited == token ? awaitedByteCount : nil }
    }

    /// Whether the session ends: an answer that nobody waits for any more is no fault of the client's then.
    var isOver: Bool { monitor.withLock { isCancelled } }

    // MARK: - One exchange at a time, though several devices may work for the client

    private func begin(_ token: UInt64, byteCount: UInt64?) -> Connection? {
        monitor.withLock { () -> Connection? in
            while isBusy, !isCancelled { monitor.wait() }
            guard !isCancelled, let connection else { return nil }
            isBusy = true
            awaited = token
            awaitedByteCount = byteCount
            return connection
        }
    }

    private func answer() -> [UInt8]? {
        monitor.withLock {
            while awaited != nil, !isCancelled { monitor.wait() }
            defer { received = nil }
            return received
        }
    }

    private func end() {
        monitor.withLock {
            isBusy = false
            awaited = nil
            awaitedByteCount = nil
            monitor.signalAll()
        }
    }

    func cancel() {
        monitor.withLock {
            isCancelled = true
            connection?.close()
            monitor.signalAll()
        }
    }

    private func send(_ kind: EventKind, _ token: UInt64, byteCount: UInt64? = nil, on connection: Connection) -> Bool {
        let body = byteCount == nil ? 16 : 24
        return withUnsafeTemporaryAllocation(byteCount: FrameHeader.byteCount + body, alignment: 8) { bytes in
            var writer = WireWriter(into: bytes)
            FrameHeader(bodyByteCount: UInt32(body), kind: .event, count: 0, sequence: 0).encode(into: &writer)
            writer.write(kind.rawValue)
            writer.write(UInt32(0))
            writer.write(token)
            if let byteCount { writer.write(byteCount) }
            return connection.send(UnsafeRawBufferPointer(bytes))
        }
    }
}
