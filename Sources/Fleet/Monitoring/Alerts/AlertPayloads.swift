public import FleetModel

/// What is sent to those who are told, as JSON.
public enum AlertPayloads {
    /// The body of `POST /api/v2/alerts` of an Alertmanager: alerts that fire, with the time until which that counts,
    /// and those that were resolved.
    ///
    /// - Parameters:
    ///   - firing: All alerts that fire, not only news: an Alertmanager forgets what it is not told again.
    ///   - resolved: The notifications of alerts that were resolved; others are left out.
    ///   - validFor: How long what fires counts as firing; a few times the interval in which this is sent.
    ///   - origin: The address of the dashboard.
    public static func alertmanager(
        firing: [Alert], resolved: [AlertNotification] = [], at moment: Timestamp, validFor: TimeSpan, origin: String
    ) -> JSONValue {
        let open = firing.filter { $0.state == .firing }.map { body($0, endsAt: moment + validFor, origin) }
        let over = resolved.filter { $0.status == .resolved }.map { body($0.alert, endsAt: $0.moment, origin) }
        return .list(open + over)
    }

    /// The body for a plain webhook, in the shape of Alertmanager's own webhooks (version 4), so that receivers for
    /// those understand it; nil where there is nothing to tell.
    public static func webhook(_ notifications: [AlertNotification], receiver: String, origin: String) -> JSONValue? {
        guard !notifications.isEmpty else { return nil }
        let alerts = notifications.map { notification in
            var alert = body(
                notification.alert, endsAt: notification.status == .resolved ? notification.moment : nil, origin)
            alert["status"] = .string(notification.status.rawValue)
            alert["fingerprint"] = .string(fingerprint(notification.alert))
            return alert
        }
        let isFiring = notifications.contains { $0.status == .firing }
        return [
            "version": "4", "groupKey": .string("{}:{receiver=\"\(receiver)\"}"), "truncatedAlerts": 0,
            "status": isFiring ? "firing" : "resolved", "receiver": .string(receiver), "groupLabels": [:],
            "commonLabels": .object(common(alerts, "labels")),
            "commonAnnotations": .object(common(alerts, "annotations")),
            "externalURL": .string(origin), "alerts": .list(alerts),
        ]
    }

    private static func body(_ alert: Alert, endsAt: Timestamp?, _ origin: String) -> JSONValue {
        var labels = alert.labels.mapValues { JSONValue.string($0) }
        labels["alertname"] = .string(alert.rule)
        labels["severity"] = .string(alert.severity.rawValue)
        labels["job"] = "roost"
        var body: JSONValue = [
            "labels": .object(labels),
            "annotations": [
                "summary": .string(alert.message), "value": .string(MetricsPage.number(alert.value)),
            ],
            "startsAt": .string((alert.firingSince ?? alert.since).description),
            "generatorURL": .string(origin + "/ui/alerts"),
        ]
        body["endsAt"] = endsAt.map { .string($0.description) }
        return body
    }

    private static func common(_ alerts: [JSONValue], _ field: String) -> [String: JSONValue] {
        guard let first = alerts.first?[field]?.members else { return [:] }
        return first.filter { name, value in alerts.allSatisfy { $0[field]?[name] == value } }
    }

    /// The same for the same rule and labels, on every machine (FNV-1a).
    private static func fingerprint(_ alert: Alert) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in (alert.rule + "\0" + alert.labels.sortedText).utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
