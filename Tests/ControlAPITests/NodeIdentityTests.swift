import AsyncHTTPClient
import Certificates
import FleetClient
import FleetModel
import FleetStore
import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOSSL
import Testing

@testable import ControlAPI

/// An API whose nodes get certificates.
private struct IdentityFixture {
    let api: APIFixture
    let authority: CertificateAuthority
    private let tokens: TokenStore

    /// - Parameter isReal: Whether the clock is the machine's, as TLS has it.
    init(isReal: Bool = false) async throws {
        let base = try await APIFixture()
        let surroundings = isReal ? Surroundings.real : base.clock.surroundings
        let authority = try await ClusterAuthority.ensure(in: base.store, surroundings: surroundings)
        self.authority = authority
        let tokens = TokenStore(store: base.store, surroundings: surroundings)
        self.tokens = tokens
        api = base.changed { parts in
            let certificates = NodeCertificates(
                authority: authority, signedServer: true, store: base.store, surroundings: surroundings)
            parts.surroundings = surroundings
            parts.certificates = certificates
            parts.authenticator = Authenticator(
                tokens: tokens, certificates: certificates)
            parts.operations = MockOperations(store: base.store)
        }
    }

    func joinToken() async throws -> String {
        try await tokens.make(TokenRequest(subject: "nodes", purpose: .join), by: "test").token
    }

    func joinBody(_ node: String, key: SigningKey, address: String = "127.0.0.1") async throws -> JSONValue {
        [
            "token": .string(try await joinToken()), "name": .string(node), "epoch": 1,
            "facts": ["address": .string(address), "version": "1"],
            "certificateRequest": .string(try CertificateRequest.pem(node: node, key: key)),
        ]
    }
}

private let beat: JSONValue = [
    "epoch": 1, "facts": ["address": "127.0.0.1", "version": "1"], "devices": [], "vgpus": [],
]

@Suite("Identities of nodes")
struct NodeIdentityTests {
    @Test("All servers on a store sign as one authority, and the API shows its certificate and nothing else of it")
    func authority() async throws {
        let fixture = try await IdentityFixture()
        let clock = StandingClock()
        let again = try await ClusterAuthority.ensure(in: fixture.api.store, surroundings: clock.surroundings)
        #expect(again.fingerprint == fixture.authority.fingerprint)
        let empty = MemoryFleetStore()
        async let left = ClusterAuthority.ensure(in: empty, surroundings: clock.surroundings)
        async let right = ClusterAuthority.ensure(in: empty, surroundings: clock.surroundings)
        #expect(try await left.fingerprint == right.fingerprint)
        try await fixture.api.run { api in
            let shown = try await api.with(nil).get("/api/v1/ca")
            #expect(shown.status == 200)
            #expect(shown.text == fixture.authority.certificatePEM)
            #expect(!shown.text.contains("PRIVATE"))
            #expect(try await api.get("/secrets/authority").status == 404)
            let made = try await api.post("/api/v1/tokens", ["subject": "n", "purpose": "join"])
            #expect(made.json["authorityFingerprint"]?.text == fixture.authority.fingerprint)
            let bearer = try await api.post("/api/v1/tokens", ["subject": "n", "grants": [["role": "viewer"]]])
            #expect(bearer.json["authorityFingerprint"] == nil)
        }
        try await APIFixture().run { api in
            let none = try await api.get("/api/v1/ca")
            #expect(none.status == 503)
        }
    }

