import GPUBackend

// SAFETY: all mutable properties are read and written under `monitor`.
/// Those who read device memory beside whoever has the right to execute.
///
/// A client's thread may touch managed memory while the engine waits for that client: in a host function, or for bytes
/// of a copy. Whoever fetches the page must not wait for the engine then. A change of what is mapped where waits for
/// all guests, and keeps new ones out.
final class MemoryGuests: @unchecked Sendable {
    private let monitor = Monitor()
    private var count = 0
    private var isClosed = false

    /// Runs `body` while memory stays where it is. Waits only for a change that is under way.
    func read(_ body: () throws(BackendError) -> Void) throws(BackendError) {
        monitor.withLock {
            while isClosed { monitor.wait() }
            count += 1
        }
        defer {
            monitor.withLock {
                count -= 1
                if count == 0 { monitor.signalAll() }
            }
        }
        try body()
    }

    /// Runs `body` while nobody reads. Only called with the right to execute, so by one thread at a time.
    func change<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        monitor.withLock {
            isClosed = true
            while count > 0 { monitor.wait() }
        }
        defer {
            monitor.withLock {
                isClosed = false
                monitor.signalAll()
            }
        }
        try body()
    }
}
