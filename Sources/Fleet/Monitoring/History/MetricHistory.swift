public import FleetModel

/// What series were over the last days. A value goes into the bucket of the shortest step; a bucket that is over goes
/// into the next longer one, into memory for rules that look back, and to whoever keeps them in a file.
public struct MetricHistory: Sendable {
    private struct Series: Sendable {
        var rings: [HistoryRing]
        /// The bucket of each tier that goes on, without those of shorter steps that go on too.
        var open: [HistoryBucket?]
        var last: Double
        var lastAt: Timestamp

        /// Ends the open bucket of a tier.
        ///
        /// - Returns: What ended by it.
        mutating func end(_ tier: Int, _ tiers: [HistoryTier], _ name: SeriesName) -> [HistoryRow] {
            guard let bucket = open[tier] else { return [] }
            open[tier] = nil
            rings[tier].append(bucket)
            let row = HistoryRow(series: name, step: tiers[tier].step, bucket: bucket)
            return [row] + fold(bucket, of: tier, tiers, name)
        }

        /// Takes a bucket that is over into the next longer one.
        ///
        /// - Returns: What ended by it.
        mutating func fold(
            _ bucket: HistoryBucket, of tier: Int, _ tiers: [HistoryTier], _ name: SeriesName
        ) -> [HistoryRow] {
            let next = tier + 1
            guard next < tiers.count else { return [] }
            var ended: [HistoryRow] = []
            let factor = tiers[next].step.milliseconds / tiers[tier].step.milliseconds
            let coarse = bucket.numbered(bucket.number / factor)
            if let open = open[next], open.number != coarse.number { ended = end(next, tiers, name) }
            if open[next] == nil {
                open[next] = coarse
            } else {
                open[next]?.merge(coarse)
            }
            return ended
        }
    }

    /// What charts of the dashboard need.
    public static let charted: Set<String> = [
        Metric.poolComputeCapacity.name, Metric.poolComputeAllocated.name, Metric.poolMemoryCapacity.name,
        Metric.poolMemoryAllocated.name, Metric.deviceUtilization.name, Metric.deviceMemoryUsed.name,
        Metric.vgpuUtilization.name, Metric.vgpuMemoryUsed.name, Metric.workloads.name, Metric.oldestWait.name,
        Metric.projectCompute.name, Metric.projectFairShare.name,
    ]

    /// How long a series stays in memory that nobody tells of any more.
    private static let absence = TimeSpan.hours(24)

    /// The steps, the shortest first.
    public let tiers: [HistoryTier]
    /// How many series are kept at most.
    public let seriesMax: Int
    /// How many values were left out since there were too many series.
    public private(set) var droppedCount = 0

    private let charted: Set<String>
    private var neededByRules: Set<String> = []
    private var series: [SeriesName: Series] = [:]
    private var ended: [HistoryRow] = []
    private var sweptAt: Timestamp?

    /// Remembers nothing yet. Each tier's step is a multiple of the one before it.
    public init(
        tracking metrics: Set<String> = MetricHistory.charted, tiers: [HistoryTier] = HistoryTier.usual(),
        seriesMax: Int = 8192
    ) {
        precondition(!tiers.isEmpty, "a history has tiers")
        for (short, long) in zip(tiers, tiers.dropFirst()) {
            precondition(long.step > short.step && long.step.milliseconds % short.step.milliseconds == 0)
        }
        charted = metrics
        self.tiers = tiers
        self.seriesMax = seriesMax
    }

    /// How many series are in memory.
    public var seriesCount: Int { series.count }