    @Test("On a plain connection, a node that joins gets a certificate and a token, and renews by the token")
    func joinAndRenew() async throws {
        let fixture = try await IdentityFixture()
        let clock = fixture.api.clock
        try await fixture.api.run { api in
            let key = SigningKey()
            let joined = try await api.with(nil).post("/api/v1/nodes:join", fixture.joinBody("gpu-1", key: key))
            #expect(joined.status == 200)
            let own = try #require(joined.json["token"]?.text)
            let first = try NodeCertificate(pem: try #require(joined.json["identity"]?["certificate"]?.text))
            #expect(first.node == "gpu-1" && first.pin == key.pin)
            #expect(first.notAfter == clock.now + CertificateAuthority.nodeSpan)
            #expect(joined.json["identity"]?["authority"]?.text == fixture.authority.certificatePEM)
            clock.move(by: .hours(24))
            let wanted: JSONValue = [
                "certificateRequest": .string(try CertificateRequest.pem(node: "gpu-1", key: key))
            ]
            let renewed = try await api.with(own).post("/api/v1/nodes/gpu-1/renew", wanted)
            let second = try NodeCertificate(pem: try #require(renewed.json["certificate"]?.text))
            #expect(second.pin == first.pin && second.generation == first.generation)
            #expect(second.notAfter == clock.now + CertificateAuthority.nodeSpan)
            #expect(second.serial != first.serial)
            let other = try CertificateRequest.pem(node: "gpu-2", key: key)
            let refused = try await api.with(own).post(
                "/api/v1/nodes/gpu-1/renew", ["certificateRequest": .string(other)])
            #expect(refused.status == 422)
            #expect(refused.problem?.problems?.first?.field == "certificateRequest")
            #expect(try await api.with(own).post("/api/v1/nodes/gpu-2/renew", wanted).status == 403)
            #expect(try await api.with(nil).post("/api/v1/nodes/gpu-1/renew", wanted).status == 401)
        }
    }

    @Test("A request that is wrong uses up no token, and says which field it is")
    func wrongRequests() async throws {
        let fixture = try await IdentityFixture()
        try await fixture.api.run { api in
            let key = SigningKey()
            var body = try await fixture.joinBody("gpu-1", key: key)
            let right = body["certificateRequest"]
            for (text, reason) in [
                (try CertificateRequest.pem(node: "gpu-2", key: key), "is for node gpu-2, not for gpu-1"),
                (key.pem, "is no certificate request in PEM form (PKCS #10)"),
            ] {
                body["certificateRequest"] = .string(text)
                let refused = try await api.with(nil).post("/api/v1/nodes:join", body)
                #expect(refused.status == 422)
                #expect(refused.problem?.problems == [FieldProblem("certificateRequest", reason)])
            }
            body["certificateRequest"] = right
            body["facts"] = ["address": "control-plane.roost.internal", "version": "1"]
            let named = try await api.with(nil).post("/api/v1/nodes:join", body)
            #expect(named.problem?.problems?.first?.field == "facts.address")
            body["facts"] = ["address": "10.0.0.1", "version": "1"]
            #expect(try await api.with(nil).post("/api/v1/nodes:join", body).status == 200)
            #expect(try await api.with(nil).post("/api/v1/nodes:join", body).status == 401)
        }
    }

    @Test("A certificate is its node's until it ends, the node is deleted or another machine joins as it")
    func mapping() async throws {
        let fixture = try await IdentityFixture()
        let clock = fixture.api.clock
        let certificates = try #require(fixture.api.parts.certificates)
        @Sendable func join(_ api: Caller, _ node: String) async throws -> [UInt8] {
            let body = try await fixture.joinBody(node, key: SigningKey())
            let joined = try await api.with(nil).post("/api/v1/nodes:join", body)
            return try certificateBytes(try #require(joined.json["identity"]?["certificate"]?.text))
        }
        @Sendable func problem(_ der: [UInt8]) async throws -> Problem? {
            do {
                _ = try await certificates.identity(of: der)
                return nil
            } catch let problem as Problem {
                return problem
            }
        }
        try await fixture.api.run { api in
            let first = try await join(api, "gpu-1")
            let identity = try await certificates.identity(of: first)
            #expect(identity.subject == "node:gpu-1")
            #expect(identity.grants == [Grant(.node, node: "gpu-1")])
            #expect(identity.method == "certificate")
            #expect(identity.expiresAt == clock.now + CertificateAuthority.nodeSpan)
            // Another authority's, for the same node.
            let foreign = try CertificateAuthority(madeAt: clock.now)
            let known = try NodeCertificate(der: first)
            let subject = CertificateAuthority.NodeSubject(
                node: "gpu-1", generation: known.generation, address: "127.0.0.1")
            let request = try CertificateRequest(
                pem: CertificateRequest.pem(node: "gpu-1", key: SigningKey()), node: "gpu-1")
            let forged = try certificateBytes(foreign.nodeCertificate(subject, for: request, now: clock.now))
            #expect(try await problem(forged)?.detail.contains("another authority") == true)
            // What the authority signed for a server.
            let server = try fixture.authority.serverIdentity(names: ["a"], now: clock.now).chainPEM
            let shown = try certificateBytes(server)
            #expect(try await problem(shown)?.code == .unauthenticated)
            // Another machine joins as the node.
            let second = try await join(api, "gpu-1")
            #expect(try await problem(first)?.detail.contains("joined again elsewhere") == true)
            #expect(try await problem(second) == nil)
            #expect(try await api.delete("/api/v1/nodes/gpu-1").status == 200)
            #expect(try await problem(second)?.code == .unauthenticated)
            // A node of that name whose object is another one's.
            #expect(try await api.post("/api/v1/nodes", manifest("gpu-1")).status == 201)
            #expect(try await problem(second)?.code == .unauthenticated)
            let third = try await join(api, "gpu-2")
            clock.move(by: CertificateAuthority.nodeSpan)
            #expect(try await problem(third)?.detail.contains("is good from") == true)
        }
    }

    private func certificateBytes(_ pem: String) throws -> [UInt8] {
        try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8))[0].toDERBytes()
    }

    @Test("By TLS, a node that joined speaks by its certificate alone; a foreign one does not get in")
    func mutualTLS() async throws {
        let fixture = try await IdentityFixture(isReal: true)
        let authority = fixture.authority
        var settings = ListenSettings(address: ListenAddress(host: "127.0.0.1", port: 0))
        let made = try authority.serverIdentity(names: ["127.0.0.1"], now: Surroundings.real.now())
        settings.identity = .made(chain: made.chainPEM, key: made.keyPEM)
        settings.clientAuthorityPEM = authority.certificatePEM
        let plain = try client(trusting: authority)
        let body = try await fixture.joinBody("gpu-1", key: SigningKey())
        let key = SigningKey()
        let own = try await fixture.joinBody("gpu-2", key: key)
        let admin = fixture.api.admin
        let foreign = try CertificateAuthority(madeAt: Surroundings.real.now())
        let subject = CertificateAuthority.NodeSubject(node: "gpu-2", generation: "00", address: "127.0.0.1")
        let request = try CertificateRequest(pem: CertificateRequest.pem(node: "gpu-2", key: key), node: "gpu-2")
        let forged = try foreign.nodeCertificate(subject, for: request, now: Surroundings.real.now())
        try await withServer(fixture.api, settings: settings, scheme: "https", client: plain) { port in
            let other = try await post(port, "/api/v1/nodes:join", body, plain)
            #expect(other.status == 200)
            #expect(other.json["token"] == nil, "its certificate takes the token's place")
            let joined = try await post(port, "/api/v1/nodes:join", own, plain)
            let certificate = try #require(joined.json["identity"]?["certificate"]?.text)
            let node = try client(trusting: authority, certificate: certificate, key: key.pem)
            #expect(try await post(port, "/api/v1/nodes/gpu-2/heartbeat", beat, node).status == 200)
            #expect(try await post(port, "/api/v1/nodes/gpu-1/heartbeat", beat, node).status == 403)
            #expect(try await post(port, "/api/v1/nodes/gpu-2/heartbeat", beat, plain).status == 401)
            let who = try await get(port, "/api/v1/whoami", token: nil, scheme: "https", client: node)
            #expect(who.status == .ok)
            // A token that is sent ranks before the connection's certificate.
            let nodes = try await get(port, "/api/v1/tokens", token: admin, scheme: "https", client: node)
            #expect(nodes.status == .ok)
            // The connection stays, and is not believed any more.
            _ = try await fixture.api.deleteNode("gpu-2")
            #expect(try await post(port, "/api/v1/nodes/gpu-2/heartbeat", beat, node).status == 401)
            let stranger = try client(trusting: authority, certificate: forged, key: key.pem)
            await #expect(throws: (any Error).self) {
                _ = try await post(port, "/api/v1/nodes/gpu-2/heartbeat", beat, stranger)
            }
            try await stranger.shutdown()
            try await node.shutdown()
        }
        try await plain.shutdown()
    }

