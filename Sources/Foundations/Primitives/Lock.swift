public import CPosix

// SAFETY: the word is only touched by atomic operations, and its place never changes.
/// A mutual exclusion lock that also exists in Embedded Swift. Not recursive, not fair; about 10 ns when free.
public struct Lock: ~Copyable, @unchecked Sendable {
    @usableFromInline let word: UnsafeMutablePointer<UInt32>

    @inlinable
    public init() {
        word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        word.initialize(to: 0)
    }

    deinit { word.deallocate() }

    /// Waits until the lock is free and takes it.
    @inlinable
    public func acquire() { posix_lock_acquire(word) }

    /// Takes the lock if it is free.
    @inlinable
    public func tryAcquire() -> Bool { posix_lock_try_acquire(word) }

    /// Gives the lock back; only its holder may.
    @inlinable
    public func release() { posix_lock_release(word) }

    /// Runs `body` while holding the lock.
    @inlinable
    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        acquire()
        defer { release() }
        return try body()
    }

    /// Frees the lock in a forked child, where its holder may not exist any more.
    @inlinable
    public func resetAfterFork() { posix_atomic_store_release_32(word, 0) }
}
