import AsyncHTTPClient
import ControlAPI
import ControlPlane
import FleetModel
import Foundation
import Logging
import Monitoring
import NIOCore
import NIOHTTP1
import SQLiteHistory
import ServiceLifecycle
import Synchronization
import Traces

/// Where alerts go.
struct AlertTargets: Sendable {
    /// The address of an Alertmanager: `http://127.0.0.1:9093`.
    var alertmanager: String?
    /// An address that is sent what is new, in the form of Alertmanager's own webhooks.
    var webhook: String?
    /// The address of the dashboard, for links.
    var origin: String
}

/// Where the history of metrics is kept.
struct HistoryKeeper: Sendable {
    var tiers: [HistoryTier]
    var file: MetricHistoryFile
}

/// Counts, keeps a history, looks at the alert rules once in a while, and tells whoever is to be told.
final class MonitoringService: Service {
    /// How often rules are looked at.
    private static let interval = Duration.seconds(5)
    /// How many series an answer about the history has at most.
    private static let seriesMax = 1000

    private struct State {
        var telemetry = FleetTelemetry()
        var counters = FleetCounters()
        var history: MetricHistory
        var evaluator = AlertEvaluator()
    }

    private let loop: ControlLoop
    private let targets: AlertTargets
    private let kept: HistoryKeeper
    private let spans: SpanQueue?
    private let version: String
    private let logger: Logger
    private let state: Mutex<State>

    init(
        loop: ControlLoop, targets: AlertTargets, history: HistoryKeeper, spans: SpanQueue?, version: String,
        logger: Logger
    ) {
        self.loop = loop
        kept = history
        self.spans = spans
        state = Mutex(State(history: MetricHistory(tiers: history.tiers)))
        self.targets = targets
        self.version = version
        self.logger = logger
    }

    /// Takes note of a request.
    func count(operation: String, status: Int, duration: Duration) {
        state.withLock {
            $0.counters.countRequest(operation: operation, status: status, seconds: duration / .seconds(1))
        }
    }

    /// Takes note of what a node does at the moment.
    func record(_ heartbeat: HeartbeatRequest, of node: String) {
        state.withLock { $0.telemetry.record(heartbeat, of: node) }
    }

    /// The text of `/metrics`.
    func page() async -> String {
        let snapshot = await snapshot(at: MachineEnvironment().now())
        return state.withLock { state in
            countSpans(&state)
            return MetricsPage.text(
                snapshot: snapshot, telemetry: state.telemetry, counters: state.counters,
                alerts: state.evaluator.alerts, format: .prometheus)
        }
    }

    private func countSpans(_ state: inout State) {
        guard let counts = spans?.counts else { return }
        state.counters.setSpans(exported: counts.exported, dropped: counts.dropped, failed: counts.failed)
    }

    private func snapshot(at now: Timestamp) async -> FleetSnapshot {
        let view = await loop.view
        var snapshot = FleetSnapshot(at: now, version: version)
        snapshot.pools = Array(view.pools.values)
        snapshot.nodes = Array(view.nodes.values)
        snapshot.devices = Array(view.devices.values)
        snapshot.vgpus = Array(view.vgpus.values)
        snapshot.workloads = Array(view.workloads.values)
        snapshot.projects = Array(view.projects.values)
        snapshot.quotas = Array(view.quotas.values)
        return snapshot
    }

    // MARK: - Alerts

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await self.restore()
            while !Task.isCancelled {
                try? await Task.sleep(for: MonitoringService.interval)
                await self.look()
            }
        }
    }

    private func look() async {
        let now = MachineEnvironment().now()
        let snapshot = await snapshot(at: now)
        let view = await loop.view
        // Rules of one's own take the place of ours with their name.
        let own = Array(view.alertRules.values)
        let names = Set(own.map(\.metadata.name))
        let rules = own + DefaultRules.all.filter { !names.contains($0.metadata.name) }
        let (notifications, firing, ended) = state.withLock { state in
            countSpans(&state)
            let samples = FleetSamples(
                snapshot: snapshot, telemetry: state.telemetry, counters: state.counters,
                alerts: state.evaluator.alerts)
            state.history.follow(rules.map(\.spec))
            state.history.record(samples, at: now)
            let told = state.evaluator.step(rules: rules, samples: samples, history: state.history, at: now)
            return (told, state.evaluator.alerts, state.history.takeEnded())
        }
        await keep(ended, at: now)
        for told in notifications {
            logger.info("alert", metadata: ["rule": "\(told.alert.rule)", "status": "\(told.status.rawValue)"])
        }
        await deliver(notifications, firing: firing, at: now)
    }

    // MARK: - History

    /// Takes in what was kept, so that rules look back over a restart.
    private func restore() async {
        do {
            let rows = try await kept.file.recent(at: MachineEnvironment().now())
            state.withLock { $0.history.restore(rows) }
        } catch {
            logger.warning("the history of metrics can't be read", metadata: ["reason": "\(error)"])
        }
    }

    private func keep(_ rows: [HistoryRow], at now: Timestamp) async {
        guard !rows.isEmpty else { return }
        do {
            try await kept.file.append(rows, at: now)
        } catch {
            logger.warning("the history of metrics can't be written", metadata: ["reason": "\(error)"])
        }
    }

    /// What a metric was before.
    func history(_ request: HistoryRequest) async throws -> HistoryAnswer {
        let metrics = state.withLock { $0.history.metrics }
        guard metrics.contains(request.metric) else {
            let hint = nearest(to: request.metric, among: Array(metrics)).map { "; did you mean \($0)?" }
            throw Problem(
                .notFound,
                "no history is kept of \(request.metric.prefix(80))\(hint ?? ""); it is kept of "
                    + metrics.sorted().joined(separator: ", "))
        }
        let question = HistoryQuestion(
            metric: request.metric, since: request.since, until: request.until, step: request.step)
        let source = question.source(kept.tiers, now: MachineEnvironment().now())
        let open = state.withLock { $0.history.openBuckets(of: request.metric, tier: source.tier) }
            .filter { request.matches($0.key) }
        let known = Set(await kept.file.labels(of: request.metric)).union(open.keys)
        let labels = known.filter { request.matches($0) }
        guard labels.count <= MonitoringService.seriesMax else {
            throw Problem(
                .badRequest,
                "\(request.metric) has \(labels.count) series, and an answer at most \(MonitoringService.seriesMax); "
                    + "choose some by ?labels=, such as labels=node=NAME")
        }
        let buckets = try await kept.file.buckets(
            of: request.metric, labels: Array(labels), step: kept.tiers[source.tier].step, numbers: source.numbers)
        return question.answer(source, kept: buckets, open: open)
    }

    private func deliver(_ notifications: [AlertNotification], firing: [Alert], at now: Timestamp) async {
        if let base = targets.alertmanager {
            let body = AlertPayloads.alertmanager(
                firing: firing, resolved: notifications, at: now, validFor: .seconds(60), origin: targets.origin)
            if body.elements?.isEmpty == false { await post(body, to: base + "/api/v2/alerts") }
        }
        if let address = targets.webhook,
            let body = AlertPayloads.webhook(notifications, receiver: "webhook", origin: targets.origin)
        {
            await post(body, to: address)
        }
    }

    private func post(_ body: JSONValue, to address: String) async {
        do {
            var request = HTTPClientRequest(url: address)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try body.encoded()))
            let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
            guard (200..<300).contains(answer.status.code) else {
                return logger.warning("alerts were refused", metadata: ["status": "\(answer.status.code)"])
            }
        } catch {
            logger.warning("alerts can't be delivered", metadata: ["reason": "\(error)"])
        }
    }
}
