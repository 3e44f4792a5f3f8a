/// What a metric's series were over a time, in equal steps. A step in which nothing was measured has no point.
public struct HistoryAnswer: Sendable, Hashable, Codable {
    /// What a series was in one step.
    public struct Point: Sendable, Hashable, Codable {
        /// When the step begins.
        public var at: Timestamp
        /// The average, the least and the greatest of the values, and the last one.
        public var average: Double
        public var minimum: Double
        public var maximum: Double
        public var last: Double
        /// By how much a counter grew.
        public var growth: Double
        /// How many values were measured.
        public var count: Int64

        /// A point of one value.
        public init(at moment: Timestamp, value: Double) {
            at = moment
            average = value
            minimum = value
            maximum = value
            last = value
            growth = 0
            count = 1
        }

        static let fields: [FieldSchema] = [
            .required("at", .moment, "When the step begins."),
            .required("average", .number(-1e300...1e300), "The average of the values."),
            .required("minimum", .number(-1e300...1e300), "The least value."),
            .required("maximum", .number(-1e300...1e300), "The greatest value."),
            .required("last", .number(-1e300...1e300), "The last value."),
            .required("growth", .number(-1e300...1e300), "By how much a counter grew."),
            .required("count", .integer(1...Int64.max), "How many values were measured."),
        ]
    }

    /// One series.
    public struct Series: Sendable, Hashable, Codable {
        /// Its labels.
        public var labels: [String: String]
        /// Its points, the oldest first.
        public var points: [Point]

        /// A series.
        public init(labels: [String: String], points: [Point]) {
            self.labels = labels
            self.points = points
        }

        static let fields: [FieldSchema] = [
            .required("labels", .labels, "Its labels."),
            .required("points", .list(.object(Point.fields), max: 100_000), "Its points, the oldest first."),
        ]
    }

    /// The metric.
    public var metric: String
    /// From when to when.
    public var since: Timestamp
    public var until: Timestamp
    /// How much time a point takes in.
    public var step: TimeSpan
    /// The series, by their labels.
    public var series: [Series]

    /// Answers with no series yet.
    public init(metric: String, since: Timestamp, until: Timestamp, step: TimeSpan) {
        self.metric = metric
        self.since = since
        self.until = until
        self.step = step
        series = []
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("metric", .text(max: 200), "The metric."),
        .required("since", .moment, "From when."),
        .required("until", .moment, "Until when."),
        .required("step", .span, "How much time a point takes in."),
        .required("series", .list(.object(Series.fields), max: 1000), "The series, by their labels."),
    ]
}