    @Test(
        "A control plane is known as such, whatever its address is; a node can't pass for it",
        arguments: ["127.0.0.1", "localhost"])
    func controlPlaneName(_ host: String) async throws {
        let fixture = try await IdentityFixture(isReal: true)
        let authority = fixture.authority
        let now = Surroundings.real.now()
        let authorityFile = fixture.api.folder.path + "/ca.pem"
        try PrivateFile.write(authority.certificatePEM, to: authorityFile)
        let server = try authority.serverIdentity(names: ["elsewhere.example"], now: now)
        let key = SigningKey()
        let subject = CertificateAuthority.NodeSubject(node: "gpu-1", generation: "00", address: host)
        let request = try CertificateRequest(pem: CertificateRequest.pem(node: "gpu-1", key: key), node: "gpu-1")
        let node = try authority.nodeCertificate(subject, for: request, now: now)
        var settings = ListenSettings(address: ListenAddress(host: "127.0.0.1", port: 0))
        var unverified = TLSConfiguration.makeClientConfiguration()
        unverified.certificateVerification = .noHostnameVerification
        unverified.trustRoots = .file(authorityFile)
        let lax = HTTPClient(configuration: .init(tlsConfiguration: unverified))
        for (identity, isExpected) in [
            (ServerIdentity.made(chain: node, key: key.pem), false),
            (.made(chain: server.chainPEM, key: server.keyPEM), true),
        ] {
            settings.identity = identity
            try await withServer(fixture.api, settings: settings, scheme: "https", client: lax) { port in
                let target = FleetClient.Target(server: "https://\(host):\(port)", authorityFile: authorityFile)
                try await answers(target, fingerprint: authority.fingerprint, isExpected: isExpected)
            }
        }
        try await lax.shutdown()
    }

