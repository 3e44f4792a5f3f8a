import AsyncHTTPClient
import ControlPlane
import FleetModel
import Foundation
import Logging
import Monitoring
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization

/// Where alerts go.
struct AlertTargets: Sendable {
    /// The address of an Alertmanager: `http://127.0.0.1:9093`.
    var alertmanager: String?
    /// An address that is sent what is new, in the form of Alertmanager's own webhooks.
    var webhook: String?
    /// The address of the dashboard, for links.
    var origin: String
}

/// Counts, keeps a history, looks at the alert rules once in a while, and tells whoever is to be told.
final class MonitoringService: Service {
    /// How often rules are looked at.
    private static let interval = Duration.seconds(5)

    private struct State {
        var telemetry = FleetTelemetry()
        var counters = FleetCounters()
        var history = MetricHistory()
        var evaluator = AlertEvaluator()
    }

    private let loop: ControlLoop
    private let targets: AlertTargets
    private let version: String
    private let logger: Logger
    private let state = Mutex(State())

    init(loop: ControlLoop, targets: AlertTargets, version: String, logger: Logger) {
        self.loop = loop
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
            MetricsPage.text(
                snapshot: snapshot, telemetry: state.telemetry, counters: state.counters,
                alerts: state.evaluator.alerts, format: .prometheus)
        }
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
        let (notifications, firing) = state.withLock { state in
            let samples = FleetSamples(
                snapshot: snapshot, telemetry: state.telemetry, counters: state.counters,
                alerts: state.evaluator.alerts)
            state.history.follow(rules.map(\.spec))
            state.history.record(samples, at: now)
            let told = state.evaluator.step(rules: rules, samples: samples, history: state.history, at: now)
            return (told, state.evaluator.alerts)
        }
        for told in notifications {
            logger.info("alert", metadata: ["rule": "\(told.alert.rule)", "status": "\(told.status.rawValue)"])
        }
        await deliver(notifications, firing: firing, at: now)
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
