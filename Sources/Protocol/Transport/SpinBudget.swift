import CPosix

/// How long a thread looks again and again before it sleeps.
///
/// A wake-up from another core costs 25 to 40 µs where cores are virtual, so a short wait is cheaper awake. A thread
/// whose waits turn out long looks for less and less time.
struct SpinBudget {
    /// `ROOST_SPIN_US`, in nanoseconds.
    static let nanosecondsMax: UInt64 = {
        guard let text = posix_environment("ROOST_SPIN_US") else { return 30_000 }
        var value: UInt64 = 0
        for index in 0..<min(strlen(text), 6) {
            let byte = UInt8(bitPattern: text[index])
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return 30_000 }
            value = value &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
        }
        return value &* 1_000
    }()
    static let nanosecondsMin = nanosecondsMax / 8
    /// When to begin to let others run between two looks: the other end may wait for this very core. Not at once: two
    /// ends that keep yielding to each other stay on one core, and take 8 µs instead of 0.2 for each exchange.
    private static let politeNanoseconds: UInt64 = 10_000

    private var nanoseconds = SpinBudget.nanosecondsMax
    /// Looks between two readings of the clock; few when a look is a system call.
    private let looksPerRound: Int

    init(looksPerRound: Int) {
        self.looksPerRound = looksPerRound
    }

    /// Runs `isReady` again and again; whether it was true within the budget.
    mutating func spin(_ isReady: () throws(TransportError) -> Bool) throws(TransportError) -> Bool {
        guard nanoseconds > 0 else { return false }
        let start = posix_monotonic_nanoseconds()
        var spent: UInt64 = 0
        repeat {
            for _ in 0..<looksPerRound {
                if try isReady() {
                    nanoseconds = min(SpinBudget.nanosecondsMax, nanoseconds &* 2)
                    return true
                }
                posix_spin_hint()
            }
            if spent > SpinBudget.politeNanoseconds { posix_yield() }
            spent = posix_monotonic_nanoseconds() &- start
        } while spent < nanoseconds
        nanoseconds = max(SpinBudget.nanosecondsMin, nanoseconds / 2)
        return false
    }
}
