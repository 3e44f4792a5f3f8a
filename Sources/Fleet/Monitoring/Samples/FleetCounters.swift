/// What the control plane counts while it runs.
public struct FleetCounters: Sendable, Hashable {
    /// What became of a replica that waited.
    public enum Verdict: String, Sendable, Hashable, CaseIterable {
        case placed, preempting, unschedulable
    }

    /// Requests of one operation with one status.
    struct RequestKey: Hashable, Sendable, Comparable {
        let operation: String
        let code: Int

        static func < (left: RequestKey, right: RequestKey) -> Bool {
            (left.operation, left.code) < (right.operation, right.code)
        }
    }

    private(set) var requests: [RequestKey: Int] = [:]
    private(set) var requestDurations = Histogram(bounds: Histogram.latencies)
    private(set) var verdicts: [Verdict: Int] = [:]
    private(set) var decisionDurations = Histogram(bounds: Histogram.latencies)
    private(set) var evictions: [String: Int] = [:]
    private(set) var notificationsSent = 0
    private(set) var notificationsFailed = 0
    private(set) var spans: [String: Int] = [:]

    /// Nothing counted.
    public init() {}

    /// Counts a request. The operation's name is one of the API's own, never text from the request.
    public mutating func countRequest(operation: String, status: Int, seconds: Double) {
        requests[RequestKey(operation: operation, code: status), default: 0] += 1
        requestDurations.observe(seconds)
    }

    /// Counts what became of replicas.
    public mutating func countDecisions(_ verdict: Verdict, _ count: Int = 1) {
        verdicts[verdict, default: 0] += count
    }

    /// Counts a round of the control loop.
    public mutating func observeDecision(seconds: Double) {
        decisionDurations.observe(seconds)
    }

    /// Counts a vGPU that was taken away, by one of the control plane's own reasons.
    public mutating func countEviction(reason: String) {
        evictions[reason, default: 0] += 1
    }

    /// Says what became of spans so far.
    public mutating func setSpans(exported: Int, dropped: Int, failed: Int) {
        spans = ["exported": exported, "dropped": dropped, "failed": failed]
    }

    /// Counts a notification.
    public mutating func countNotification(arrived: Bool) {
        if arrived { notificationsSent += 1 } else { notificationsFailed += 1 }
    }
}

/// Observations, counted by size.
public struct Histogram: Sendable, Hashable {
    /// The upper bounds of the buckets, ascending; a last one without a bound is implied.
    public let bounds: [Double]
    /// How many observations each bucket has, the one without a bound last; not added up.
    public private(set) var counts: [Int]
    /// All observations, added up.
    public private(set) var sum = 0.0

    /// Half a millisecond to ten seconds.
    public static let latencies = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    /// Nothing observed.
    public init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// Counts an observation; one that is no number is left out.
    public mutating func observe(_ value: Double) {
        guard !value.isNaN else { return }
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    /// How many observations there are.
    public var count: Int { counts.reduce(0, +) }
}
