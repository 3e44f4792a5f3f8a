public import FleetModel

/// One step of down-sampling: how long its buckets are, and for how long they are kept.
public struct HistoryTier: Sendable, Hashable {
    /// How much time a bucket takes in; a multiple of the step before it.
    public var step: TimeSpan
    /// For how long buckets are kept in the file.
    public var span: TimeSpan
    /// How many of the last buckets are kept in memory too, for rules that look back.
    public var recentCount: Int

    /// Describes a step.
    public init(step: TimeSpan, span: TimeSpan, recentCount: Int) {
        precondition(step.milliseconds > 0 && span >= step && recentCount > 0, "a tier has a step and room")
        self.step = step
        self.span = span
        self.recentCount = recentCount
    }

    /// Which bucket a moment falls into.
    public func number(of moment: Timestamp) -> Int64 { moment.milliseconds / step.milliseconds }

    /// Ten seconds for an hour, minutes for a day, quarters of an hour for as long as is asked for.
    ///
    /// In memory that is 40 KB for each series at most, and rules may look back over seven days.
    public static func usual(span: TimeSpan = .hours(30 * 24)) -> [HistoryTier] {
        [
            HistoryTier(step: .seconds(10), span: .hours(1), recentCount: 360),
            HistoryTier(step: .minutes(1), span: .hours(24), recentCount: 240),
            HistoryTier(step: .minutes(15), span: span, recentCount: 672),
        ]
    }
}

/// A series: a metric and its labels.
public struct SeriesName: Sendable, Hashable {
    public let metric: String
    public let labels: [String: String]

    /// Names a series.
    public init(metric: String, labels: [String: String]) {
        self.metric = metric
        self.labels = labels
    }
}

/// A bucket of a series that is over, as the file keeps it.
public struct HistoryRow: Sendable, Hashable {
    public var series: SeriesName
    /// The length of the bucket.
    public var step: TimeSpan
    public var bucket: HistoryBucket

    /// Describes a row.
    public init(series: SeriesName, step: TimeSpan, bucket: HistoryBucket) {
        self.series = series
        self.step = step
        self.bucket = bucket
    }
}
