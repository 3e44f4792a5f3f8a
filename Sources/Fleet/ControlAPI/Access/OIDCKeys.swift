import FleetModel
import Foundation
import JWTKit

/// Fetches a document by its address.
public typealias DocumentFetcher = @Sendable (_ address: String) async throws -> [UInt8]

/// The provider's keys, kept for a while. A key that is not known leads to a new look, but not too often.
actor OIDCKeys {
    /// Keys by their ids, with the one algorithm that each is used with.
    struct KeySet: Sendable {
        var collection: JWTKeyCollection
        var algorithms: [String: String]
        var fetchedAt: Timestamp
    }

    private static let lifetime = TimeSpan.hours(1)
    private static let pauseMin = TimeSpan.seconds(30)

    private let issuer: String
    private let fetch: DocumentFetcher
    private let now: @Sendable () -> Timestamp
    private var current: KeySet?
    private var running: Task<KeySet, any Error>?
    private var triedAt: Timestamp?

    init(issuer: String, fetch: @escaping DocumentFetcher, now: @escaping @Sendable () -> Timestamp) {
        self.issuer = issuer
        self.fetch = fetch
        self.now = now
    }

    /// The keys among which the one with this id should be.
    func keys(having id: String) async throws -> KeySet {
        if let current, now() - current.fetchedAt < OIDCKeys.lifetime {
            if current.algorithms[id] != nil { return current }
            if let triedAt, now() - triedAt < OIDCKeys.pauseMin { return current }
        }
        // Whoever comes meanwhile waits for the same answer.
        if let running { return try await running.value }
        triedAt = now()
        let task = Task { try await load() }
        running = task
        defer { running = nil }
        do {
            let keys = try await task.value
            current = keys
            return keys
        } catch {
            // Old keys are better than none while the provider is away.
            if let current { return current }
            throw error
        }
    }

    private func load() async throws -> KeySet {
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        let discovery = try await document(base + "/.well-known/openid-configuration")
        guard discovery["issuer"]?.text == issuer else {
            throw ServerError(
                "the discovery document of \(issuer) is about another issuer, \(discovery["issuer"]?.text ?? "none")")
        }
        guard let address = discovery["jwks_uri"]?.text, address.hasPrefix("https://") || issuer.hasPrefix("http://")
        else { throw ServerError("the discovery document of \(issuer) names no jwks_uri with https") }
        let keys = try await document(address)["keys"]?.elements ?? []
        let set = KeySet(collection: JWTKeyCollection(), algorithms: [:], fetchedAt: now())
        return try await OIDCKeys.fill(set, with: keys)
    }

    private func document(_ address: String) async throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(try await fetch(address)))
    }

    /// Takes the keys that sign with RS256 or ES256; providers list others beside them.
    private static func fill(_ set: KeySet, with keys: [JSONValue]) async throws -> KeySet {
        var set = set
        for key in keys {
            let algorithm = key["kty"]?.text == "RSA" ? "RS256" : key["kty"]?.text == "EC" ? "ES256" : ""
            let isSigning = (key["use"]?.text ?? "sig") == "sig" && (key["alg"]?.text ?? algorithm) == algorithm
            guard !algorithm.isEmpty, isSigning, let id = key["kid"]?.text else { continue }
            if algorithm == "ES256", key["crv"]?.text != "P-256" { continue }
            var pinned = key
            // Without an algorithm of its own, a key would be used with whichever a token names.
            pinned["alg"] = .string(algorithm)
            guard let jwk = try? pinned.decoded(as: JWK.self) else { continue }
            try await set.collection.add(jwk: jwk)
            set.algorithms[id] = algorithm
        }
        guard !set.algorithms.isEmpty else { throw ServerError("the provider lists no key for RS256 or ES256") }
        return set
    }
}
