import FleetModel
import Testing

@testable import Monitoring

@Suite("Alerts")
struct AlertTests {
    private static let start = Timestamp(milliseconds: 1_796_126_400_000)

    /// An evaluator, fed by hand.
    private struct Bench {
        var evaluator = AlertEvaluator()
        var history: MetricHistory
        let rules: [Resource<AlertRuleSpec>]

        init(_ specs: AlertRuleSpec...) {
            rules = specs.enumerated().map { Resource(Metadata(name: "rule-\($0)"), $1) }
            history = MetricHistory(tracking: [])
            history.follow(specs)
        }

        mutating func step(_ second: Int64, _ values: [(Metric, [String], Double)]) -> [String] {
            var sheet = SampleSheet()
            for (metric, labels, value) in values { sheet.add(metric, labels, value) }
            let samples = FleetSamples(families: sheet.sorted())
            let moment = AlertTests.start + .seconds(second)
            history.record(samples, at: moment)
            return evaluator.step(rules: rules, samples: samples, history: history, at: moment).map {
                "\($0.status.rawValue)\($0.isReminder ? " again" : ""): \($0.alert.message)"
            }
        }
    }

    private static func waiting(holdFor span: TimeSpan?) -> AlertRuleSpec {
        var rule = AlertRuleSpec(
            metric: "roost_workload_oldest_wait_seconds", .above, 10, severity: .warning,
            message: "{{project}} waits {{ value }} s")
        rule.holdFor = span
        return rule
    }

    @Test("A condition fires only when it has held, is told once, and is resolved when it has been gone")
    func life() {
        var bench = Bench(AlertTests.waiting(holdFor: .seconds(60)))
        #expect(bench.step(0, [(.oldestWait, ["a"], 11)]) == [])
        #expect(bench.evaluator.alerts.map(\.state) == [.pending])
        #expect(bench.step(59, [(.oldestWait, ["a"], 70)]) == [])
        #expect(bench.step(60, [(.oldestWait, ["a"], 71)]) == ["firing: a waits 71 s"])
        #expect(bench.step(61, [(.oldestWait, ["a"], 72)]) == [])
        #expect(bench.step(62, [(.oldestWait, ["a"], 10)]) == [])
        #expect(bench.step(121, [(.oldestWait, ["a"], 0)]) == [])
        #expect(bench.step(122, []) == ["resolved: a waits 72 s"])
        #expect(bench.evaluator.alerts.isEmpty)
    }

    @Test("A pending condition that goes away is forgotten, and begins anew")
    func pending() {
        var bench = Bench(AlertTests.waiting(holdFor: .seconds(60)))
        _ = bench.step(0, [(.oldestWait, ["a"], 11)])
        #expect(bench.step(30, [(.oldestWait, ["a"], 0)]) == [])
        #expect(bench.evaluator.alerts.isEmpty)
        _ = bench.step(31, [(.oldestWait, ["a"], 11)])
        #expect(bench.step(60, [(.oldestWait, ["a"], 11)]) == [])
        #expect(bench.step(91, [(.oldestWait, ["a"], 11)]) == ["firing: a waits 11 s"])
    }

    @Test("A gap that is shorter than the clearing time is not told")
    func gap() {
        var bench = Bench(AlertTests.waiting(holdFor: nil))
        #expect(bench.step(0, [(.oldestWait, ["a"], 11)]) == ["firing: a waits 11 s"])
        #expect(bench.step(1, []) == [])
        #expect(bench.step(20, [(.oldestWait, ["a"], 12)]) == [])
        #expect(bench.step(49, []) == [])
        #expect(bench.step(78, []) == [])
        #expect(bench.step(79, []) == ["resolved: a waits 12 s"])
    }

    @Test("The more often an alert came to fire of late, the longer it takes until it is resolved")
    func flapping() {
        var bench = Bench(AlertTests.waiting(holdFor: nil))
        var clearing: [Int64] = []
        var second: Int64 = 0
        for _ in 0..<4 {
            #expect(bench.step(second, [(.oldestWait, ["a"], 11)]) == ["firing: a waits 11 s"])
            let gone = second + 1
            var told = bench.step(gone, [])
            second = gone
            while told.isEmpty, second < gone + 1000 {
                second += 1
                told = bench.step(second, [])
            }
            clearing.append(second - gone)
            second += 1
        }
        #expect(clearing == [30, 60, 120, 240])
        // An hour later all is forgotten.
        #expect(bench.step(second + 3600, [(.oldestWait, ["a"], 11)]).count == 1)
        _ = bench.step(second + 3601, [])
        #expect(bench.step(second + 3631, []).count == 1)
    }

