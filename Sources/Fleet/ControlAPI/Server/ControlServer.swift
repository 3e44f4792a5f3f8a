import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Logging
import NIOCore
import NIOSSL
public import ServiceLifecycle

/// A server's certificate, with those that it is signed by behind it, and its key.
public enum ServerIdentity: Sendable {
    /// The files that hold them (PEM).
    case files(certificate: String, key: String)
    /// Their text (PEM).
    case made(chain: String, key: String)
}

/// How a server is reached.
public struct ListenSettings: Sendable {
    /// Where it listens.
    public var address: ListenAddress
    /// Who the server is; nil for no TLS.
    public var identity: ServerIdentity?
    /// The certificate of the authority whose clients' certificates count (PEM); nil where none do.
    public var clientAuthorityPEM: String?
    /// Whether everybody who reaches it may do everything.
    public var isOpen = false
    /// Connections at once.
    public var connectionCountMax = 8192

    /// Listens on an address without TLS.
    public init(address: ListenAddress) {
        self.address = address
    }

    /// Throws unless the address may be listened on so.
    func check() throws {
        guard !address.isLoopback else { return }
        guard identity != nil else {
            throw ServerError(
                "\(address) can be reached from other machines, so it needs TLS: give --tls-cert and --tls-key, "
                    + "or listen on 127.0.0.1")
        }
        guard !isOpen else {
            throw ServerError("\(address) can be reached from other machines, so tokens are needed: leave --open out")
        }
    }
}

/// The HTTP server of the control plane.
public struct ControlServer: Service {
    private let service: ControlService
    private let settings: ListenSettings
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) async -> Void

    /// Puts a server together. `onListening` hears the port once it takes requests.
    public init(
        _ parts: ControlParts, listening settings: ListenSettings, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) throws {
        try settings.check()
        service = ControlService(parts)
        self.settings = settings
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until the task is cancelled or a graceful shutdown begins. A shutdown waits for requests that are being
    /// answered; those that would go on are ended, and their clients come again, here or elsewhere.
    public func run() async throws {
        try await prepare()
        try await withGracefulShutdownHandler {
            try await application().run()
        } onGracefulShutdown: { [service] in
            service.endWaits()
        }
    }

    /// Makes what the API needs in the store.
    func prepare() async throws { try await service.prepareStore() }

    /// The application, for tests that need no socket.
    func application() throws -> Application<ControlResponder> {
        let responder = ControlResponder(
            service: service, limiter: RateLimiter(service.parts.rateLimit),
            hosts: settings.isOpen ? ["localhost", "127.0.0.1", "[::1]"] : nil,
            isEncrypted: settings.identity != nil)
        let onListening = onListening
        return Application(
            responder: responder, server: try server(),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.address.host, port: settings.address.port), serverName: "roost",
                backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(settings.connectionCountMax)),
            services: [WatchService(service: service)],
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) },
            logger: logger)
    }

    private func server() throws -> HTTPServerBuilder {
        let limits = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)
        let http = HTTPServerBuilder.http1(
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [MalformedRequestHandler.Installer()], idleTimeout: .seconds(75),
                httpDecoderConfiguration: limits))
        guard let identity = settings.identity else { return http }
        var configuration = try ControlServer.configuration(identity)
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if let authority = settings.clientAuthorityPEM {
            // People and browsers have tokens; whoever shows a certificate must show one of the authority's.
            configuration.certificateVerification = .optionalVerification
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8)))
            configuration.sendCANameList = true
        }
        return try .tls(http, tlsConfiguration: configuration)
    }

    private static func configuration(_ identity: ServerIdentity) throws -> TLSConfiguration {
        switch identity {
        case .files(let certificatePath, let keyPath):
            do {
                let chain = try NIOSSLCertificate.fromPEMFile(certificatePath)
                let key = try NIOSSLPrivateKey(file: keyPath, format: .pem)
                return .makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            } catch {
                throw ServerError("can't use the certificate \(certificatePath) with the key \(keyPath): \(error)")
            }
        case .made(let chainText, let keyText):
            let chain = try NIOSSLCertificate.fromPEMBytes(Array(chainText.utf8))
            let key = try NIOSSLPrivateKey(bytes: Array(keyText.utf8), format: .pem)
            return .makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        }
    }
}

/// Follows the store while the server runs: it is told to stop once the server has.
private struct WatchService: Service {
    let service: ControlService

    func run() async throws {
        await cancelWhenGracefulShutdown { await service.run() }
    }
}
