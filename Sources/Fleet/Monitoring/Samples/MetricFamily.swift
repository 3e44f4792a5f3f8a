/// A metric's samples at one moment.
public struct MetricFamily: Sendable, Hashable {
    /// One series' value.
    public struct Sample: Sendable, Hashable {
        /// The labels' values, in the order of the metric's labels.
        public var labelValues: [String]
        /// The value; the number of observations for histograms.
        public var value: Double
    }

    /// The metric.
    public let metric: Metric
    /// The series, sorted by their labels' values.
    public internal(set) var samples: [Sample] = []
    /// What a histogram has observed.
    public internal(set) var histogram: Histogram?
    /// How many series were left out.
    public internal(set) var droppedCount = 0

    init(_ metric: Metric) {
        self.metric = metric
    }

    /// A sample's labels by name, those without a value left out.
    public func labels(of sample: Sample) -> [String: String] {
        var labels: [String: String] = [:]
        for (name, value) in zip(metric.labels, sample.labelValues) where !value.isEmpty { labels[name] = value }
        return labels
    }
}

/// Gathers samples, family by family.
struct SampleSheet {
    private var families: [String: MetricFamily] = [:]

    /// Adds a series; nothing where the value is not known.
    mutating func add(_ metric: Metric, _ labelValues: [String] = [], _ value: Double?) {
        guard let value else { return }
        precondition(labelValues.count == metric.labels.count, "\(metric.name) has other labels")
        var family = families.removeValue(forKey: metric.name) ?? MetricFamily(metric)
        if family.samples.count < metric.seriesMax {
            family.samples.append(.init(labelValues: labelValues, value: value))
        } else {
            family.droppedCount += 1
        }
        families[metric.name] = family
    }

    mutating func add(_ metric: Metric, _ histogram: Histogram) {
        var family = MetricFamily(metric)
        family.histogram = histogram
        family.samples = [.init(labelValues: [], value: Double(histogram.count))]
        families[metric.name] = family
    }

    /// The families that have samples, in the order of the table; a family's series in the order of their labels.
    func sorted() -> [MetricFamily] {
        Metric.all.compactMap { metric in
            guard var family = families[metric.name] else { return nil }
            family.samples.sort { $0.labelValues.lexicographicallyPrecedes($1.labelValues) }
            return family
        }
    }

    /// How many series each metric left out.
    var dropped: [(name: String, count: Int)] {
        families.values.filter { $0.droppedCount > 0 }.map { ($0.metric.name, $0.droppedCount) }
    }
}
