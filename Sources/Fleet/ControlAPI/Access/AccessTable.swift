public import FleetModel

/// What somebody wants to do with something.
public enum Verb: String, Sendable, Hashable, CaseIterable {
    /// Get, list or watch.
    case read
    /// Create or change what is wanted.
    case write
    case delete
    /// Change what is.
    case writeStatus
    /// Learn how to reach a vGPU.
    case connect
    /// Ask why a workload waits.
    case explain
    /// Keep a held workload alive.
    case hold
    /// Ask where manifests would go.
    case plan
    /// Tell of a node's state.
    case heartbeat
}

/// With what somebody wants to do something.
public enum AccessTarget: Sendable, Hashable, CaseIterable {
    case resource(ResourceKind)
    case tokens
    case auditLog
    case snapshot

    public static let allCases: [AccessTarget] =
        ResourceKind.allCases.map(AccessTarget.resource) + [.tokens, .auditLog, .snapshot]

    /// The target's name in messages.
    var title: String {
        switch self {
        case .resource(let kind): kind.rawValue
        case .tokens: "tokens"
        case .auditLog: "the audit log"
        case .snapshot: "snapshots of the fleet"
        }
    }
}

/// Which roles suffice for what: the one place that says it.
public enum AccessTable {
    private static let readers: [Role] = [.viewer, .user, .poolAdmin, .admin, .system]
    private static let users: [Role] = [.user, .poolAdmin, .admin, .system]
    private static let poolAdmins: [Role] = [.poolAdmin, .admin, .system]
    private static let admins: [Role] = [.admin, .system]

    /// The roles of which one suffices, the humblest first; empty where nobody may.
    public static func roles(_ verb: Verb, _ target: AccessTarget) -> [Role] {
        switch target {
        case .resource(let kind): roles(verb, kind)
        case .tokens: [.read, .write, .delete].contains(verb) ? admins : []
        case .auditLog: verb == .read ? admins : []
        case .snapshot: verb == .read ? poolAdmins : []
        }
    }

    private static func roles(_ verb: Verb, _ kind: ResourceKind) -> [Role] {
        switch (verb, kind) {
        case (.read, .node), (.read, .device), (.read, .virtualGPU): readers + [.node]
        case (.read, _): readers
        case (.write, .profile), (.write, .workload), (.delete, .profile), (.delete, .workload): users
        case (.write, .project), (.delete, .project): admins
        case (.write, .device), (.write, .virtualGPU), (.write, .event): [.system]
        case (.delete, .device), (.delete, .virtualGPU), (.delete, .event): [.system]
        case (.write, _), (.delete, _): poolAdmins
        case (.writeStatus, .node), (.writeStatus, .device), (.writeStatus, .virtualGPU): [.node, .system]
        case (.writeStatus, _): [.system]
        case (.connect, .virtualGPU), (.hold, .workload), (.plan, .workload): users
        case (.explain, .workload): readers
        case (.heartbeat, .node): [.node, .system]
        case (.connect, _), (.hold, _), (.plan, _), (.explain, _), (.heartbeat, _): []
        }
    }
}

/// Where something stands, for the question who may touch it.
public struct AccessScope: Sendable, Hashable {
    /// Grants that suffice, by project.
    public enum Reach: Sendable, Hashable {
        /// Only one that holds everywhere.
        case everywhere
        /// Any, whatever its project.
        case anywhere
        /// One for a project of this list: a project and all above it.
        case projects([String])
    }

    /// By project.
    public var reach: Reach
    /// The node that it belongs to: what the role `node` is compared with.
    public var node: String?

    /// Describes a place.
    public init(_ reach: Reach, node: String? = nil) {
        self.reach = reach
        self.node = node
    }

    func admits(_ grant: Grant) -> Bool {
        if grant.role == .node { return node != nil && grant.node == node }
        if grant.project == Grant.everywhere { return true }
        switch reach {
        case .everywhere: return false
        case .anywhere: return true
        case .projects(let chain): return chain.contains(grant.project)
        }
    }
}

extension Identity {
    /// Whether this somebody may do a thing there.
    public func may(_ verb: Verb, _ target: AccessTarget, in scope: AccessScope) -> Bool {
        let roles = AccessTable.roles(verb, target)
        return grants.contains { roles.contains($0.role) && scope.admits($0) }
    }

    /// Throws a problem that names what is missing, unless this somebody may.
    func demand(_ verb: Verb, _ target: AccessTarget, in scope: AccessScope) throws {
        guard !may(verb, target, in: scope) else { return }
        guard let role = AccessTable.roles(verb, target).first else {
            throw Problem(.forbidden, "nobody may \(verb.rawValue) \(target.title) through the API")
        }
        let place =
            switch scope.reach {
            case .everywhere: "for all projects (*)"
            case .anywhere: "in any project"
            case .projects(let chain):
                chain.first.map { "for project \($0), one above it, or all (*)" } ?? "for all projects (*)"
            }
        let wanted = role == .node ? "node for node \(scope.node ?? "that it is about")" : "\(role.rawValue) \(place)"
        throw Problem(
            .forbidden,
            "\(subject) may not \(verb.rawValue) \(target.title): it needs the role \(wanted); "
                + "ask an administrator for a token with it")
    }

    /// Whether a role for all projects is among the grants that suffice, so that nothing needs to be looked at.
    func seesAll(_ verb: Verb, _ target: AccessTarget) -> Bool {
        may(verb, target, in: AccessScope(.everywhere))
    }
}
