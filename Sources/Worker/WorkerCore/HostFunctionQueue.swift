import GPUBackend
import Transport
import WireProtocol

// SAFETY: all mutable properties are read and written under `monitor`.
/// Has the client run host functions, one after the other, over its events connection.
final class HostFunctionQueue: @unchecked Sendable {
    private let monitor = Monitor()
    private var connection: Connection?
    private var awaited: UInt64?
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
        let receiver = monitor.withLock { () -> Connection? in
            guard !isCancelled, connection != nil else { return nil }
            awaited = token
            return connection
        }
        guard let receiver, send(token, on: receiver) else { return }
        monitor.withLock {
            while awaited != nil, !isCancelled { monitor.wait() }
        }
    }

    /// The client has run the function; false if nobody waits for this token.
    func finish(_ token: UInt64) -> Bool {
        monitor.withLock {
            guard awaited == token else { return false }
            awaited = nil
            monitor.signalAll()
            return true
        }
    }

    func cancel() {
        monitor.withLock {
            isCancelled = true
            connection?.close()
            monitor.signalAll()
        }
    }

    private func send(_ token: UInt64, on connection: Connection) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: FrameHeader.byteCount + 16, alignment: 8) { bytes in
            var writer = WireWriter(into: bytes)
            FrameHeader(bodyByteCount: 16, kind: .event, count: 0, sequence: 0).encode(into: &writer)
            writer.write(UInt32(1))
            writer.write(UInt32(0))
            writer.write(token)
            do throws(TransportError) {
                try connection.write(UnsafeRawBufferPointer(bytes))
                return true
            } catch {
                return false
            }
        }
    }
}
