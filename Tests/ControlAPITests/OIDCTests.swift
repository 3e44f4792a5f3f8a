import CryptoExtras
import FleetModel
import Foundation
import Hummingbird
import JWTKit
import Logging
import Synchronization
import Testing

@testable import ControlAPI

@Suite("OpenID Connect")
struct OIDCTests {
    private func verifier(_ issuer: String, _ clock: StandingClock) throws -> OIDCVerifier {
        let settings = OIDCSettings(
            issuer: issuer, audience: "roost",
            groups: ["ml": [Grant(.user, project: "team")], "ops": [Grant(.admin)]])
        return try OIDCVerifier(settings, surroundings: clock.surroundings, fetch: DocumentRequest.fetcher())
    }

    @Test("An ID token's groups become roles; both algorithms are taken", arguments: ["RS256", "ES256"])
    func identity(_ algorithm: String) async throws {
        try await TestIssuer.run { issuer in
            let clock = StandingClock()
            let verifier = try verifier(issuer.address, clock)
            let token = try await issuer.token(algorithm, clock.now) { $0["groups"] = ["ml", "unknown", "ops"] }
            let identity = try await verifier.identity(of: token)
            #expect(identity.subject == "oidc:alice")
            #expect(identity.grants == [Grant(.admin), Grant(.user, project: "team")])
            #expect(identity.method == "oidc")
        }
    }

