public import FleetModel

/// Finds out who sends a request.
public struct Authenticator: Sendable {
    private let tokens: TokenStore
    private let oidc: OIDCVerifier?
    /// Who everybody is that sends no token; nil where a token is demanded.
    private let anonymous: Identity?

    /// Knows the bearers of tokens, of the provider's too where there is one.
    public init(tokens: TokenStore, oidc: OIDCVerifier? = nil, anonymous: Identity? = nil) {
        self.tokens = tokens
        self.oidc = oidc
        self.anonymous = anonymous
    }

    /// Who sends an `Authorization` header's value.
    func identity(authorization: String?) async throws -> Identity {
        guard let authorization else {
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
