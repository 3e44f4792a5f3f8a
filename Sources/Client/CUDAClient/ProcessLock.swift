internal import CPosix
internal import ClientRuntime
internal import Primitives

/// Holds all calls of the process back that would reach a worker, between a lock for a checkpoint and its unlock.
enum ProcessLock {
    // SAFETY: a word that one thread sets under `lock` and others only look at: they wait a moment longer at most.
    nonisolated(unsafe) private(set) static var isHeld = false
    private static let lock = Lock()

    /// Begins to hold calls back; false when they are held back already.
    static func hold() -> Bool {
        lock.acquire()
        defer { lock.release() }
        guard !isHeld else { return false }
        isHeld = true
        return true
    }

    /// Lets the calls go on; false when none were held back.
    static func release() -> Bool {
        lock.acquire()
        defer { lock.release() }
        guard isHeld else { return false }
        isHeld = false
        return true
    }

    /// Waits until the calls may go on.
    @inline(never)
    static func wait() {
        while isHeld {
            posix_sleep_nanoseconds(200_000)
            posix_fence()
        }
    }
}
