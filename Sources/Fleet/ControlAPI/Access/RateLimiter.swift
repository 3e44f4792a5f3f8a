import FleetModel
import Synchronization

/// How many requests somebody may send.
public struct RateLimit: Sendable, Hashable {
    /// How many at once, after a pause.
    public var burst: Double
    /// How many a second, in the long run.
    public var perSecond: Double

    /// Sets a limit.
    public init(burst: Double, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }
}

/// Counts requests by who sends them: a token bucket for each.
final class RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        var filledAt: Timestamp
    }

    private let limit: RateLimit
    private let countMax: Int
    private let buckets = Mutex<[String: Bucket]>([:])

    /// Limits each name; keeps count of at most `countMax` names.
    init(_ limit: RateLimit, countMax: Int = 100_000) {
        self.limit = limit
        self.countMax = countMax
    }

    /// Takes one request; the seconds to wait where there are too many.
    func take(_ name: String, now: Timestamp) -> Int? {
        buckets.withLock { buckets in
            if buckets.count >= countMax, buckets[name] == nil { forgetFull(&buckets, now: now) }
            var bucket = buckets[name] ?? Bucket(tokens: limit.burst, filledAt: now)
            bucket.tokens = level(bucket, now: now)
            bucket.filledAt = max(bucket.filledAt, now)
            defer { buckets[name] = bucket }
            guard bucket.tokens >= 1 else { return max(1, Int(((1 - bucket.tokens) / limit.perSecond).rounded(.up))) }
            bucket.tokens -= 1
            return nil
        }
    }

    private func level(_ bucket: Bucket, now: Timestamp) -> Double {
        min(limit.burst, bucket.tokens + max(0, (now - bucket.filledAt).seconds) * limit.perSecond)
    }

    /// A full bucket says no more than none. Where all are in use, everybody begins anew, which errs to their side.
    private func forgetFull(_ buckets: inout [String: Bucket], now: Timestamp) {
        buckets = buckets.filter { level($0.value, now: now) < limit.burst }
        if buckets.count >= countMax { buckets = [:] }
    }
}
