public import FleetModel

/// By what the sender of a request is known.
struct Credentials: Sendable, Hashable {
    /// The `Authorization` header's value.
    var authorization: String?
    /// The certificate by which the client's end of the connection was verified (DER).
    var certificate: [UInt8]?
}

/// Finds out who sends a request.
public struct Authenticator: Sendable {
    private let tokens: TokenStore
    private let oidc: OIDCVerifier?
    private let certificates: NodeCertificates?
    /// Who everybody is that sends no token; nil where a token is demanded.
    private let anonymous: Identity?

    /// Knows the bearers of tokens, of the provider's too where there is one, and nodes by their certificates.
    public init(
        tokens: TokenStore, oidc: OIDCVerifier? = nil, certificates: NodeCertificates? = nil,
        anonymous: Identity? = nil
    ) {
        self.tokens = tokens
        self.oidc = oidc
        self.certificates = certificates
        self.anonymous = anonymous
    }

    /// Who has such credentials. A token that is sent ranks before the connection's certificate.
    func identity(_ credentials: Credentials) async throws -> Identity {
        guard let authorization = credentials.authorization else {
            if let certificates, let certificate = credentials.certificate {
                return try await certificates.identity(of: certificate)
            }
            if let anonymous { return anonymous }
            throw Problem(.unauthenticated, "send a token as Authorization: Bearer …; roost login gets one")
        }
        let words = authorization.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 2, words[0].lowercased() == "bearer", !words[1].isEmpty else {
            throw Problem(.unauthenticated, "the Authorization header must be: Bearer, one space, a token")
        }
        let token = String(words[1])
        if let oidc, TokenText(token) == nil, token.contains(".") { return try await oidc.identity(of: token) }
        return try await tokens.identity(of: token)
    }
}
