import AsyncHTTPClient
import Certificates
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// How a client makes sure that it talks to its control plane, and shows who it is itself.
struct ServerTrust {
    /// The TLS settings; nil for the machine's own authorities and no certificate.
    private(set) var configuration: TLSConfiguration?
    /// Whether the server must have a cluster's certificate of a control plane, whatever its address is.
    private var isCluster = false

    /// Reads a target's files.
    init(_ target: FleetClient.Target) throws(FleetClientError) {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = target.authorityFile {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
                isCluster = CertificateAuthority.isClusters(pem: try String(contentsOfFile: file, encoding: .utf8))
            } catch {
                throw FleetClientError(
                    status: 0, title: "Bad certificate", detail: "Can't read the authority's certificate \(file).")
            }
            configuration = tls
        }
        guard let certificate = target.certificateFile, let key = target.keyFile else { return }
        do {
            tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
        } catch {
            throw FleetClientError(
                status: 0, title: "Bad certificate",
                detail: "Can't use the certificate \(certificate) with the key \(key).")
        }
        configuration = tls
    }

    /// The address that requests are sent to, where it is not the server's own. A cluster's authority also signs what
    /// nodes show, for whatever addresses they have; so the name that must stand in the server's certificate is that of
    /// the control plane.
    func address(_ url: URL) -> String? {
        guard isCluster, url.scheme == "https", var parts = URLComponents(url: url, resolvingAgainstBaseURL: false)
        else { return nil }
        parts.host = SubjectNames.controlPlane
        return parts.string
    }

    /// Where that name leads.
    func dnsOverride(_ url: URL) -> [String: String] {
        guard isCluster, let host = url.host else { return [:] }
        return [SubjectNames.controlPlane: host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))]
    }
}

extension FleetClient {
    /// Fetches the certificate of a control plane's authority before anything is trusted, and compares it with the
    /// fingerprint that somebody brought by another way. Nothing secret is sent.
    ///
    /// - Parameter server: The address; of several, with commas between, the first that answers is asked.
    /// - Returns: The certificate (PEM), to be trusted.
    public static func authority(of server: String, fingerprint: String) async throws -> String {
        guard fingerprint.wholeMatch(of: /sha256:[0-9a-f]{64}/) != nil else {
            throw FleetClientError(
                status: 0, title: "Bad fingerprint",
                detail: "'\(fingerprint)' is no fingerprint; it reads sha256: and 64 of 0-9 and a-f.")
        }
        let addresses = try Target(server: server).addresses()
        guard addresses.allSatisfy({ $0.scheme == "https" }) else {
            throw FleetClientError(
                status: 0, title: "Bad address",
                detail: "A fingerprint goes with https; \(server) is not encrypted.")
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.timeout.connect = .seconds(5)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let fetched: Result<String, any Error>
        do {
            let servers = Servers(addresses.map(\.absoluteString))
            fetched = .success(try await servers.ask(isRepeatable: true) { try await text(of: $0, http) })
        } catch {
            fetched = .failure(error)
        }
        try? await http.shutdown()
        let pem = try fetched.get()
        let found = try? CertificateAuthority.fingerprint(ofPEM: pem)
        guard found == fingerprint else {
            throw FleetClientError(
                status: 0, title: "Another authority",
                detail: "\(server) shows an authority with the fingerprint \(found ?? "none"), not \(fingerprint). "
                    + "Somebody may be in between; compare with `roost ca` on a machine that you trust.")
        }
        return pem
    }

    private static func text(of server: String, _ http: HTTPClient) async throws -> String {
        let response = try await http.execute(HTTPClientRequest(url: server + "/api/v1/ca"), timeout: .seconds(15))
        let body = try await response.body.collect(upTo: 64 << 10)
        return String(buffer: body)
    }
}
