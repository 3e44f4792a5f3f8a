import FleetModel
import FleetStore

/// The fields of resources that name other resources.
enum ReferenceRules {
    /// A field of `spec` that holds a name.
    struct Rule: Sendable {
        let kind: ResourceKind
        let field: String
        let target: ResourceKind
    }

    static let rules: [Rule] = [
        Rule(kind: .project, field: "parent", target: .project),
        Rule(kind: .quota, field: "project", target: .project),
        Rule(kind: .pool, field: "priceList", target: .priceList),
        Rule(kind: .node, field: "pool", target: .pool),
        Rule(kind: .profile, field: "pool", target: .pool),
        Rule(kind: .workload, field: "pool", target: .pool),
        Rule(kind: .workload, field: "profile", target: .profile),
        Rule(kind: .device, field: "node", target: .node),
        Rule(kind: .virtualGPU, field: "pool", target: .pool),
        Rule(kind: .virtualGPU, field: "node", target: .node),
        Rule(kind: .virtualGPU, field: "workload", target: .workload),
    ]

    /// What does not keep a project from being deleted, and goes with it in time.
    static let kindsWithoutWeight: Set<ResourceKind> = [.event]
}

/// Refuses resources that name others which do not exist, and the deletion of what others name.
struct ReferenceCheck: AdmissionCheck {
    private static let listedMax = 20

    let store: any FleetStore

    func review(_ change: ProposedChange) async throws -> AdmissionVerdict {
        if let after = change.after { return try await reviewWrite(after, before: change.before) }
        if let before = change.before { try await reviewDeletion(before) }
        return .admitted
    }

    private func reviewWrite(_ after: ResourceDocument, before: ResourceDocument?) async throws -> AdmissionVerdict {
        var problems: [FieldProblem] = []
        if let project = after.reference.project, before == nil,
            !(try await exists(ResourceReference(kind: .project, name: project)))
        {
            problems.append(FieldProblem("metadata.project", "there is no Project \(project); create it first"))
        }
        for rule in ReferenceRules.rules where rule.kind == after.kind {
            guard let name = after.json["spec"]?[rule.field]?.text, name != before?.json["spec"]?[rule.field]?.text
            else { continue }
            let target = ResourceReference(kind: rule.target, project: after.reference.project, name: name)
            if !(try await exists(target)) {
                problems.append(FieldProblem("spec.\(rule.field)", "there is no \(target); create it first"))
            }
        }
        if after.kind == .project, let problem = try await circle(after) { problems.append(problem) }
        return problems.isEmpty ? .admitted : .refused(problems)
    }

    private func circle(_ project: ResourceDocument) async throws -> FieldProblem? {
        guard let parent = project.json["spec"]?["parent"]?.text else { return nil }
        let chain = try await ProjectTree(store: store).chain(of: parent)
        if chain.contains(project.metadata.name) {
            return FieldProblem("spec.parent", "\(parent) is \(project.metadata.name) itself, or below it")
        }
        guard chain.count < ProjectTree.depthMax else {
            return FieldProblem("spec.parent", "\(parent) has \(chain.count) projects above it; that is the most")
        }
        return nil
    }

    private func reviewDeletion(_ before: ResourceDocument) async throws {
        let reference = before.reference
        if reference == ResourceReference(kind: .project, name: defaultProject) {
            throw Problem(.inUse, "the project default can't be deleted: it is where resources go that name none")
        }
        let users = try await users(of: reference)
        guard !users.isEmpty else { return }
        var problem = Problem(
            .inUse,
            "\(reference) is used by \(users.count == ReferenceCheck.listedMax ? "at least " : "")\(users.count) others; "
                + "delete or change them first: \(users.prefix(3).map(\.description).joined(separator: ", "))")
        problem.usedBy = users
        throw problem
    }

    /// The first resources that name another one, or belong to it.
    private func users(of reference: ResourceReference) async throws -> [ResourceReference] {
        var users: [ResourceReference] = []
        // A workload's vGPUs end with it; a node's devices go with it.
        let followers: Set<ResourceKind> = reference.kind == .workload ? [.virtualGPU] : [.device]
        for rule in ReferenceRules.rules where rule.target == reference.kind && !followers.contains(rule.kind) {
            guard users.count < ReferenceCheck.listedMax else { break }
            let folder = rule.target.isInProject ? "\(reference.project ?? "")/" : ""
            users += try await scan("/\(rule.kind.plural)/\(folder)") { text in
                let spec = try text.document().json["spec"]
                return spec?[rule.field]?.text == reference.name && text.reference != reference
            }
        }
        if reference.kind == .project {
            for kind in ResourceKind.allCases where kind.isInProject {
                guard !ReferenceRules.kindsWithoutWeight.contains(kind) else { continue }
                users += try await scan("/\(kind.plural)/\(reference.name)/") { _ in true }
            }
        }
        return Array(users.prefix(ReferenceCheck.listedMax))
    }

    private func scan(
        _ folder: String, where isUser: (StoredText) throws -> Bool
    ) async throws -> [ResourceReference] {
        var found: [ResourceReference] = []
        let entries = try await storing { () async throws(StoreError) in try await store.listAll(StorePrefix(folder)).entries }
        for entry in entries {
            guard let text = StoredText(entry), try isUser(text) else { continue }
            found.append(text.reference)
            if found.count == ReferenceCheck.listedMax { break }
        }
        return found
    }

    private func exists(_ reference: ResourceReference) async throws -> Bool {
        try await storing { () async throws(StoreError) in try await store.get(reference.storeKey()) } != nil
    }
}
