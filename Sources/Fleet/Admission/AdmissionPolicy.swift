/// How requests are ordered, shares are divided and workloads are taken back.
public struct AdmissionPolicy: Sendable, Hashable {
    /// How what is left over is divided.
    public var division = DivisionRules()
    /// How past use counts, where `division.usageInfluence` is above zero.
    public var memory = UsageMemory()
    /// Shares of a resource are multiples of this; 1000 milli-devices gives whole devices only.
    public var units = ResourceVector(repeating: 1)
    /// Against starving: once in this time, a project's oldest request, if it has waited for as long, goes first, and
    /// younger ones no longer take the quota that it waits for. nil is never.
    public var patienceMilliseconds: Int64? = 3_600_000
    /// How urgent such an overdue request is at least; more urgent ones still go before it.
    public var overduePriority: Int64 = 10_000
    /// Whether a workload that can't be taken back must be within its projects' guarantees.
    public var keepsWithinGuarantee = false
    /// By how much the saturation of who takes back counts more, in thousandths; at least 1000.
    public var reclaimMarginThousandths: Int64 = 1000
    /// How long a request rests that found no place.
    public var backoff = Backoff()

    /// The usual policy.
    public init() {}

    var usesPast: Bool { division.usageInfluence > 0 }
}

/// How long to rest after a failure: twice as long each time, up to a bound, less a random part.
public struct Backoff: Sendable, Hashable {
    /// The rest after the first failure.
    public var firstMilliseconds: Int64
    /// The longest rest.
    public var longestMilliseconds: Int64
    /// Up to which part of a rest is left out at random, in thousandths, so that not all come back at once.
    public var jitterThousandths: Int64

    /// From one second up to a minute, less up to a fifth.
    public init(
        firstMilliseconds: Int64 = 1000, longestMilliseconds: Int64 = 60_000, jitterThousandths: Int64 = 200
    ) {
        self.firstMilliseconds = max(0, firstMilliseconds)
        self.longestMilliseconds = max(0, longestMilliseconds)
        self.jitterThousandths = max(0, min(1000, jitterThousandths))
    }

    /// The rest after so many failures in a row; `random` is any number.
    public func rest(afterFailures failures: Int, random: UInt64) -> Int64 {
        guard failures > 0 else { return 0 }
        var rest = min(firstMilliseconds, longestMilliseconds)
        for _ in 1..<max(1, min(failures, 64)) {
            let (double, overflow) = rest.multipliedReportingOverflow(by: 2)
            rest = overflow ? longestMilliseconds : min(double, longestMilliseconds)
        }
        let span = (UInt128(rest) * UInt128(jitterThousandths)) / 1000
        return rest - Int64(UInt128(random) % (span + 1))
    }
}

/// Whether all that must start together are there.
public struct GangReadiness: Sendable, Hashable {
    /// How many must be there.
    public var minimum: Int64
    /// How many are there.
    public var present: Int64
    /// When the first came, in milliseconds.
    public var since: Int64
    /// How long to wait for the others; nil is for ever.
    public var timeoutMilliseconds: Int64?

    /// Describes a gang.
    public init(minimum: Int64, present: Int64, since: Int64, timeoutMilliseconds: Int64? = nil) {
        self.minimum = minimum
        self.present = present
        self.since = since
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// How far a gang is.
    public enum State: Sendable, Hashable {
        /// All are there.
        case ready
        /// Some are missing; until when they are waited for.
        case forming(missing: Int64, until: Int64?)
        /// Some were missing for too long.
        case timedOut(missing: Int64)
    }

    /// How far it is now. Once all are there no timeout counts any more.
    public func state(at now: Int64) -> State {
        guard present < minimum else { return .ready }
        let missing = minimum - present
        guard let timeout = timeoutMilliseconds else { return .forming(missing: missing, until: nil) }
        let (end, overflow) = since.addingReportingOverflow(timeout)
        if overflow { return .forming(missing: missing, until: nil) }
        return now >= end ? .timedOut(missing: missing) : .forming(missing: missing, until: end)
    }
}
