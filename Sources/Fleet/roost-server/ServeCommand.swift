import ArgumentParser
import ControlAPI
import ControlPlane
import FleetModel
import Foundation
import Logging

/// Where resources are kept.
enum StoreEngine: String, ExpressibleByArgument, CaseIterable {
    case sqlite, memory, etcd
}

/// Serves the HTTP API.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Serve the HTTP API.")

    @Option(help: "Where to listen. Anything but loopback is by TLS and needs tokens.")
    var listen = "127.0.0.1:7600"

    @Option(help: "The folder for the store, the audit log and the administrator's token.")
    var stateDir = "/var/lib/roost-server"

    @Option(help: "Where resources are kept: sqlite (in the state folder), etcd, or memory (gone at the end).")
    var store = StoreEngine.sqlite

    @Option(help: "The client URLs of etcd's members, by commas.")
    var etcd = "http://127.0.0.1:2379"

    @Option(help: "Who signs the certificates of etcd's members (PEM); without it, whom the machine trusts.")
    var etcdCa: String?

    @Option(help: "The server's certificate, with those that it is signed by behind it (PEM).")
    var tlsCert: String?

    @Option(help: "The certificate's private key (PEM).")
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "Names and addresses for a certificate of the cluster's own authority, by commas; without --tls-cert. "
                + "Default where other machines reach the server: the machine's own."))
    var tlsNames: String?

    @Option(help: "An OpenID Connect provider whose ID tokens are taken.")
    var oidcIssuer: String?

    @Option(help: "What must stand in the ID tokens' aud.")
    var oidcAudience = "roost"

    @Option(help: #"A file that says what groups may do: {"GROUP": [{"role": "user", "project": "NAME"}]}."#)
    var oidcGroups: String?

    @Option(help: "The claim that lists groups.")
    var oidcGroupsClaim = "groups"

    @Option(help: "The claim that names people in the audit log.")
    var oidcNameClaim = "sub"

    @Option(help: "Requests a second that one subject may send in the long run; twice as many at once.")
    var rateLimit = 500.0

    @Option(help: "The folder with the dashboard's files; without it, ../share/roost/dashboard beside the program.")
    var dashboard: String?

    @Option(help: "An Alertmanager that is told which alerts fire, such as http://127.0.0.1:9093.")
    var alertmanager: String?

    @Option(help: "An address that is sent new and resolved alerts.")
    var alertWebhook: String?

    @Option(help: "Where spans go as OTLP over HTTP, such as http://127.0.0.1:4318; OTEL_EXPORTER_OTLP_ENDPOINT too.")
    var otlpEndpoint: String?

    @Option(help: "How far the history of metrics reaches back.", transform: ServeCommand.historySpan)
    var historySpan = TimeSpan.hours(30 * 24)

    @Option(help: "How large the file of the history of metrics may become, in MiB, from 16 on.")
    var historySize: Int64 = 1024

    @Option(help: "How long after its last heartbeat a node counts as ready.", transform: ServeCommand.span)
    var lease = NodeLifecycle().leaseSpan

    @Option(help: "How long after its last heartbeat a node's work goes elsewhere.", transform: ServeCommand.span)
    var loss = NodeLifecycle().lossSpan

    @Flag(help: "Demand no token: whoever reaches the server may do everything. On loopback alone.")
    var open = false

    @Option(help: "What is logged: trace, debug, info, warning, error.")
    var logLevel = "info"

    @Sendable private static func span(_ text: String) throws -> TimeSpan {
        guard let span = TimeSpan(text), span >= .seconds(1) else {
            throw ValidationError("'\(text)' is no time span of at least 1s, such as 10s or 2m")
        }
        return span
    }

    @Sendable private static func historySpan(_ text: String) throws -> TimeSpan {
        guard let span = TimeSpan(text), span >= .hours(24), span <= .hours(3660 * 24) else {
            throw ValidationError("'\(text)' is no time span from 1d to 3660d, such as 30d")
        }
        return span
    }

    func run() async throws {
        guard let address = ListenAddress(listen) else {
            throw ValidationError("--listen \(listen) is no HOST:PORT, such as 127.0.0.1:7600")
        }
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw ValidationError("--log-level \(logLevel) is none of trace, debug, info, warning, error")
        }
        guard (16...1 << 20).contains(historySize) else {
            throw ValidationError("--history-size must be from 16 to 1048576 (MiB)")
        }
        guard rateLimit >= 1 else { throw ValidationError("--rate-limit must be at least 1") }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "roost-server")
        logger.logLevel = level
        let assembly = try await ServerAssembly(self, address: address, logger: logger)
        try await assembly.run()
    }
}
