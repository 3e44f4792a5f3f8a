public import FleetModel

/// Rules as files: for Prometheus itself and for `roost apply -f`.
public enum RuleFiles {
    // MARK: - Prometheus

    /// A rule file for Prometheus.
    public static func prometheus(_ rules: [Resource<AlertRuleSpec>]) -> String {
        var text = """
            # Alert rules of Roost for Prometheus, written from the default rules of the built-in evaluator by the tests
            # of Monitoring. Load it with `rule_files` in prometheus.yml.
            groups:
              - name: roost
                rules:

            """
        for rule in rules where rule.spec.enabled != false {
            let spec = rule.spec
            text += "      - alert: \(rule.metadata.name)\n"
            text += "        expr: \(quoted(expression(of: spec)))\n"
            if let span = spec.holdFor, span.milliseconds > 0 { text += "        for: \(span)\n" }
            text += "        labels:\n          severity: \(spec.severity.rawValue)\n"
            let message = spec.filled { $0 == "value" ? "{{ $value | humanize }}" : "{{ $labels.\($0) }}" }
            text += "        annotations:\n          summary: \(quoted(message))\n"
        }
        return text
    }

    /// The rule's condition in PromQL.
    public static func expression(of rule: AlertRuleSpec) -> String {
        var text = series(rule.metric, rule.labels ?? [:], rule.growthOver)
        if let divisor = rule.dividedBy { text += " / \(series(divisor, [:], rule.growthOver))" }
        let reduction = rule.reduction ?? .each
        if reduction != .each {
            let labels = rule.by ?? []
            let by = labels.isEmpty ? "" : " by (\(labels.joined(separator: ", ")))"
            text = "\(reduction.promQL)\(by) (\(text))"
        }
        return "\(text) \(rule.comparison.promQL) \(MetricsPage.number(rule.threshold))"
    }

    private static func series(_ metric: String, _ labels: [String: String], _ growth: TimeSpan?) -> String {
        let conditions = labels.sorted { $0.key < $1.key }.map { name, value in
            "\(name)=\"\(MetricsPage.escape(value, quotes: true))\""
        }
        let selected = conditions.isEmpty ? metric : "\(metric){\(conditions.joined(separator: ","))}"
        return growth.map { "increase(\(selected)[\($0)])" } ?? selected
    }

    // MARK: - Manifests

    /// The rules' manifests as YAML documents.
    ///
    /// - Throws: Whatever encoding throws.
    public static func manifests(_ rules: [Resource<AlertRuleSpec>]) throws -> String {
        var text = """
            # The rules that the built-in evaluator starts with, written by the tests of Monitoring.
            # `roost apply -f alert-rules.yml` brings them back.

            """
        for rule in rules {
            let json = try JSONValue(encoding: rule)
            text += "---\n"
            for name in ["apiVersion", "kind", "metadata", "spec"] {
                guard let value = json[name] else { continue }
                write(name, value, depth: 0, to: &text)
            }
        }
        return text
    }

    private static func write(_ name: String, _ value: JSONValue, depth: Int, to text: inout String) {
        let indent = String(repeating: "  ", count: depth)
        guard let members = value.members else {
            text += "\(indent)\(name): \(inline(value))\n"
            return
        }
        text += "\(indent)\(name):\n"
        for (name, member) in members.sorted(by: { $0.key < $1.key }) {
            write(name, member, depth: depth + 1, to: &text)
        }
    }

    private static func inline(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): MetricsPage.number(value)
        case .string(let text): quoted(text)
        case .list(let elements): "[\(elements.map(inline).joined(separator: ", "))]"
        case .object: "{}"
        }
    }

    /// A text in YAML's double quotes.
    private static func quoted(_ text: String) -> String {
        "\"\(MetricsPage.escape(text, quotes: true))\""
    }
}

extension AlertRuleSpec.Reduction {
    fileprivate var promQL: String {
        switch self {
        case .each: ""
        case .sum: "sum"
        case .average: "avg"
        case .minimum: "min"
        case .maximum: "max"
        }
    }
}

extension AlertRuleSpec.Comparison {
    fileprivate var promQL: String {
        switch self {
        case .above: ">"
        case .below: "<"
        case .equal: "=="
        }
    }
}
