internal import CPosix
internal import Primitives

/// The thread that sends frames which nobody else sends: a program that launches and then sleeps expects progress.
///
/// It looks at all lanes every 50 µs while one of them was active in the last 5 ms, and sleeps otherwise; the first
/// command that stays in a buffer wakes it.
enum Flusher {
    // SAFETY: the word is only touched by atomic operations and futex calls; it is made while the session starts.
    nonisolated(unsafe) private static var asleep: UnsafeMutablePointer<UInt32>?

    private static let periodNanoseconds: UInt64 = 50_000
    private static let lingerNanoseconds: UInt64 = 5_000_000

    static func start() {
        guard asleep == nil else { return }
        let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        word.initialize(to: 0)
        asleep = word
        if OSThread.start("roost-flush", stackByteCount: 256 << 10, { Flusher.run() }) == nil {
            ClientLog.problem("no thread could be started; buffered commands may be sent late")
        }
    }

    @inline(__always)
    static func wakeIfAsleep() {
        guard let asleep, posix_atomic_load_relaxed_32(asleep) != 0 else { return }
        posix_atomic_store_release_32(asleep, 0)
        _ = posix_futex_wake(asleep, 1, false)
    }

    private static func run() {
        guard let asleep else { return }
        while true {
            if flushStaleLanes() {
                posix_sleep_nanoseconds(periodNanoseconds)
                continue
            }
            posix_atomic_store_release_32(asleep, 1)
            posix_fence()
            if flushStaleLanes() {
                posix_atomic_store_release_32(asleep, 0)
                continue
            }
            // The end of the time only bounds the damage of a wake-up that a weaker memory order might lose.
            _ = posix_futex_wait(asleep, 1, 1_000_000_000, false)
        }
    }

    private static func flushStaleLanes() -> Bool {
        let now = posix_monotonic_nanoseconds()
        var isActive = false
        for index in 0..<Session.workerCount {
            guard let worker = Session.worker(index) else { continue }
            posix_lock_acquire(&worker.state.pointee.listLock)
            var next = worker.state.pointee.allLanes
            posix_lock_release(&worker.state.pointee.listLock)
            while let lane = next {
                let wasActive = Lane(state: lane).flushIfStale(
                    before: now &- periodNanoseconds, activeSince: now &- lingerNanoseconds)
                isActive = isActive || wasActive
                next = lane.pointee.nextOfAll
            }
        }
        return isActive
    }
}
