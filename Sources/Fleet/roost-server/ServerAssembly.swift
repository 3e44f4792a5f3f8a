import Certificates
import ControlAPI
import ControlPlane
import EtcdFleetStore
import FleetModel
import FleetStore
import Foundation
import Logging
import Monitoring
import SQLiteFleetStore
import SQLiteHistory
import ServiceLifecycle
import SpanExport
import Traces
import UnixSignals

/// Puts the server's parts together.
struct ServerAssembly {
    private static let version = ReleaseVersion.current.description
    /// How long requests that are being answered may take once a signal has come.
    private static let lastSpan = Duration.seconds(5)

    private let store: any FleetStore
    private let server: ControlServer
    private let control: ControlLoopService
    private let monitoring: MonitoringService
    private let exporter: OTLPExporter?
    private let logger: Logger

    init(_ options: ServeCommand, address: ListenAddress, logger: Logger) async throws {
        self.logger = logger
        try ServerAssembly.makeFolder(options.stateDir)
        var listening = ListenSettings(address: address)
        listening.isOpen = options.open
        let surroundings = Surroundings.real
        let environment = MachineEnvironment()
        let identity = "\(ProcessInfo.processInfo.processIdentifier)-\(environment.random())"
        let tracing = try TracingOptions(
            endpoint: options.otlpEndpoint, environment: ProcessInfo.processInfo.environment,
            version: ServerAssembly.version, instance: identity)
        let spans = tracing.map { _ in SpanQueue(random: { environment.random() }) }
        exporter = tracing.flatMap { tracing in spans.map { OTLPExporter($0, tracing.settings, logger: logger) } }
        let plain = try ServerAssembly.store(options)
        let store = spans.map { TracedFleetStore(plain, $0) { environment.now() } } ?? plain
        self.store = store
        let authority = try await ClusterAuthority.ensure(in: store, surroundings: surroundings)
        try PrivateFile.write(authority.certificatePEM, to: options.stateDir + "/ca.pem")
        listening.identity = try ServerIdentity(options, address: address, authority: authority)
        listening.clientAuthorityPEM = authority.certificatePEM
        let certificates = NodeCertificates(
            authority: authority, signedServer: listening.identity?.isMade ?? false, store: store,
            surroundings: surroundings)
        let tokens = TokenStore(store: store, surroundings: surroundings)
        let audit = try AuditLog(folder: options.stateDir, surroundings: surroundings)
        logger.info(
            "audit log verified", metadata: ["records": "\(audit.head.sequence)", "head": "\(audit.head.hash)"])
        let bootstrap = BootstrapToken(folder: options.stateDir, tokens: tokens)
        try await bootstrap.ensure()
        let anyone = Identity(subject: "anyone", grants: [Grant(.admin)], method: "none")
        let authenticator = Authenticator(
            tokens: tokens, oidc: try ServerAssembly.verifier(options, surroundings), certificates: certificates,
            anonymous: options.open ? anyone : nil)
        var parts = ControlParts(store: store, authenticator: authenticator, audit: audit)
        parts.certificates = certificates
        parts.version = ServerAssembly.version
        parts.surroundings = surroundings
        parts.rateLimit = RateLimit(burst: options.rateLimit * 2, perSecond: options.rateLimit)
        if let folder = options.dashboard ?? ServerAssembly.installedDashboard() {
            parts.dashboard = try DashboardFiles(folder: folder)
        }
        var settings = FleetCore.Settings()
        settings.nodes.leaseSpan = options.lease
        settings.nodes.lossSpan = options.loss
        let loop = ControlLoop(store: store, settings: settings, environment: environment, log: logger, spans: spans)
        let service = FleetService(loop: loop, store: store, environment: environment, leaseSpan: options.lease)
        let scheme = listening.identity == nil ? "http" : "https"
        let targets = AlertTargets(
            alertmanager: options.alertmanager, webhook: options.alertWebhook, origin: "\(scheme)://\(address)")
        let history = try ServerAssembly.history(options, logger)
        let monitoring = MonitoringService(
            loop: loop, targets: targets, history: history, spans: spans, version: ServerAssembly.version,
            logger: logger)
        self.monitoring = monitoring
        parts.operations = FleetOperationsAdapter(service: service, monitoring: monitoring)
        parts.metrics = { await monitoring.page() }
        parts.spans = spans
        if spans != nil { parts.checks.append(TraceAnnotation()) }
        parts.history = { try await monitoring.history($0) }
        parts.observe = { measure in
            monitoring.count(operation: measure.operation, status: measure.status, duration: measure.duration)
        }
        let candidate = try Candidate(
            store: store, election: "control", identity: identity, clock: ContinuousClock())
        control = ControlLoopService(loop: loop, candidate: candidate, logger: logger)
        server = try ControlServer(parts, listening: listening, logger: logger) { port in
            let listening = ListenAddress(host: address.host, port: port)
            logger.info("listening", metadata: ["address": "\(scheme)://\(listening)", "token": "\(bootstrap.path)"])
        }
    }

