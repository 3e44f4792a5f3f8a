import FleetModel
import FleetStore
import Synchronization

/// What somebody may see of a kind. Remembers projects while one list is made or one watch goes on.
final class Sight: Sendable {
    private let identity: Identity
    private let kind: ResourceKind
    private let tree: ProjectTree
    private let seesAll: Bool
    private let projects = Mutex<[String: Bool]>([:])

    init(_ identity: Identity, of kind: ResourceKind, store: any FleetStore) {
        self.identity = identity
        self.kind = kind
        tree = ProjectTree(store: store)
        seesAll = identity.seesAll(.read, .resource(kind))
    }

    /// Whether somebody may see a resource.
    func sees(_ text: StoredText) async throws -> Bool {
        if seesAll { return true }
        switch kind {
        case .project: return try await seesProject(text.reference.name)
        case .quota:
            guard let project = try text.document().json["spec"]?["project"]?.text else { return false }
            return try await seesProject(project)
        case _ where kind.isInProject:
            if let project = text.reference.project, try await seesProject(project) { return true }
            guard kind == .virtualGPU, isNode else { return false }
            return identity.may(.read, .resource(kind), in: AccessScope(.everywhere, node: try AccessScopes.node(text)))
        default:
            let scope = AccessScope(.anywhere, node: isNode ? try AccessScopes.node(text) : nil)
            return identity.may(.read, .resource(kind), in: scope)
        }
    }

    /// Whether somebody may see what is deleted, of which nothing is left but the key.
    func seesDeletion(of reference: ResourceReference) async throws -> Bool {
        if seesAll { return true }
        switch kind {
        case .project: return try await seesProject(reference.name)
        case .quota: return true
        case _ where kind.isInProject: return try await seesProject(reference.project ?? defaultProject)
        default: return true
        }
    }

    /// Looks projects up anew.
    func forget() { projects.withLock { $0 = [:] } }

    private var isNode: Bool { identity.grants.contains { $0.role == .node } }

    private func seesProject(_ project: String) async throws -> Bool {
        if let known = projects.withLock({ $0[project] }) { return known }
        let chain = try await tree.chain(of: project)
        let answer = identity.may(.read, .resource(kind), in: AccessScope(.projects(chain)))
        projects.withLock { $0[project] = answer }
        return answer
    }
}

/// Where resources stand, for the question who may touch them.
struct AccessScopes: Sendable {
    let tree: ProjectTree

    /// Where one stands that exists.
    func scope(_ verb: Verb, of text: StoredText) async throws -> AccessScope {
        try await scope(verb, reference: text.reference, spec: text.document().json["spec"])
    }

    /// Where one stands, or would stand.
    func scope(_ verb: Verb, reference: ResourceReference, spec: JSONValue?) async throws -> AccessScope {
        let isReading = verb == .read || verb == .explain
        let node = AccessScopes.node(reference, spec: spec)
        switch reference.kind {
        case .project:
            // Whoever leads a project may not change what stands in its parent's eyes: its weight and its place.
            let start = isReading ? reference.name : spec?["parent"]?.text
            guard let start else { return AccessScope(.everywhere) }
            return AccessScope(.projects(try await tree.chain(of: start)))
        case .quota:
            guard isReading, let project = spec?["project"]?.text else { return AccessScope(.everywhere) }
            return AccessScope(.projects(try await tree.chain(of: project)))
        case let kind where kind.isInProject:
            let chain = try await tree.chain(of: reference.project ?? defaultProject)
            return AccessScope(.projects(chain), node: node)
        default: return AccessScope(isReading ? .anywhere : .everywhere, node: node)
        }
    }

    /// The node that a resource belongs to.
    static func node(_ text: StoredText) throws -> String? {
        node(text.reference, spec: try text.document().json["spec"])
    }

    private static func node(_ reference: ResourceReference, spec: JSONValue?) -> String? {
        switch reference.kind {
        case .node: reference.name
        case .device, .virtualGPU: spec?["node"]?.text
        default: nil
        }
    }
}
