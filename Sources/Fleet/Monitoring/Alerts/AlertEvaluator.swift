public import FleetModel

/// The built-in evaluator: which alerts are pending or fire, and whom to tell now. A pure state machine; a thin service
/// steps it and delivers what it returns.
public struct AlertEvaluator: Sendable {
    /// How it behaves whatever the rule.
    public struct Settings: Sendable, Hashable {
        /// How long a condition must be gone before the alert is resolved, at least; a rule's `holdFor` counts where
        /// it is longer.
        public var clearFor = TimeSpan.seconds(30)
        /// An alert that came to fire several times within this time is resolved more slowly: the time doubles with
        /// each.
        public var flappingWindow = TimeSpan.hours(1)
        /// By which factor at most.
        public var flappingFactorMax = 16
        /// After how long an alert that still fires is told again.
        public var remindAfter = TimeSpan.hours(4)
        /// How many alerts one rule may have.
        public var alertsMax = 1000

        /// The values that suit most.
        public init() {}
    }

    private struct Key: Hashable, Comparable {
        let rule: String
        let labels: [String: String]

        static func < (left: Key, right: Key) -> Bool {
            (left.rule, left.labels.sortedText) < (right.rule, right.labels.sortedText)
        }
    }

    /// How it behaves.
    public let settings: Settings

    private var states: [Key: Alert] = [:]
    /// When alerts that are resolved fired of late, so that flapping is seen across them.
    private var pastFirings: [Key: [Timestamp]] = [:]

    /// Starts without alerts.
    public init(_ settings: Settings = Settings()) {
        self.settings = settings
    }

    /// The alerts that are pending or fire, by rule and labels.
    public var alerts: [Alert] { states.sorted { $0.key < $1.key }.map(\.value) }

    /// Looks at all rules.
    ///
    /// - Returns: Whom to tell what, by rule and labels. An alert is told when it comes to fire, again after a time,
    ///   and when it is resolved.
    public mutating func step(
        rules: [Resource<AlertRuleSpec>], samples: FleetSamples, history: MetricHistory, at moment: Timestamp
    ) -> [AlertNotification] {
        var notifications: [(Key, AlertNotification)] = []
        var seen: Set<Key> = []
        var enabled: [String: AlertRuleSpec] = [:]
        for rule in rules where rule.spec.enabled != false {
            let name = rule.metadata.name
            enabled[name] = rule.spec
            let query = AlertQuery(rule: rule.spec, samples: samples, history: history, moment: moment)
            for reading in query.matches(max: settings.alertsMax) {
                let key = Key(rule: name, labels: reading.labels)
                seen.insert(key)
                if let told = hold(key, rule.spec, reading.value, at: moment) { notifications.append((key, told)) }
            }
        }
        for key in states.keys where !seen.contains(key) {
            if let told = clear(key, enabled[key.rule], at: moment) { notifications.append((key, told)) }
        }
        forgetOldFirings(at: moment)
        return notifications.sorted { $0.0 < $1.0 }.map(\.1)
    }

    // MARK: - A condition holds

    private mutating func hold(
        _ key: Key, _ rule: AlertRuleSpec, _ value: Double, at moment: Timestamp
    ) -> AlertNotification? {
        var alert =
            states[key]
            ?? Alert(
                rule: key.rule, labels: key.labels, severity: rule.severity, value: value, message: "",
                state: .pending, since: moment)
        alert.value = value
        alert.severity = rule.severity
        alert.message = rule.filledMessage(labels: key.labels, value: value)
        alert.clearSince = nil
        defer { states[key] = alert }
        if alert.state == .pending {
            guard moment - alert.since >= rule.holdFor ?? .seconds(0) else { return nil }
            alert.state = .firing
            alert.firingSince = moment
            alert.firings = (pastFirings.removeValue(forKey: key) ?? []) + [moment]
        } else if let told = alert.toldAt, moment - told < settings.remindAfter {
            return nil
        }
        let isReminder = alert.toldAt != nil
        alert.toldAt = moment
        return AlertNotification(status: .firing, alert: alert, moment: moment, isReminder: isReminder)
    }

    // MARK: - A condition is gone

    private mutating func clear(_ key: Key, _ rule: AlertRuleSpec?, at moment: Timestamp) -> AlertNotification? {
        guard var alert = states[key] else { return nil }
        guard alert.state == .firing else {
            states[key] = nil
            return nil
        }
        let since = alert.clearSince ?? moment
        alert.clearSince = since
        // Without its rule there is nothing to wait for.
        guard rule == nil || moment - since >= clearingTime(alert, rule, at: moment) else {
            states[key] = alert
            return nil
        }
        states[key] = nil
        if rule != nil { pastFirings[key] = alert.firings }
        return AlertNotification(status: .resolved, alert: alert, moment: moment, isReminder: false)
    }

    /// How long the condition must be gone.
    private func clearingTime(_ alert: Alert, _ rule: AlertRuleSpec?, at moment: Timestamp) -> TimeSpan {
        let base = max(settings.clearFor, rule?.holdFor ?? .seconds(0))
        let recent = alert.firings.count { moment - $0 < settings.flappingWindow }
        let doublings = min(max(recent - 1, 0), 16)
        let factor = min(1 << doublings, max(settings.flappingFactorMax, 1))
        return TimeSpan(milliseconds: base.milliseconds * Int64(factor))
    }

    private mutating func forgetOldFirings(at moment: Timestamp) {
        pastFirings = pastFirings.compactMapValues { firings in
            let recent = firings.filter { moment - $0 < settings.flappingWindow }
            return recent.isEmpty ? nil : recent
        }
    }
}

extension AlertRuleSpec {
    /// The message with labels and value in their places; a label that is not there leaves nothing.
    func filledMessage(labels: [String: String], value: Double) -> String {
        filled { name in name == "value" ? readable(value) : labels[name] ?? "" }
    }

    /// The message with something else for each `{{name}}`.
    func filled(_ replace: (String) -> String) -> String {
        var text = ""
        var rest = message[...]
        while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
            let name = rest[open.upperBound..<close.lowerBound].filter { $0 != " " }
            text += rest[..<open.lowerBound] + replace(name)
            rest = rest[close.upperBound...]
        }
        return text + rest
    }

    private func readable(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return MetricsPage.number(value) }
        return MetricsPage.number((value * 1000).rounded() / 1000)
    }
}
