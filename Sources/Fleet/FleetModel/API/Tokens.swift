/// What a token is for.
public enum TokenPurpose: String, Sendable, Hashable, Codable, CaseIterable {
    /// Speaks for its subject until it expires.
    case bearer
    /// Lets one node join, once.
    case join
}

/// Asks for a token: the body of `POST /api/v1/tokens`.
public struct TokenRequest: Sendable, Hashable, Codable {
    /// For whom it speaks.
    public var subject: String
    /// What it is for; `bearer` where nil.
    public var purpose: TokenPurpose?
    /// What its bearer may do.
    public var grants: [Grant]?
    /// How long it is good for.
    public var expiresIn: TimeSpan?
    /// What people should know of it.
    public var description: String?

    /// Asks for a token.
    public init(
        subject: String, purpose: TokenPurpose? = nil, grants: [Grant]? = nil, expiresIn: TimeSpan? = nil,
        description: String? = nil
    ) {
        self.subject = subject
        self.purpose = purpose
        self.grants = grants
        self.expiresIn = expiresIn
        self.description = description
    }

    /// The longest that a token may be good for: ten years.
    public static let spanMax = TimeSpan.hours(87_600)

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("subject", .text(max: 128), "For whom it speaks."),
        FieldSchema(
            "purpose", .word(TokenPurpose.allCases.map(\.rawValue)),
            "bearer speaks for its subject; join lets one node join, once.", fallback: "bearer"),
        FieldSchema("grants", .list(.object(Grant.fields), max: 64), "The roles of its bearer; none for join tokens."),
        FieldSchema("expiresIn", .span, "How long it is good for.", fallback: "30d; 1h for join tokens"),
        FieldSchema("description", .text(max: 1000), "What people should know of it."),
    ]

    /// What is wrong with the values together.
    public var problems: [FieldProblem] {
        var problems = (grants ?? []).enumerated().flatMap { $1.problems(at: "grants[\($0)]") }
        if let expiresIn, expiresIn.milliseconds < 1000 || expiresIn > TokenRequest.spanMax {
            problems.append(FieldProblem("expiresIn", "must be from 1s to 3650d, not \(expiresIn)"))
        }
        if purpose == .join, grants?.isEmpty == false {
            problems.append(FieldProblem("grants", "a join token has none: leave them out"))
        }
        if purpose != .join, grants?.isEmpty ?? true {
            problems.append(FieldProblem("grants", "a bearer token needs at least one role"))
        }
        return problems
    }
}

/// A token, without its secret.
public struct TokenDescription: Sendable, Hashable, Codable {
    /// Names it, for revoking.
    public var id: String
    /// For whom it speaks.
    public var subject: String
    /// What it is for.
    public var purpose: TokenPurpose
    /// What its bearer may do.
    public var grants: [Grant]
    /// When it was made, by whom, and when it ends.
    public var createdAt: Timestamp
    public var createdBy: String
    public var expiresAt: Timestamp?
    /// What people should know of it.
    public var description: String?

    /// Describes a token.
    public init(
        id: String, subject: String, purpose: TokenPurpose, grants: [Grant], createdAt: Timestamp, createdBy: String
    ) {
        self.id = id
        self.subject = subject
        self.purpose = purpose
        self.grants = grants
        self.createdAt = createdAt
        self.createdBy = createdBy
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("id", .text(max: 32), "Names it, for revoking."),
        .required("subject", .text(max: 256), "For whom it speaks."),
        .required("purpose", .word(TokenPurpose.allCases.map(\.rawValue)), "What it is for."),
        .required("grants", .list(.object(Grant.fields), max: 64), "The roles of its bearer."),
        .required("createdAt", .moment, "When it was made."),
        .required("createdBy", .text(max: 256), "Who made it."),
        FieldSchema("expiresAt", .moment, "When it ends; without it, never."),
        FieldSchema("description", .text(max: 1000), "What people should know of it."),
    ]
}

/// The answer to a request for a token: the only time that its text is shown.
public struct NewToken: Sendable, Hashable, Codable {
    /// The token's text, for `Authorization: Bearer …`.
    public var token: String
    /// What is kept of it.
    public var description: TokenDescription
    /// The fingerprint of the authority that signed the server's certificate, for whoever joins by the token: `sha256:`
    /// and 64 hexadecimal digits. Nil for other tokens, and where another authority signed it.
    public var authorityFingerprint: String?

    /// Puts token and description together.
    public init(token: String, description: TokenDescription) {
        self.token = token
        self.description = description
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("token", .text(max: 256), "The token's text. It is not shown again."),
        .required("description", .object(TokenDescription.fields), "What is kept of it."),
        FieldSchema(
            "authorityFingerprint", .text(max: 71),
            "With a join token: sha256: and the digest of the certificate of the authority that signed the server's."),
    ]
}
