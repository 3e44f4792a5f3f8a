import FleetModel

/// All metrics' samples at one moment. Computed once; the page, the history and the rules read it.
public struct FleetSamples: Sendable {
    /// The families that have samples, in the order of the table.
    public let families: [MetricFamily]

    private let index: [String: Int]

    /// Computes the samples of a fleet.
    public init(
        snapshot: FleetSnapshot, telemetry: FleetTelemetry, counters: FleetCounters, alerts: [Alert] = []
    ) {
        var sheet = SampleSheet()
        let fleet = FleetReading(snapshot: snapshot, telemetry: telemetry)
        fleet.addPools(to: &sheet)
        fleet.addNodes(to: &sheet)
        fleet.addDevices(to: &sheet)
        fleet.addVGPUs(to: &sheet)
        fleet.addWorkloads(to: &sheet)
        fleet.addProjects(to: &sheet)
        fleet.addQuotas(to: &sheet)
        counters.add(to: &sheet)
        sheet.add(.build, [snapshot.version], 1)
        for severity in AlertRuleSpec.Severity.allCases {
            for state in Alert.State.allCases {
                let count = alerts.count { $0.severity == severity && $0.state == state }
                sheet.add(.alerts, [severity.rawValue, state.rawValue], Double(count))
            }
        }
        for (name, count) in sheet.dropped { sheet.add(.droppedSeries, [name], Double(count)) }
        self.init(families: sheet.sorted())
    }

    init(families: [MetricFamily]) {
        self.families = families
        index = Dictionary(families.enumerated().map { ($1.metric.name, $0) }) { first, _ in first }
    }

    /// The samples of a metric; nil where there are none.
    public subscript(_ name: String) -> MetricFamily? { index[name].map { families[$0] } }
}

extension FleetCounters {
    func add(to sheet: inout SampleSheet) {
        for (key, count) in requests.sorted(by: { $0.key < $1.key }) {
            sheet.add(.apiRequests, [key.operation, String(key.code)], Double(count))
        }
        sheet.add(.apiDuration, requestDurations)
        for verdict in Verdict.allCases {
            sheet.add(.decisions, [verdict.rawValue], Double(verdicts[verdict] ?? 0))
        }
        sheet.add(.decisionDuration, decisionDurations)
        for (reason, count) in evictions.sorted(by: { $0.key < $1.key }) {
            sheet.add(.evictions, [reason], Double(count))
        }
        sheet.add(.notifications, ["arrived"], Double(notificationsSent))
        sheet.add(.notifications, ["failed"], Double(notificationsFailed))
        for (result, count) in spans.sorted(by: { $0.key < $1.key }) { sheet.add(.spans, [result], Double(count)) }
    }
}
