public import FleetModel

/// What is asked of the history.
public struct HistoryQuestion: Sendable, Hashable {
    /// The metric.
    public var metric: String
    /// From when to when.
    public var since: Timestamp
    public var until: Timestamp
    /// How much time a point should take in; as little as there is where nil.
    public var step: TimeSpan?

    /// Asks about a metric.
    public init(metric: String, since: Timestamp, until: Timestamp, step: TimeSpan? = nil) {
        self.metric = metric
        self.since = since
        self.until = until
        self.step = step
    }

    /// From which tier it is answered, and how many of its buckets become a point.
    public struct Source: Sendable, Hashable {
        public var tier: Int
        public var factor: Int64
        /// The numbers of the tier's buckets.
        public var numbers: ClosedRange<Int64>
        /// How much time a point takes in.
        public var step: TimeSpan
    }

    /// The shortest step that reaches back far enough; of those that do, the longest that is no longer than what is
    /// asked for. A point takes in a whole number of buckets, so the answer's step may be longer than asked for.
    public func source(_ tiers: [HistoryTier], now: Timestamp) -> Source {
        let reach = tiers.firstIndex { now - since <= $0.span } ?? tiers.count - 1
        let fitting = step.flatMap { step in tiers.lastIndex { $0.step <= step } } ?? 0
        let tier = max(reach, fitting)
        let length = tiers[tier].step.milliseconds
        let factor = max(1, ((step?.milliseconds ?? length) + length - 1) / length)
        // The first point is whole, even where it begins before what is asked for.
        let first = since.milliseconds / (length * factor) * factor
        return Source(
            tier: tier, factor: factor, numbers: first...max(first, until.milliseconds / length),
            step: TimeSpan(milliseconds: length * factor))
    }

    /// Puts an answer together out of a tier's buckets: those of the file, in order, and those that go on.
    public func answer(
        _ source: Source, kept: [(labels: [String: String], buckets: [HistoryBucket])],
        open: [[String: String]: HistoryBucket]
    ) -> HistoryAnswer {
        var all = Dictionary(kept.map { ($0.labels, $0.buckets) }) { first, _ in first }
        for (labels, bucket) in open where source.numbers.contains(bucket.number) {
            all[labels, default: []].append(bucket)
        }
        var answer = HistoryAnswer(metric: metric, since: since, until: until, step: source.step)
        answer.series = all.sorted { $0.key.sortedText < $1.key.sortedText }.map { labels, buckets in
            let merged = HistoryBucket.merged(buckets, by: source.factor)
            return .init(labels: labels, points: merged.map { .init($0, step: source.step) })
        }
        return answer
    }
}
