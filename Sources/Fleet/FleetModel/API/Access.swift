/// What somebody may do. See the table in the HTTP API's page.
public enum Role: String, Sendable, Hashable, Codable, CaseIterable {
    /// Reads.
    case viewer
    /// Also writes workloads and profiles, and connects to vGPUs.
    case user
    /// Also writes pools, nodes, quotas, price lists and alert rules.
    case poolAdmin
    /// Also writes projects and tokens, and reads the audit log.
    case admin
    /// A node's agent: what is its own node's.
    case node
    /// A control plane.
    case system
}

/// A role and where it holds.
public struct Grant: Sendable, Hashable, Codable {
    /// Everywhere.
    public static let everywhere = "*"

    /// The role.
    public var role: Role
    /// The project, with all below it, in which the role holds; `*` for all.
    public var project: String
    /// The node whose agent this is; for the role `node` alone.
    public var node: String?

    /// Grants a role.
    public init(_ role: Role, project: String = Grant.everywhere, node: String? = nil) {
        self.role = role
        self.project = project
        self.node = node
    }

    private enum CodingKeys: String, CodingKey {
        case role, project, node
    }

    /// Reads a grant; without a project it holds everywhere.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        role = try container.decode(Role.self, forKey: .role)
        project = try container.decodeIfPresent(String.self, forKey: .project) ?? Grant.everywhere
        node = try container.decodeIfPresent(String.self, forKey: .node)
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("role", .word(Role.allCases.map(\.rawValue)), "The role."),
        FieldSchema(
            "project", .text(max: 63), "The project, with all below it, in which it holds; * for all.", fallback: "*"),
        FieldSchema("node", .name, "The node whose agent this is; for the role node alone."),
    ]

    /// What is wrong with the values together.
    public func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if project != Grant.everywhere, let reason = Names.objection(project) {
            problems.append(FieldProblem("\(path).project", "\(reason); or * for all"))
        }
        if role == .node, node == nil {
            problems.append(FieldProblem("\(path).node", "is missing: the role node holds for one node"))
        }
        if role != .node, node != nil {
            problems.append(FieldProblem("\(path).node", "goes with the role node alone, not \(role.rawValue)"))
        }
        return problems
    }
}

/// Who asks, and what it may do: the answer of `/api/v1/whoami`.
public struct Identity: Sendable, Hashable, Codable {
    /// The name, as it stands in the audit log.
    public var subject: String
    /// What it may do.
    public var grants: [Grant]
    /// How it is known: `token`, `certificate`, `oidc` or `none`.
    public var method: String
    /// When that ends; nil where it does not.
    public var expiresAt: Timestamp?

    /// Describes somebody.
    public init(subject: String, grants: [Grant], method: String, expiresAt: Timestamp? = nil) {
        self.subject = subject
        self.grants = grants
        self.method = method
        self.expiresAt = expiresAt
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("subject", .text(max: 256), "The name, as it stands in the audit log."),
        .required("grants", .list(.object(Grant.fields), max: 64), "The roles."),
        .required("method", .word(["token", "certificate", "oidc", "none"]), "How it is known."),
        FieldSchema("expiresAt", .moment, "When that ends."),
    ]
}
