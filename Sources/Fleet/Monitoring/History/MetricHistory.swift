public import FleetModel

/// What series were over the last days, in memory: by the second for minutes, by the minute for hours, by the hour for
/// weeks. Each value goes into all three, so that nothing has to be moved down later.
public struct MetricHistory: Sendable {
    /// One step of down-sampling.
    public struct Tier: Sendable, Hashable {
        /// How much time a bucket takes in.
        public var step: TimeSpan
        /// How many buckets are kept.
        public var capacity: Int

        /// Describes a step.
        public init(step: TimeSpan, capacity: Int) {
            precondition(step.milliseconds > 0 && capacity > 0, "a tier has a step and room")
            self.step = step
            self.capacity = capacity
        }

        var span: TimeSpan { TimeSpan(milliseconds: step.milliseconds * Int64(capacity)) }
    }

    /// What a series was in one bucket of time.
    public struct Point: Sendable, Hashable, Codable {
        /// When the bucket begins.
        public var start: Timestamp
        public var minimum: Double
        public var maximum: Double
        public var average: Double
        public var last: Double
        /// By how much a counter grew.
        public var growth: Double
    }

    /// A series: a metric and its labels.
    struct Key: Hashable, Sendable {
        let metric: String
        let labels: [String: String]
    }

    private struct Series: Sendable {
        var rings: [HistoryRing]
        var last: Double
        var lastAt: Timestamp

        mutating func add(_ value: Double, growth: Double, _ tiers: [Tier], at moment: Timestamp) {
            last = value
            lastAt = moment
            for index in rings.indices {
                let number = moment.milliseconds / tiers[index].step.milliseconds
                rings[index].add(Float(value), growth: Float(growth), bucket: number)
            }
        }
    }

    /// Two minutes by the second, six hours by the minute, two weeks by the hour: 26 KB for each series at most.
    public static let defaultTiers = [
        Tier(step: .seconds(1), capacity: 120), Tier(step: .minutes(1), capacity: 360),
        Tier(step: .hours(1), capacity: 336),
    ]

    /// What charts of the dashboard need.
    public static let charted: Set<String> = [
        Metric.poolComputeCapacity.name, Metric.poolComputeAllocated.name, Metric.poolMemoryCapacity.name,
        Metric.poolMemoryAllocated.name, Metric.deviceUtilization.name, Metric.deviceMemoryUsed.name,
        Metric.vgpuUtilization.name, Metric.vgpuMemoryUsed.name, Metric.workloads.name, Metric.oldestWait.name,
        Metric.projectCompute.name, Metric.projectFairShare.name,
    ]

    /// How long a series is kept that nobody tells of any more.
    private static let absence = TimeSpan.hours(24)

    /// The steps, finest first.
    public let tiers: [Tier]
    /// How many series are kept at most.
    public let seriesMax: Int
    /// How many values were left out since there were too many series.
    public private(set) var droppedCount = 0

    private let charted: Set<String>
    private var neededByRules: Set<String> = []
    private var series: [Key: Series] = [:]
    private var sweptAt: Timestamp?

    /// Remembers nothing yet.
    public init(
        tracking metrics: Set<String> = MetricHistory.charted, tiers: [Tier] = MetricHistory.defaultTiers,
        seriesMax: Int = 8192
    ) {
        precondition(!tiers.isEmpty, "a history has tiers")
        charted = metrics
        self.tiers = tiers.sorted { $0.step < $1.step }
        self.seriesMax = seriesMax
    }

    /// How many series are kept.
    public var seriesCount: Int { series.count }

    // MARK: - Recording

    /// Keeps those metrics too whose growth rules look at.
    public mutating func follow(_ rules: [AlertRuleSpec]) {
        neededByRules = []
        for rule in rules where rule.growthOver != nil {
            neededByRules.insert(rule.metric)
            if let divisor = rule.dividedBy { neededByRules.insert(divisor) }
        }
    }

    /// Takes in the samples of a moment. Moments never go back.
    public mutating func record(_ samples: FleetSamples, at moment: Timestamp) {
        for metric in charted.union(neededByRules) {
            guard let family = samples[metric], family.metric.kind != .info else { continue }
            for sample in family.samples where sample.value.isFinite {
                record(sample.value, Key(metric: metric, labels: family.labels(of: sample)), at: moment)
            }
        }
        sweep(at: moment)
    }

    private mutating func record(_ value: Double, _ key: Key, at moment: Timestamp) {
        guard let index = series.index(forKey: key) else {
            guard series.count < seriesMax else {
                droppedCount += 1
                return
            }
            var new = Series(rings: tiers.map { HistoryRing(capacity: $0.capacity) }, last: value, lastAt: moment)
            new.add(value, growth: 0, tiers, at: moment)
            series[key] = new
            return
        }
        let last = series.values[index].last
        // A counter that is smaller than before has started again from 0.
        series.values[index].add(value, growth: value >= last ? value - last : value, tiers, at: moment)
    }

    private mutating func sweep(at moment: Timestamp) {
        guard let last = sweptAt else {
            sweptAt = moment
            return
        }
        guard moment - last >= .hours(1) else { return }
        sweptAt = moment
        series = series.filter { moment - $0.value.lastAt < MetricHistory.absence }
    }

    // MARK: - Asking

    /// A series' points from one moment to another, in the finest step that reaches back far enough, or in the step
    /// that is asked for.
    public func points(
        of metric: String, labels: [String: String], from start: Timestamp, to end: Timestamp, step: TimeSpan? = nil
    ) -> [Point] {
        guard let found = series[Key(metric: metric, labels: labels)], start <= end else { return [] }
        let wanted = tiers.firstIndex { tier in
            step.map { tier.step >= $0 } ?? (tier.span >= end - start)
        }
        let index = wanted ?? tiers.count - 1
        let length = tiers[index].step.milliseconds
        let range = start.milliseconds / length...end.milliseconds / length
        return found.rings[index].buckets(in: range).map { bucket in
            Point(
                start: Timestamp(milliseconds: bucket.number * length), minimum: Double(bucket.minimum),
                maximum: Double(bucket.maximum), average: Double(bucket.average), last: Double(bucket.last),
                growth: Double(bucket.growth))
        }
    }

    /// The labels of all series of a metric, in no order.
    public func labels(of metric: String) -> [[String: String]] {
        series.keys.filter { $0.metric == metric }.map(\.labels)
    }

    /// By how much a counter grew over a span that ends at a moment; nil where the series is not known.
    public func growth(
        of metric: String, labels: [String: String], over span: TimeSpan, at moment: Timestamp
    ) -> Double? {
        guard let found = series[Key(metric: metric, labels: labels)] else { return nil }
        let index = tiers.firstIndex { $0.span >= span } ?? tiers.count - 1
        let length = tiers[index].step.milliseconds
        let start = (moment.milliseconds - span.milliseconds) / length + 1
        return found.rings[index].growth(from: start)
    }
}
