public import FleetModel
import Foundation
import JWTKit

/// Turns ID tokens of an OpenID Connect provider into identities.
public struct OIDCVerifier: Sendable {
    /// The claims as they are.
    private struct Claims: JWTPayload {
        var values: JSONValue

        init(from decoder: any Decoder) throws { values = try JSONValue(from: decoder) }

        func encode(to encoder: any Encoder) throws { try values.encode(to: encoder) }

        /// Claims are checked by the verifier, with its clock.
        func verify(using algorithm: some JWTAlgorithm) {}
    }

    /// How far clocks may be apart.
    private static let leeway = TimeSpan.seconds(60)

    private let settings: OIDCSettings
    private let keys: OIDCKeys
    private let now: @Sendable () -> Timestamp

    /// Verifies tokens of one provider.
    public init(_ settings: OIDCSettings, surroundings: Surroundings, fetch: @escaping DocumentFetcher) throws {
        try settings.check()
        self.settings = settings
        now = surroundings.now
        keys = OIDCKeys(issuer: settings.issuer, fetch: fetch, now: surroundings.now)
    }

    /// Who sends a token; throws `unauthenticated` where it is not good.
    public func identity(of token: String) async throws -> Identity {
        let header = try OIDCVerifier.header(of: token)
        guard let id = header["kid"]?.text, let algorithm = header["alg"]?.text else {
            throw refused("its header names no key")
        }
        let known: OIDCKeys.KeySet
        do {
            known = try await keys.keys(having: id)
        } catch {
            throw Problem(.unavailable, "the identity provider can't be asked now; try again").retrying(
                afterSeconds: 10)
        }
        guard known.algorithms[id] == algorithm else { throw refused("its key is not one of the provider's") }
        guard let claims = try? await known.collection.verify(token, as: Claims.self).values else {
            throw refused("its signature is wrong")
        }
        return try identity(claims)
    }

    private func identity(_ claims: JSONValue) throws -> Identity {
        guard claims["iss"]?.text == settings.issuer else { throw refused("it is of another issuer") }
        let audiences = claims["aud"]?.elements?.compactMap(\.text) ?? [claims["aud"]?.text].compactMap(\.self)
        guard audiences.contains(settings.audience) else { throw refused("it is for another audience") }
        guard let expiresAt = OIDCVerifier.moment(claims["exp"]) else { throw refused("it never expires") }
        guard now() < expiresAt + OIDCVerifier.leeway else { throw refused("it has expired") }
        for name in ["nbf", "iat"] {
            guard let moment = OIDCVerifier.moment(claims[name]) else { continue }
            guard moment < now() + OIDCVerifier.leeway else { throw refused("it is not good yet") }
        }
        guard let name = claims[settings.nameClaim]?.text, !name.isEmpty, name.utf8.count <= 200,
            name.utf8.allSatisfy({ $0 > 32 && $0 != 127 })
        else { throw refused("its claim \(settings.nameClaim) names nobody") }
        let groups = claims[settings.groupsClaim]?.elements?.compactMap(\.text) ?? []
        let grants = Set(groups.flatMap { settings.groups[$0] ?? [] })
        return Identity(
            subject: "oidc:\(name)",
            grants: grants.sorted { ($0.role.rawValue, $0.project) < ($1.role.rawValue, $1.project) }, method: "oidc",
            expiresAt: expiresAt)
    }

    private func refused(_ reason: String) -> Problem { OIDCVerifier.refused(reason) }

    private static func refused(_ reason: String) -> Problem {
        Problem(.unauthenticated, "the ID token is not accepted: \(reason); log in again")
    }

    private static func header(of token: String) throws -> JSONValue {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, token.utf8.count <= 16_384 else { throw refused("it has not three parts") }
        var text = parts[0].replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: text), let header = try? JSONDecoder().decode(JSONValue.self, from: bytes)
        else { throw refused("its header can't be read") }
        return header
    }

    private static func moment(_ claim: JSONValue?) -> Timestamp? {
        switch claim {
        case .integer(let seconds) where abs(seconds) < 1 << 40: Timestamp(milliseconds: seconds * 1000)
        case .number(let seconds) where abs(seconds) < 1e12: Timestamp(milliseconds: Int64(seconds * 1000))
        default: nil
        }
    }
}
