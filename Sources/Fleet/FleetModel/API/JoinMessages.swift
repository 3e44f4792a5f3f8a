/// A node's first words: the body of `POST /api/v1/nodes:join`.
public struct JoinRequest: Sendable, Hashable, Codable {
    /// A join token; used up by this.
    public var token: String
    /// The node's name.
    public var name: String
    /// Counts the agent's starts.
    public var epoch: Int64
    /// What it tells of itself.
    public var facts: NodeFacts
    /// The request for the node's certificate (PKCS #10, PEM), signed by the key that the node keeps.
    public var certificateRequest: String?

    /// Asks to join.
    public init(token: String, name: String, epoch: Int64, facts: NodeFacts) {
        self.token = token
        self.name = name
        self.epoch = epoch
        self.facts = facts
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("token", .text(max: 256), "A join token; used up by this."),
        .required("name", .name, "The node's name."),
        .required("epoch", .integer(0...Int64.max), "Counts the agent's starts."),
        .required("facts", .object(NodeFacts.fields), "What the node tells of itself."),
        FieldSchema(
            "certificateRequest", .text(max: 8192),
            "The request for the node's certificate (PKCS #10, PEM), by the key that the node keeps."),
    ]
}

/// What a node needs to send heartbeats.
public struct JoinAnswer: Sendable, Hashable, Codable {
    /// The node's bearer token; nil where its certificate takes the token's place.
    public var token: String?
    /// For how long a heartbeat counts.
    public var lease: TimeSpan
    /// The node's certificate, where it asked for one.
    public var identity: IssuedCertificate?

    /// Lets a node in.
    public init(token: String?, lease: TimeSpan, identity: IssuedCertificate? = nil) {
        self.token = token
        self.lease = lease
        self.identity = identity
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        FieldSchema(
            "token", .text(max: 256),
            "The node's bearer token, which is not shown again; none where its certificate takes the token's place."),
        .required("lease", .span, "For how long a heartbeat counts."),
        FieldSchema("identity", .object(IssuedCertificate.fields), "The node's certificate, where it asked for one."),
    ]
}

/// A certificate and who signed it.
public struct IssuedCertificate: Sendable, Hashable, Codable {
    /// The certificate (PEM).
    public var certificate: String
    /// The certificate of the cluster's authority (PEM).
    public var authority: String

    /// Puts the two together.
    public init(certificate: String, authority: String) {
        self.certificate = certificate
        self.authority = authority
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("certificate", .text(max: 8192), "The certificate (PEM)."),
        .required("authority", .text(max: 8192), "The certificate of the cluster's authority (PEM)."),
    ]
}

/// Asks for another certificate for a node: the body of `POST /api/v1/nodes/{name}/renew`.
public struct RenewRequest: Sendable, Hashable, Codable {
    /// The request (PKCS #10, PEM); the key may be the same as before.
    public var certificateRequest: String

    /// Asks for a certificate.
    public init(certificateRequest: String) {
        self.certificateRequest = certificateRequest
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required(
            "certificateRequest", .text(max: 8192), "The request (PKCS #10, PEM); the key may be the same as before.")
    ]
}
