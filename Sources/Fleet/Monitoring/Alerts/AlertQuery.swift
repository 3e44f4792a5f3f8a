public import FleetModel

/// What a rule looks at: the values of its series, or of groups of them.
struct AlertQuery {
    let rule: AlertRuleSpec
    let samples: FleetSamples
    let history: MetricHistory
    let moment: Timestamp

    /// A value and the labels that it is for.
    struct Reading: Hashable {
        let labels: [String: String]
        let value: Double
    }

    /// The readings for which the condition holds, at most so many, in a stable order.
    func matches(max count: Int) -> [Reading] {
        let holding = reduced(divided(values(of: rule.metric, where: rule.labels ?? [:]))).filter { holds($0.value) }
        guard holding.count > 1 else { return holding }
        return Array(holding.sorted { $0.labels.sortedText < $1.labels.sortedText }.prefix(count))
    }

    private func holds(_ value: Double) -> Bool {
        switch rule.comparison {
        case .above: value > rule.threshold
        case .below: value < rule.threshold
        case .equal: value == rule.threshold
        }
    }

    private func values(of metric: String, where wanted: [String: String]) -> [Reading] {
        guard let family = samples[metric] else { return [] }
        return family.samples.compactMap { sample in
            let labels = family.labels(of: sample)
            guard wanted.allSatisfy({ labels[$0.key] == $0.value }) else { return nil }
            guard let span = rule.growthOver else { return Reading(labels: labels, value: sample.value) }
            return history.growth(of: metric, labels: labels, over: span, at: moment)
                .map { Reading(labels: labels, value: $0) }
        }
    }

    private func divided(_ readings: [Reading]) -> [Reading] {
        guard let divisor = rule.dividedBy else { return readings }
        let divisors = Dictionary(
            values(of: divisor, where: [:]).map { ($0.labels, $0.value) }
        ) { first, _ in first }
        return readings.compactMap { reading in
            guard let below = divisors[reading.labels], below != 0 else { return nil }
            return Reading(labels: reading.labels, value: reading.value / below)
        }
    }

    private func reduced(_ readings: [Reading]) -> [Reading] {
        let reduction = rule.reduction ?? .each
        guard reduction != .each else { return readings }
        let names = Set(rule.by ?? [])
        let groups = Dictionary(grouping: readings) { $0.labels.filter { names.contains($0.key) } }
        return groups.map { labels, members in
            Reading(labels: labels, value: reduction.reduce(members.map(\.value)))
        }
    }
}

extension AlertRuleSpec.Reduction {
    fileprivate func reduce(_ values: [Double]) -> Double {
        switch self {
        case .each, .sum: values.reduce(0, +)
        case .average: values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
        case .minimum: values.min() ?? .nan
        case .maximum: values.max() ?? .nan
        }
    }
}

extension [String: String] {
    /// The labels in a stable order, as one text.
    var sortedText: String {
        sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }
}

extension AlertRuleSpec {
    /// What is wrong with the rule against the table of metrics: names and labels that there are not.
    public var metricProblems: [FieldProblem] {
        var problems: [FieldProblem] = []
        func check(_ name: String, _ field: String) -> Metric? {
            guard let found = Metric.named(name) else {
                let hint = nearest(to: name, among: Metric.all.map(\.name)).map { "; did you mean \($0)?" } ?? ""
                problems.append(FieldProblem("spec.\(field)", "there is no metric \"\(name)\"\(hint)"))
                return nil
            }
            if found.kind == .histogram {
                problems.append(FieldProblem("spec.\(field)", "\(name) is a histogram, which has no single value"))
            }
            return found
        }
        if let divisor = dividedBy, check(divisor, "dividedBy") == nil { return problems }
        guard let found = check(metric, "metric") else { return problems }
        for name in (labels ?? [:]).keys.sorted() where !found.labels.contains(name) {
            problems.append(FieldProblem("spec.labels", "\(metric) has no label \(name)"))
        }
        for name in by ?? [] where !found.labels.contains(name) {
            problems.append(FieldProblem("spec.by", "\(metric) has no label \(name)"))
        }
        return problems
    }
}