    @Test("A token that is not good is nobody's", arguments: [
        "issuer", "audience", "expired", "future", "noexp", "noname", "signature", "none", "hmac", "key", "garbage",
    ])
    func refused(_ how: String) async throws {
        try await TestIssuer.run { issuer in
            let clock = StandingClock()
            let verifier = try verifier(issuer.address, clock)
            var token = try await issuer.token("RS256", clock.now) { claims in
                switch how {
                case "issuer": claims["iss"] = "http://127.0.0.1:1"
                case "audience": claims["aud"] = ["other"]
                case "expired": claims["exp"] = .integer(clock.now.milliseconds / 1000 - 61)
                case "future": claims["nbf"] = .integer(clock.now.milliseconds / 1000 + 3600)
                case "noexp": claims["exp"] = nil
                case "noname": claims["sub"] = nil
                default: break
                }
            }
            var parts = token.split(separator: ".").map(String.init)
            switch how {
            case "signature": parts[1] = base64URL(Array(#"{"sub":"eve"}"#.utf8))
            case "none": parts = [base64URL(Array(#"{"alg":"none","kid":"rsa"}"#.utf8)), parts[1], ""]
            case "hmac": parts[0] = base64URL(Array(#"{"alg":"HS256","kid":"rsa"}"#.utf8))
            case "key": parts[0] = base64URL(Array(#"{"alg":"RS256","kid":"other"}"#.utf8))
            case "garbage": parts = ["a", "b", "c"]
            default: break
            }
            token = parts.joined(separator: ".")
            let problem = await #expect(throws: Problem.self) { try await verifier.identity(of: token) }
            #expect(problem?.code == .unauthenticated)
        }
    }

    @Test("Keys are fetched once, and again for a key that is new, but not for each made-up one")
    func keysAreKept() async throws {
        try await TestIssuer.run { issuer in
            let clock = StandingClock()
            let verifier = try verifier(issuer.address, clock)
            for _ in 0..<3 { _ = try await verifier.identity(of: issuer.token("RS256", clock.now)) }
            #expect(issuer.fetchCount == 1)
            let madeUp = [base64URL(Array(#"{"alg":"RS256","kid":"new"}"#.utf8)), "e30", "x"].joined(separator: ".")
            for _ in 0..<5 { _ = try? await verifier.identity(of: madeUp) }
            #expect(issuer.fetchCount == 1, "the last fetch was a moment ago")
            clock.move(by: .seconds(31))
            for _ in 0..<5 { _ = try? await verifier.identity(of: madeUp) }
            #expect(issuer.fetchCount == 2)
            clock.move(by: .hours(2))
            _ = try await verifier.identity(of: issuer.token("ES256", clock.now))
            #expect(issuer.fetchCount == 3)
        }
    }

    @Test("Through the API: a token of a provider is known, and its roles count")
    func throughTheAPI() async throws {
        try await TestIssuer.run { issuer in
            let clock = StandingClock()
            let verifier = try verifier(issuer.address, clock)
            let fixture = try await APIFixture { parts in
                let tokens = TokenStore(store: parts.store, surroundings: parts.surroundings)
                parts.authenticator = Authenticator(tokens: tokens, oidc: verifier)
            }
            let token = try await issuer.token("RS256", clock.now) { $0["groups"] = ["ml"] }
            try await fixture.run { api in
                #expect(try await api.with(token).get("/api/v1/whoami").json["subject"] == "oidc:alice")
                _ = try await api.put("/api/v1/projects/team", [:])
                let path = "/api/v1/projects/team/workloads"
                #expect(try await api.with(token).post(path, manifest("w")).status == 201)
                #expect(try await api.with(token).post(workloads, manifest("w")).status == 403)
            }
        }
    }

    @Test("A provider that does not answer, or is another one, makes nobody known and says so")
    func provider() async throws {
        let clock = StandingClock()
        #expect(throws: ServerError.self) { try verifier("http://id.example.com", clock) }
        #expect(throws: ServerError.self) { try verifier("nonsense", clock) }
        let settings = OIDCSettings(issuer: "https://id.example.com", audience: "roost", groups: [:])
        let other = try OIDCVerifier(settings, surroundings: clock.surroundings) { _ in
            Array(#"{"issuer":"https://evil.example.com","jwks_uri":"https://evil.example.com/keys"}"#.utf8)
        }
        let token = [base64URL(Array(#"{"alg":"RS256","kid":"k"}"#.utf8)), "e30", "x"].joined(separator: ".")
        let problem = await #expect(throws: Problem.self) { try await other.identity(of: token) }
        #expect(problem?.status == 503)
        #expect(throws: ServerError.self) {
            try OIDCSettings.groups(json: Array(#"{"g":[{"role":"system"}]}"#.utf8))
        }
    }
}

func base64URL(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacingOccurrences(of: "+", with: "-")
        .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
}

/// A small identity provider on loopback.
final class TestIssuer: Sendable {
    private struct Claims: JWTPayload {
        var values: JSONValue
        init(_ values: JSONValue) { self.values = values }
        init(from decoder: any Decoder) throws { values = try JSONValue(from: decoder) }
        func encode(to encoder: any Encoder) throws { try values.encode(to: encoder) }
        func verify(using algorithm: some JWTAlgorithm) {}
    }

    let address: String
    private let keys: JWTKeyCollection
    private let fetches: Fetches
    /// Made once: it takes a while.
    private static let rsaKey = Result { try _RSA.Signing.PrivateKey(keySize: .bits2048) }

    /// Counts how often keys were asked for.
    private final class Fetches: Sendable {
        let count = Mutex(0)
        let port = Mutex(0)
    }

    var fetchCount: Int { fetches.count.withLock { $0 } }

    private init(address: String, keys: JWTKeyCollection, fetches: Fetches) {
        self.address = address
        self.keys = keys
        self.fetches = fetches
    }

    static func run(_ body: @escaping @Sendable (TestIssuer) async throws -> Void) async throws {
        let rsa = try Insecure.RSA.PrivateKey(backing: rsaKey.get())
        let ecdsa = ES256PrivateKey()
        let keys = JWTKeyCollection()
        await keys.add(rsa: rsa, digestAlgorithm: .sha256, kid: "rsa")
        await keys.add(ecdsa: ecdsa, kid: "ec")
        let primitives = try rsa.publicKey.getKeyPrimitives()
        let modulus = base64URL(Array(primitives.modulus))
        let exponent = base64URL(Array(primitives.publicExponent))
        let point = ecdsa.publicKey.parameters
        let document: JSONValue = [
            "keys": [
                ["kty": "oct", "kid": "hmac", "k": "c2VjcmV0"],
                ["kty": "RSA", "kid": "enc", "use": "enc", "alg": "RSA-OAEP", "n": .string(modulus), "e": .string(exponent)],
                ["kty": "RSA", "kid": "rsa", "use": "sig", "n": .string(modulus), "e": .string(exponent)],
                [
                    "kty": "EC", "kid": "ec", "crv": "P-256", "alg": "ES256", "x": .string(point?.x ?? ""),
                    "y": .string(point?.y ?? ""),
                ],
            ]
        ]
        let fetches = Fetches()
        let router = Router()
        router.get("/.well-known/openid-configuration") { _, _ in
            let address = "http://127.0.0.1:\(fetches.port.withLock { $0 })"
            return "{\"issuer\":\"\(address)\",\"jwks_uri\":\"\(address)/keys\"}"
        }
        router.get("/keys") { _, _ in
            fetches.count.withLock { $0 += 1 }
            return String(decoding: try document.encoded(), as: UTF8.self)
        }
        let (ports, port) = AsyncStream<Int>.makeStream()
        var logger = Logger(label: "issuer")
        logger.logLevel = .critical
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                port.yield(channel.localAddress?.port ?? 0)
                port.finish()
            }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { port.finish() }
                do { try await application.run() } catch is CancellationError {}
            }
            for await number in ports {
                fetches.port.withLock { $0 = number }
                try await body(TestIssuer(address: "http://127.0.0.1:\(number)", keys: keys, fetches: fetches))
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    /// A token of Alice's, with changed claims.
    func token(
        _ algorithm: String, _ now: Timestamp, _ change: (inout JSONValue) -> Void = { _ in }
    ) async throws -> String {
        let seconds = now.milliseconds / 1000
        var claims: JSONValue = [
            "iss": .string(address), "aud": "roost", "sub": "alice", "exp": .integer(seconds + 600),
            "iat": .integer(seconds), "groups": [],
        ]
        change(&claims)
        return try await keys.sign(Claims(claims), kid: algorithm == "RS256" ? "rsa" : "ec")
    }
}