    /// Serves until a signal ends it.
    func run() async throws {
        // What ends last begins first: spans of the end go out too.
        let services: [any Service] = (exporter.map { [$0] } ?? []) + [control, monitoring, server]
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = ServerAssembly.lastSpan
        try await ServiceGroup(configuration: configuration).run()
        await store.close()
    }

    /// The dashboard of the release layout that the program is a part of; nil where there is none.
    private static func installedDashboard() -> String? {
        guard let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            return nil
        }
        let prefix = URL(fileURLWithPath: program).deletingLastPathComponent().deletingLastPathComponent()
        let folder = prefix.appendingPathComponent("share/roost/dashboard").path
        return FileManager.default.fileExists(atPath: folder + "/index.html") ? folder : nil
    }

    private static func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    private static func store(_ options: ServeCommand) throws -> any FleetStore {
        switch options.store {
        case .memory: return MemoryFleetStore()
        case .sqlite: return try SQLiteFleetStore(path: options.stateDir + "/store.sqlite")
        case .etcd:
            var etcd = EtcdOptions(endpoints: options.etcd.split(separator: ",").map(String.init))
            etcd.tls.authorityFile = options.etcdCa
            return try EtcdFleetStore(etcd)
        }
    }

    /// Each server keeps its own history of metrics, whatever the store; in memory where the store is.
    private static func history(_ options: ServeCommand, _ logger: Logger) throws -> HistoryKeeper {
        let tiers = HistoryTier.usual(span: options.historySpan)
        let settings = MetricHistoryFile.Options(tiers: tiers, maximumByteCount: options.historySize << 20)
        guard options.store != .memory else {
            return HistoryKeeper(tiers: tiers, file: try MetricHistoryFile(path: nil, options: settings))
        }
        let (file, aside) = try MetricHistoryFile.openOrReplace(
            path: options.stateDir + "/history.sqlite", options: settings)
        if let aside { logger.warning("the history of metrics was damaged", metadata: ["moved": "\(aside)"]) }
        return HistoryKeeper(tiers: tiers, file: file)
    }

    private static func verifier(_ options: ServeCommand, _ surroundings: Surroundings) throws -> OIDCVerifier? {
        guard let issuer = options.oidcIssuer else { return nil }
        guard let path = options.oidcGroups, let bytes = FileManager.default.contents(atPath: path) else {
            throw ServerError("--oidc-issuer needs --oidc-groups, a file that can be read: who may do what")
        }
        var settings = OIDCSettings(
            issuer: issuer, audience: options.oidcAudience, groups: try OIDCSettings.groups(json: Array(bytes)))
        settings.groupsClaim = options.oidcGroupsClaim
        settings.nameClaim = options.oidcNameClaim
        return try OIDCVerifier(settings, surroundings: surroundings, fetch: DocumentRequest.fetcher())
    }
}
