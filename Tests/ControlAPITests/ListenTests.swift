import AsyncHTTPClient
import Certificates
import FleetModel
import Foundation
import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Testing

@testable import ControlAPI

@Suite("Listening")
struct ListenTests {
    @Test("An address that others reach needs TLS and tokens")
    func refused() async throws {
        let fixture = try await APIFixture()
        for host in ["0.0.0.0", "::", "10.0.0.1", "example.com", "127.0.0.1.example.com", "128.0.0.1"] {
            let plain = ListenSettings(address: ListenAddress(host: host, port: 0))
            #expect(throws: ServerError.self, "\(host)") {
                try ControlServer(fixture.parts, listening: plain, logger: Logger(label: "t"))
            }
            var open = plain
            open.isOpen = true
            open.identity = .files(certificate: "cert.pem", key: "key.pem")
            #expect(throws: ServerError.self, "\(host)") {
                try ControlServer(fixture.parts, listening: open, logger: Logger(label: "t"))
            }
        }
        for host in ["127.0.0.1", "127.1.2.3", "::1", "localhost"] {
            let settings = ListenSettings(address: ListenAddress(host: host, port: 0))
            _ = try ControlServer(fixture.parts, listening: settings, logger: Logger(label: "t"))
        }
    }

    @Test(
        "Addresses are read and written",
        arguments: [
            ("127.0.0.1:7600", "127.0.0.1:7600"), ("[::1]:0", "[::1]:0"), ("localhost:80", "localhost:80"),
            ("127.0.0.1", nil), (":80", nil), ("a:65536", nil), ("a:-1", nil), ("a:b", nil),
        ])
    func addresses(_ text: String, _ expected: String?) {
        #expect(ListenAddress(text)?.description == expected)
    }

    @Test("TLS with a certificate of the cluster's authority: who trusts that gets in, nobody else does")
    func tls() async throws {
        let fixture = try await APIFixture()
        let authority = try CertificateAuthority(madeAt: Surroundings.real.now())
        let made = try authority.serverIdentity(names: ["127.0.0.1", "localhost"], now: Surroundings.real.now())
        var settings = ListenSettings(address: ListenAddress(host: "127.0.0.1", port: 0))
        settings.identity = .made(chain: made.chainPEM, key: made.keyPEM)
        let authorityPath = "\(fixture.folder.path)/ca.pem"
        try PrivateFile.write(authority.certificatePEM, to: authorityPath)
        var trusting = TLSConfiguration.makeClientConfiguration()
        trusting.trustRoots = .file(authorityPath)
        let admin = fixture.admin
        let client = HTTPClient(configuration: .init(tlsConfiguration: trusting))
        let stranger = HTTPClient()
        try await withServer(fixture, settings: settings, scheme: "https", client: client) { port in
            let reply = try await get(port, "/api/v1/whoami", token: admin, scheme: "https", client: client)
            #expect(reply.status == .ok)
            await #expect(throws: (any Error).self) {
                _ = try await get(port, "/healthz", token: nil, scheme: "https", client: stranger)
            }
            await #expect(throws: (any Error).self) {
                _ = try await get(port, "/healthz", token: nil, client: stranger)
            }
        }
        try await client.shutdown()
        try await stranger.shutdown()
    }

    @Test("Without tokens, a page in a browser can't use another name of this machine")
    func rebinding() async throws {
        let fixture = try await APIFixture { parts in
            let anyone = Identity(subject: "anyone", grants: [Grant(.admin)], method: "none")
            let tokens = TokenStore(store: parts.store, surroundings: parts.surroundings)
            parts.authenticator = Authenticator(tokens: tokens, anonymous: anyone)
        }
        var settings = ListenSettings(address: ListenAddress(host: "127.0.0.1", port: 0))
        settings.isOpen = true
        try await withServer(fixture, settings: settings) { port in
            let own = try await get(port, "/api/v1/pools", token: nil)
            #expect(own.status == .ok)
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/api/v1/pools")
            request.headers.add(name: "Host", value: "evil.example.com:\(port)")
            let other = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
            #expect(other.status == .forbidden)
        }
    }

    @Test("What is no HTTP request is refused with a problem as everything else is")
    func malformed() async throws {
        let fixture = try await APIFixture()
        try await withServer(fixture) { port in
            let path = "/api/v1/pools?labels=" + String(repeating: "x", count: 20 << 10)
            let response = try await get(port, path, token: fixture.admin)
            #expect(response.status == .badRequest)
            #expect(response.headers.first(name: "Content-Type") == "application/problem+json")
            let body = try await response.body.collect(upTo: 1 << 20)
            let problem = try JSONDecoder().decode(Problem.self, from: Data(body.readableBytesView))
            #expect(problem.code == .badRequest && problem.detail.contains("too long"))
        }
    }

    @Test("Headers that are too long close the connection")
    func longHeaders() async throws {
        let fixture = try await APIFixture()
        try await withServer(fixture) { port in
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/healthz")
            request.headers.add(name: "X-Long", value: String(repeating: "x", count: 64 << 10))
            let status = try? await HTTPClient.shared.execute(request, timeout: .seconds(20)).status
            #expect(status == nil || status == .badRequest || status == .requestHeaderFieldsTooLarge)
            let next = try await get(port, "/healthz", token: nil)
            #expect(next.status == .ok)
        }
    }

    @Test("The dashboard's files are those of its folder, with a policy that lets nothing else in")
    func dashboard() async throws {
        let folder = try ScratchFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/js", withIntermediateDirectories: true)
        try "<html>".write(toFile: folder.path + "/index.html", atomically: true, encoding: .utf8)
        try "x".write(toFile: folder.path + "/js/a.js", atomically: true, encoding: .utf8)
        try "x".write(toFile: folder.path + "/.secret.txt", atomically: true, encoding: .utf8)
        let files = try DashboardFiles(folder: folder.path)
        try await APIFixture { $0.dashboard = files }.run { api in
            let nobody = api.with(nil)
            let page = try await nobody.get("/")
            #expect(page.text == "<html>")
            #expect(page.headers[.contentSecurityPolicy]?.contains("default-src 'self'") == true)
            #expect(try await nobody.get("/", headers: [.ifNoneMatch: page.etag ?? ""]).status == 304)
            #expect(try await nobody.get("/ui/js/a.js").text == "x")
            for path in ["/ui/.secret.txt", "/ui/..%2f..%2fetc%2fpasswd", "/ui/js", "/ui/none"] {
                #expect(try await nobody.get(path).status == 404, "\(path)")
            }
        }
    }
}
