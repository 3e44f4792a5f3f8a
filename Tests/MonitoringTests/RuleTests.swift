import FleetModel
import Foundation
import Testing

@testable import Monitoring

@Suite("Default rules and payloads")
struct RuleTests {
    @Test("There are TensorFusion's fifteen rules by name, and four of our own")
    func fifteen() {
        let theirs = DefaultRules.all.compactMap { $0.metadata.annotations?["tensor-fusion.ai/alert"] }
        #expect(
            theirs == [
                "WorkerTFlopsThrottled", "WorkerVRAMSwitchCountIncreasing", "WorkerAllocationFailed", "GPUVRAMFull",
                "GPUTFlopsFull", "GPUTemperatureHigh", "NodeTFlopsAllocationCritical", "NodeTFlopsAllocationWarning",
                "PoolTotalTFlopsAllocationCritical", "PoolTotalTFlopsAllocationWarning", "NodeVRAMAllocationCritical",
                "NodeVRAMAllocationWarning", "PoolVRAMAllocationWarning", "EmptyGPU", "IdleGPU",
            ])
        #expect(DefaultRules.all.count == 19)
        #expect(Set(DefaultRules.all.map(\.metadata.name)).count == 19)
    }

    @Test("Each default rule is a valid manifest over metrics and labels that there are", arguments: DefaultRules.all)
    func valid(_ rule: Resource<AlertRuleSpec>) throws {
        let document = try ResourceDocument(manifest: JSONValue(encoding: rule))
        #expect(try document.resource(AlertRuleSpec.self).spec == rule.spec)
        #expect(rule.spec.metricProblems.isEmpty)
        // A message names labels that the alert has.
        let metric = try #require(Metric.named(rule.spec.metric))
        let labels = (rule.spec.reduction ?? .each) == .each ? metric.labels : rule.spec.by ?? []
        _ = rule.spec.filled { name in
            #expect(name == "value" || labels.contains(name), "\(rule.metadata.name) names \(name)")
            return ""
        }
    }

    @Test("The rule files are the default rules'")
    func files() throws {
        let prometheus = RuleFiles.prometheus(DefaultRules.all)
        #expect(try CheckedFile.text("Deploy/prometheus/roost-rules.yml", rewrittenAs: prometheus) == prometheus)
        let manifests = try RuleFiles.manifests(DefaultRules.all)
        #expect(try CheckedFile.text("Deploy/alert-rules.yml", rewrittenAs: manifests) == manifests)
    }

    @Test("A rule's condition reads the same in PromQL")
    func promQL() {
        var rule = AlertRuleSpec(metric: "a", .above, 0.5, severity: .info, message: "")
        #expect(RuleFiles.expression(of: rule) == "a > 0.5")
        rule.labels = ["y": "\"", "x": "1"]
        rule.growthOver = .minutes(1)
        rule.dividedBy = "b"
        rule.reduction = .average
        rule.by = ["pool", "node"]
        rule.comparison = .equal
        #expect(
            RuleFiles.expression(of: rule)
                == #"avg by (pool, node) (increase(a{x="1",y="\""}[1m]) / increase(b[1m])) == 0.5"#)
    }

    @Test("On the small fleet the default rules fire that should")
    func small() throws {
        var evaluator = AlertEvaluator()
        var history = MetricHistory()
        history.follow(DefaultRules.all.map(\.spec))
        var notifications: [AlertNotification] = []
        for minute in Int64(0)...31 {
            let moment = FixtureFleet.moment + .minutes(minute)
            history.record(FixtureFleet.samples, at: moment)
            notifications += evaluator.step(
                rules: DefaultRules.all, samples: FixtureFleet.samples, history: history, at: moment)
        }
        let fired = notifications.map { "\($0.alert.rule): \($0.alert.message)" }
        #expect(
            fired.sorted() == [
                "device-idle: gpu1 on gpu-1 hardly computes and hardly uses memory",
                "device-memory-full: programs use 0.988 of the memory of gpu0 on gpu-1",
                "device-temperature-high: gpu0 on gpu-1 is at 93 °C",
                "node-compute-critical: 0.96 of the compute of node gpu-1 is promised",
                "node-compute-warning: 0.96 of the compute of node gpu-1 is promised",
                "node-empty: node gpu-2 of pool main has no vGPUs",
                "node-not-ready: node gpu-2 of pool main is not ready",
                "pool-compute-critical: 0.96 of the compute of pool main is promised",
                "pool-compute-warning: 0.96 of the compute of pool main is promised",
                "quota-nearly-used: quota research of project research: compute of its requests is nearly used up",
                "workload-waits-long: a workload of project research has waited for 3600 s; roost why tells what for",
            ])
        // For the comparison with Prometheus, and for a real Alertmanager.
        let body = AlertPayloads.alertmanager(
            firing: evaluator.alerts, at: FixtureFleet.moment + .minutes(31), validFor: .minutes(3),
            origin: "http://127.0.0.1:7600")
        let text = String(decoding: try body.encoded(isPretty: true), as: UTF8.self) + "\n"
        #expect(try CheckedFile.text("Tests/Fixtures/metrics/alertmanager.json", rewrittenAs: text) == text)
    }

    private static func alert(_ project: String) -> Alert {
        var alert = Alert(
            rule: "workload-waits-long", labels: ["project": project], severity: .warning, value: 12,
            message: "\(project) waits", state: .firing, since: FixtureFleet.moment)
        alert.firingSince = FixtureFleet.moment + .seconds(60)
        return alert
    }

    @Test("An Alertmanager is told what fires with an end in the future, and what is over with its end")
    func alertmanager() throws {
        let moment = FixtureFleet.moment + .minutes(10)
        var pending = RuleTests.alert("c")
        pending.state = .pending
        let over = AlertNotification(
            status: .resolved, alert: RuleTests.alert("b"), moment: moment, isReminder: false)
        let body = AlertPayloads.alertmanager(
            firing: [RuleTests.alert("a"), pending], resolved: [over], at: moment, validFor: .minutes(3),
            origin: "http://roost")
        #expect(body.elements?.count == 2)
        let first = try #require(body.elements?.first)
        #expect(
            first["labels"]
                == ["alertname": "workload-waits-long", "job": "roost", "project": "a", "severity": "warning"])
        #expect(first["annotations"] == ["summary": "a waits", "value": "12"])
        #expect(first["startsAt"]?.text == (FixtureFleet.moment + .seconds(60)).description)
        #expect(first["endsAt"]?.text == (moment + .minutes(3)).description)
        #expect(body.elements?.last?["endsAt"]?.text == moment.description)
    }

    @Test("A webhook is told what is common and what is not; without news there is nothing to send")
    func webhook() throws {
        #expect(AlertPayloads.webhook([], receiver: "team", origin: "") == nil)
        let news = ["a", "b"].map {
            AlertNotification(
                status: $0 == "a" ? .firing : .resolved, alert: RuleTests.alert($0), moment: FixtureFleet.moment,
                isReminder: false)
        }
        let body = try #require(AlertPayloads.webhook(news, receiver: "team", origin: "http://roost"))
        #expect(body["status"] == "firing")
        #expect(
            body["commonLabels"] == ["alertname": "workload-waits-long", "job": "roost", "severity": "warning"])
        #expect(body["commonAnnotations"] == ["value": "12"])
        let alerts = try #require(body["alerts"]?.elements)
        #expect(alerts.map { $0["status"]?.text } == ["firing", "resolved"])
        #expect(alerts[0]["endsAt"] == nil && alerts[1]["endsAt"] != nil)
        #expect(alerts[0]["fingerprint"] != alerts[1]["fingerprint"])
    }
}
