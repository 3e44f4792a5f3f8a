public import FleetModel
import Foundation

/// Which OpenID Connect provider is trusted, and what its groups may do.
public struct OIDCSettings: Sendable, Hashable {
    /// The provider's address, as it stands in `iss`.
    public var issuer: String
    /// What must be in `aud`.
    public var audience: String
    /// The claim that names people in the audit log.
    public var nameClaim = "sub"
    /// The claim that lists groups.
    public var groupsClaim = "groups"
    /// What the members of groups may do.
    public var groups: [String: [Grant]]

    /// Trusts a provider.
    public init(issuer: String, audience: String, groups: [String: [Grant]]) {
        self.issuer = issuer
        self.audience = audience
        self.groups = groups
    }

    /// Reads `{"GROUP": [{"role": …, "project": …}]}`.
    public static func groups(json: [UInt8]) throws -> [String: [Grant]] {
        let groups: [String: [Grant]]
        do {
            groups = try JSONDecoder().decode([String: [Grant]].self, from: Data(json))
        } catch {
            throw ServerError(
                #"the groups' file is not of the form {"GROUP": [{"role": "user", "project": "NAME"}]}: \#(error)"#)
        }
        for (group, grants) in groups.sorted(by: { $0.key < $1.key }) {
            for (index, grant) in grants.enumerated() {
                if let problem = grant.problems(at: "\(group)[\(index)]").first { throw ServerError("\(problem)") }
                if grant.role == .node || grant.role == .system {
                    throw ServerError("group \(group) can't have the role \(grant.role.rawValue): people are no nodes")
                }
            }
        }
        return groups
    }

    /// The provider must be reached by TLS, unless it is on this machine.
    func check() throws {
        guard let address = URL(string: issuer), let host = address.host, address.query == nil else {
            throw ServerError("the OIDC issuer \(issuer) is no address; write it as in the provider's discovery document")
        }
        guard address.scheme == "https" || (address.scheme == "http" && ListenAddress.isLoopback(host)) else {
            throw ServerError("the OIDC issuer \(issuer) must be an https address, or be on loopback")
        }
    }
}