    /// The metrics that are kept.
    public var metrics: Set<String> { charted.union(neededByRules) }

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
        endBuckets(at: moment)
        for metric in metrics {
            guard let family = samples[metric], family.metric.kind != .info else { continue }
            for sample in family.samples where sample.value.isFinite {
                record(sample.value, SeriesName(metric: metric, labels: family.labels(of: sample)), at: moment)
            }
        }
        sweep(at: moment)
    }

    /// The buckets that ended since this was last asked, the shortest steps of a series first.
    public mutating func takeEnded() -> [HistoryRow] {
        defer { ended = [] }
        return ended
    }

    private mutating func record(_ value: Double, _ name: SeriesName, at moment: Timestamp) {
        let number = tiers[0].number(of: moment)
        guard let index = series.index(forKey: name) else {
            guard series.count < seriesMax else {
                droppedCount += 1
                return
            }
            var new = empty(last: value, at: moment)
            new.open[0] = HistoryBucket(number: number, value: Float(value))
            series[name] = new
            return
        }
        let last = series.values[index].last
        // A counter that is smaller than before has started again from 0.
        let growth = value >= last ? value - last : value
        let measured = HistoryBucket(number: number, value: Float(value), growth: Float(growth))
        if series.values[index].open[0] == nil {
            series.values[index].open[0] = measured
        } else {
            series.values[index].open[0]?.merge(measured)
        }
        series.values[index].last = value
        series.values[index].lastAt = moment
    }

    private func empty(last: Double, at moment: Timestamp) -> Series {
        Series(
            rings: tiers.map { HistoryRing(capacity: $0.recentCount) },
            open: Array(repeating: nil, count: tiers.count), last: last, lastAt: moment)
    }

    private mutating func endBuckets(at moment: Timestamp) {
        let current = tiers.map { $0.number(of: moment) }
        // Not over its indices: they would hold a copy of all series while these change.
        var index = series.startIndex
        while index != series.endIndex {
            for tier in tiers.indices {
                guard let bucket = series.values[index].open[tier], bucket.number < current[tier] else { continue }
                ended += series.values[index].end(tier, tiers, series[index].key)
            }
            series.formIndex(after: &index)
        }
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

    // MARK: - After a restart

    /// Takes in what a file kept, before anything is recorded: a series' rows of each step in the order of time.
    /// Buckets of longer steps that went on when the file was left are put together again out of the shorter ones.
    public mutating func restore(_ rows: [HistoryRow]) {
        precondition(series.isEmpty, "a history is restored before it records")
        for (name, own) in Dictionary(grouping: rows, by: \.series) where series.count < seriesMax {
            var one = empty(last: 0, at: Timestamp(milliseconds: 0))
            let byTier = tiers.map { tier in own.filter { $0.step == tier.step }.map(\.bucket) }
            for (tier, buckets) in byTier.enumerated() {
                for bucket in buckets { one.rings[tier].append(bucket) }
                guard let newest = buckets.last else { continue }
                let start = Timestamp(milliseconds: newest.number * tiers[tier].step.milliseconds)
                guard start >= one.lastAt else { continue }
                one.lastAt = start
                one.last = Double(newest.last)
            }
            let known = one.rings.map { $0.newest?.number ?? .min }
            // From the longest down: what the shorter ones end on the way is then already part of the longer ones.
            for next in tiers.indices.dropFirst().reversed() {
                let factor = tiers[next].step.milliseconds / tiers[next - 1].step.milliseconds
                for bucket in byTier[next - 1] where bucket.number / factor > known[next] {
                    ended += one.fold(bucket, of: next - 1, tiers, name)
                }
            }
            series[name] = one
        }
    }

    // MARK: - Asking

    /// The buckets of a metric that go on, by their labels, as buckets of a tier.
    public func openBuckets(of metric: String, tier: Int) -> [[String: String]: HistoryBucket] {
        var found: [[String: String]: HistoryBucket] = [:]
        for (name, one) in series where name.metric == metric {
            // Of the longer ones only shorter ones that belong to the same bucket are a part.
            var sum: HistoryBucket?
            for lower in stride(from: tier, through: 0, by: -1) {
                guard let open = one.open[lower] else { continue }
                let factor = tiers[tier].step.milliseconds / tiers[lower].step.milliseconds
                let part = open.numbered(open.number / factor)
                if sum?.number == part.number { sum?.merge(part) } else { sum = part }
            }
            found[name.labels] = sum
        }
        return found
    }

    /// By how much a counter grew over a span that ends at a moment; nil where the series is not known.
    public func growth(
        of metric: String, labels: [String: String], over span: TimeSpan, at moment: Timestamp
    ) -> Double? {
        guard let found = series[SeriesName(metric: metric, labels: labels)] else { return nil }
        let reach = tiers.firstIndex { $0.step.milliseconds * Int64($0.recentCount) >= span.milliseconds }
        let tier = reach ?? tiers.count - 1
        let step = tiers[tier].step.milliseconds
        let start = (moment.milliseconds - span.milliseconds) / step + 1
        var sum = found.rings[tier].growth(from: start)
        for lower in 0...tier {
            guard let open = found.open[lower] else { continue }
            if open.number * tiers[lower].step.milliseconds >= start * step { sum += Double(open.growth) }
        }
        return sum
    }
}
