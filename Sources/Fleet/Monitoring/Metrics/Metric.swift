/// The declaration of one metric: everything that the text page, the reference page and the rules say about it.
public struct Metric: Sendable, Hashable {
    /// How its values behave.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Goes up and down.
        case gauge
        /// Only grows, but for restarts.
        case counter
        /// Counts observations by size.
        case histogram
        /// Always 1; its labels are what it tells.
        case info
    }

    /// The name of its samples, with the unit and, for counters, `_total` at the end.
    public let name: String
    /// How its values behave.
    public let kind: Kind
    /// The unit, as the reference page names it; nil for plain numbers.
    public let unit: String?
    /// The labels, in the order in which samples give their values.
    public let labels: [String]
    /// What it tells, as a sentence.
    public let help: String
    /// How many series there may be; further ones are left out and counted.
    public let seriesMax: Int

    init(
        _ name: String, _ kind: Kind = .gauge, unit: String? = nil, labels: [String] = [], _ help: String,
        seriesMax: Int = 100_000
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.help = help
        self.seriesMax = seriesMax
    }

    /// The name of the family in OpenMetrics, where the endings of counters and infos belong to the samples.
    public var openMetricsFamily: String {
        switch kind {
        case .counter where name.hasSuffix("_total"): String(name.dropLast("_total".count))
        case .info where name.hasSuffix("_info"): String(name.dropLast("_info".count))
        default: name
        }
    }
}
