/// The text that Prometheus and those like it read.
public enum MetricsPage {
    /// In which of the two forms.
    public enum Format: Sendable, Hashable, CaseIterable {
        case prometheus, openMetrics

        /// The HTTP header's value.
        public var mediaType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }

        /// What a client's `Accept` header asks for: OpenMetrics where it is named, unless with a quality of 0.
        public init(accept: String?) {
            let offers = (accept ?? "").lowercased().split(separator: ",").map { $0.filter { $0 != " " } }
            let isOpen = offers.contains { offer in
                let parts = offer.split(separator: ";")
                return parts.first == "application/openmetrics-text"
                    && !parts.contains { $0 == "q=0" || $0.hasPrefix("q=0.0") }
            }
            self = isOpen ? .openMetrics : .prometheus
        }
    }

    /// The page of a fleet.
    public static func text(
        snapshot: FleetSnapshot, telemetry: FleetTelemetry, counters: FleetCounters, alerts: [Alert] = [],
        format: Format
    ) -> String {
        text(
            FleetSamples(snapshot: snapshot, telemetry: telemetry, counters: counters, alerts: alerts), format: format)
    }

    /// The page of samples that are there.
    public static func text(_ samples: FleetSamples, format: Format) -> String {
        var page = ""
        for family in samples.families { write(family, format, to: &page) }
        if format == .openMetrics { page += "# EOF\n" }
        return page
    }

    // MARK: - Families

    private static func write(_ family: MetricFamily, _ format: Format, to page: inout String) {
        let metric = family.metric
        let name = format == .openMetrics ? metric.openMetricsFamily : metric.name
        page += "# HELP \(name) \(escape(metric.help, quotes: format == .openMetrics))\n"
        page += "# TYPE \(name) \(typeName(metric.kind, format))\n"
        if format == .openMetrics, let unit = metric.unit, name.hasSuffix("_\(unit)") {
            page += "# UNIT \(name) \(unit)\n"
        }
        if let histogram = family.histogram {
            write(histogram, named: metric.name, to: &page)
            return
        }
        for sample in family.samples {
            page += metric.name
            writeLabels(metric.labels, sample.labelValues, to: &page)
            page += " \(number(sample.value))\n"
        }
    }

    private static func typeName(_ kind: Metric.Kind, _ format: Format) -> String {
        kind == .info && format == .prometheus ? "gauge" : kind.rawValue
    }

    private static func writeLabels(_ names: [String], _ values: [String], to page: inout String) {
        var opening = "{"
        for (name, value) in zip(names, values) where !value.isEmpty {
            page += "\(opening)\(name)=\"\(escape(value, quotes: true))\""
            opening = ","
        }
        if opening == "," { page += "}" }
    }

    private static func write(_ histogram: Histogram, named name: String, to page: inout String) {
        var sum = 0
        for (index, count) in histogram.counts.enumerated() {
            sum += count
            // OpenMetrics wants the bound of a bucket with a point: 1.0.
            let bound = index < histogram.bounds.count ? "\(histogram.bounds[index])" : "+Inf"
            page += "\(name)_bucket{le=\"\(bound)\"} \(sum)\n"
        }
        page += "\(name)_sum \(number(histogram.sum))\n\(name)_count \(sum)\n"
    }

    // MARK: - Text

    /// A number as both forms write it.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return "\(value)"
    }

    static func escape(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x0A || $0 == 0x22 }) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
