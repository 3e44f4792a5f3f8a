internal import CPosix

/// What was moved to keep both sides of managed and pinned memory alike; `ROOST_STATS` says it.
public enum TransferCounts {
    /// Counters of the process.
    struct Entry {
        var faults: UInt64 = 0
        var fetched: UInt64 = 0
        var sent: UInt64 = 0
    }

    // SAFETY: the words are only touched by atomic operations.
    nonisolated(unsafe) private static let words: UnsafeMutablePointer<UInt64> = {
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: 3)
        words.initialize(repeating: 0, count: 3)
        return words
    }()

    static var now: Entry {
        Entry(
            faults: posix_atomic_load_acquire_64(words), fetched: posix_atomic_load_acquire_64(words + 1),
            sent: posix_atomic_load_acquire_64(words + 2))
    }

    static func noteFault() { _ = posix_atomic_add_64(words, 1) }

    /// Counts bytes that came from a device.
    public static func noteFetched(_ byteCount: Int) { _ = posix_atomic_add_64(words + 1, UInt64(byteCount)) }

    /// Counts bytes that went to a device.
    public static func noteSent(_ byteCount: Int) { _ = posix_atomic_add_64(words + 2, UInt64(byteCount)) }
}