    @Test("An alert that still fires is told again after four hours")
    func reminder() {
        var bench = Bench(AlertTests.waiting(holdFor: nil))
        _ = bench.step(0, [(.oldestWait, ["a"], 11)])
        #expect(bench.step(4 * 3600 - 1, [(.oldestWait, ["a"], 12)]) == [])
        #expect(bench.step(4 * 3600, [(.oldestWait, ["a"], 13)]) == ["firing again: a waits 13 s"])
    }

    @Test("Labels select, metrics divide by equal labels, groups are reduced")
    func query() {
        var rule = AlertRuleSpec(
            metric: "roost_pool_memory_allocated_bytes", .above, 0.9, severity: .critical,
            message: "{{pool}}: {{value}}")
        rule.dividedBy = "roost_pool_memory_capacity_bytes"
        var bench = Bench(rule)
        let values: [(Metric, [String], Double)] = [
            (.poolMemoryAllocated, ["a"], 95), (.poolMemoryCapacity, ["a"], 100), (.poolMemoryAllocated, ["b"], 95),
            (.poolMemoryCapacity, ["b"], 200), (.poolMemoryAllocated, ["empty"], 95),
            (.poolMemoryCapacity, ["empty"], 0),
        ]
        #expect(bench.step(0, values) == ["firing: a: 0.95"])

        func wait(_ reduction: AlertRuleSpec.Reduction) -> AlertRuleSpec {
            var rule = AlertRuleSpec(
                metric: "roost_nodes", .above, 0, severity: .info, message: "\(reduction.rawValue) {{pool}} {{value}}")
            rule.reduction = reduction
            rule.by = ["pool"]
            rule.labels = ["phase": "Lost"]
            return rule
        }
        var groups = Bench(wait(.sum), wait(.average), wait(.minimum), wait(.maximum), wait(.each))
        let nodes: [(Metric, [String], Double)] = [
            (.nodes, ["a", "Lost"], 3), (.nodes, ["b", "Lost"], 0), (.nodes, ["b", "Ready"], 7),
        ]
        #expect(
            groups.step(0, nodes)
                == ["sum", "average", "minimum", "maximum", "each"].map { "firing: \($0) a 3" })
    }

    @Test("Growth over a time is what a counter grew, not what it is")
    func growth() {
        var rule = AlertRuleSpec(
            metric: "roost_scheduling_decisions_total", .above, 0, severity: .warning, message: "{{value}}")
        rule.labels = ["verdict": "unschedulable"]
        rule.growthOver = .minutes(1)
        var bench = Bench(rule)
        #expect(bench.step(0, [(.decisions, ["unschedulable"], 500)]) == [])
        #expect(bench.step(10, [(.decisions, ["unschedulable"], 502)]) == ["firing: 2"])
        #expect(bench.step(70, [(.decisions, ["unschedulable"], 502)]) == [])
        #expect(bench.step(100, [(.decisions, ["unschedulable"], 502)]) == ["resolved: 2"])
    }

    @Test("Without its rule an alert is resolved at once; a rule that is switched off says nothing")
    func removed() {
        var bench = Bench(AlertTests.waiting(holdFor: nil))
        _ = bench.step(0, [(.oldestWait, ["a"], 11)])
        var off = bench.rules
        off[0].spec.enabled = false
        let samples = FixtureFleet.samples
        let told = bench.evaluator.step(
            rules: off, samples: samples, history: bench.history, at: AlertTests.start + .seconds(1))
        #expect(told.map(\.status) == [.resolved])
        #expect(bench.evaluator.alerts.isEmpty)
    }

    @Test("One rule has at most so many alerts, always the same ones")
    func alertsMax() {
        var settings = AlertEvaluator.Settings()
        settings.alertsMax = 2
        var bench = Bench(AlertTests.waiting(holdFor: nil))
        bench.evaluator = AlertEvaluator(settings)
        let told = bench.step(0, ["d", "c", "b", "a"].map { (.oldestWait, [$0], 11) })
        #expect(told == ["firing: a waits 11 s", "firing: b waits 11 s"])
    }

    @Test("A rule with a wrong metric or label is told what there is")
    func problems() {
        var rule = AlertRuleSpec(metric: "roost_node", .above, 0, severity: .info, message: "")
        #expect(
            rule.metricProblems.map(\.description)
                == ["spec.metric: there is no metric \"roost_node\"; did you mean roost_nodes?"])
        rule.metric = "roost_nodes"
        rule.labels = ["state": "x"]
        rule.by = ["pool", "rack"]
        #expect(
            rule.metricProblems.map(\.description)
                == ["spec.labels: roost_nodes has no label state", "spec.by: roost_nodes has no label rack"])
        rule = AlertRuleSpec(
            metric: "roost_api_request_duration_seconds", .above, 0, severity: .info, message: "")
        #expect(rule.metricProblems.count == 1)
    }
}