    /// Asks by the clients of command line and agents.
    private func answers(
        _ target: FleetClient.Target, fingerprint: String, isExpected: Bool
    ) async throws {
        let address = target.server
        let client = try FleetClient(target)
        let shown = try? await client.authority()
        await client.shutdown()
        #expect((shown != nil) == isExpected)
        // Before anything is trusted, the certificate is only compared.
        let fetched = try await FleetClient.authority(of: address, fingerprint: fingerprint)
        #expect(try CertificateAuthority.fingerprint(ofPEM: fetched) == fingerprint)
        for wrong in ["sha256:" + String(repeating: "0", count: 64), "sha256:12", ""] {
            await #expect(throws: FleetClientError.self) {
                try await FleetClient.authority(of: address, fingerprint: wrong)
            }
        }
    }

    private func client(
        trusting authority: CertificateAuthority, certificate: String? = nil, key: String? = nil
    ) throws -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.certificatePEM.utf8)))
        if let certificate, let key {
            tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
        }
        return HTTPClient(configuration: .init(tlsConfiguration: tls))
    }

    private func post(
        _ port: Int, _ path: String, _ json: JSONValue, _ client: HTTPClient
    ) async throws -> (status: UInt, json: JSONValue) {
        var request = HTTPClientRequest(url: "https://127.0.0.1:\(port)\(path)")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: try json.encoded()))
        let response = try await client.execute(request, timeout: .seconds(20))
        let body = try await response.body.collect(upTo: 1 << 20)
        let read = try JSONDecoder().decode(JSONValue.self, from: Data(body.readableBytesView))
        return (response.status.code, read)
    }
}
