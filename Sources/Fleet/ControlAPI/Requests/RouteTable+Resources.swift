import FleetModel
import HTTPTypes

extension RouteTable {
    /// What can be done with resources of a kind.
    static func resourceRoutes(_ kind: ResourceKind) -> [Route] {
        let inProject: [Parameter] = kind.isInProject ? [.project] : []
        let folder = kind.isInProject ? "/api/v1/projects/{project}/\(kind.plural)" : "/api/v1/\(kind.plural)"
        let plural = pluralName(kind)
        var routes = [
            list(kind, "/api/v1/\(kind.plural)", "list\(plural)", "Lists or watches every \(kind.rawValue).", [])
        ]
        if kind.isInProject {
            routes.append(
                list(kind, folder, "listProject\(plural)", "Lists or watches a project's \(plural).", inProject))
        }
        routes += writes(kind, folder, inProject)
        return routes
    }

    private static func list(
        _ kind: ResourceKind, _ path: String, _ operation: String, _ summary: String, _ parameters: [Parameter]
    ) -> Route {
        Route(
            method: .get, path: path, operation: operation, summary: summary, access: .role(.read, .resource(kind)),
            parameters: parameters + [.labels, .limit, .continue, .watch, .revision], answer: .list(kind),
            problems: [.notFound, .compacted, .invalid, .unavailable]
        ) { try await $0.list($1, kind) }
    }

    private static func writes(_ kind: ResourceKind, _ folder: String, _ inProject: [Parameter]) -> [Route] {
        let one = inProject + [.name]
        let name = kind.rawValue
        let conditions: [Parameter] = [.dryRun, .ifMatch]
        var routes = [
            Route(
                method: .post, path: folder, operation: "create\(name)", summary: "Creates a \(name).",
                access: .role(.write, .resource(kind)), parameters: inProject + [.dryRun, .idempotencyKey],
                body: .manifest(kind), answer: .resource(kind), status: 201,
                problems: [.exists, .invalid], isAudited: true
            ) { try await $0.create($1, kind) },
            Route(
                method: .get, path: "\(folder)/{name}", operation: "get\(name)", summary: "Reads a \(name).",
                access: .role(.read, .resource(kind)), parameters: one + [.ifNoneMatch], answer: .resource(kind),
                problems: [.notFound]
            ) { try await $0.get($1, kind) },
            Route(
                method: .put, path: "\(folder)/{name}", operation: "replace\(name)",
                summary: "Creates a \(name), or replaces its spec, labels and annotations; its status stays.",
                access: .role(.write, .resource(kind)), parameters: one + conditions + [.ifNoneMatch],
                body: .replacement(kind), answer: .resource(kind),
                problems: [.conflict, .preconditionFailed, .invalid], isAudited: true
            ) { try await $0.put($1, kind) },
            Route(
                method: .patch, path: "\(folder)/{name}", operation: "patch\(name)",
                summary: "Lays changes over the spec, labels and annotations of a \(name) (RFC 7386).",
                access: .role(.write, .resource(kind)), parameters: one + conditions, body: .mergePatch(kind),
                answer: .resource(kind), problems: [.notFound, .conflict, .preconditionFailed, .invalid],
                isAudited: true
            ) { try await $0.patch($1, kind) },
            Route(
                method: .delete, path: "\(folder)/{name}", operation: "delete\(name)",
                summary: "Deletes a \(name); answers what it was.", access: .role(.delete, .resource(kind)),
                parameters: one + conditions, answer: .resource(kind),
                problems: [.notFound, .inUse, .preconditionFailed], isAudited: true
            ) { try await $0.delete($1, kind) },
        ]
        if hasStatus(kind) {
            routes.append(
                Route(
                    method: .put, path: "\(folder)/{name}/status", operation: "replace\(name)Status",
                    summary: "Replaces the status of a \(name). For the control plane's own parts.",
                    access: .role(.writeStatus, .resource(kind)), parameters: one + conditions, body: .status(kind),
                    answer: .resource(kind), problems: [.notFound, .conflict, .preconditionFailed, .invalid],
                    isAudited: true
                ) { try await $0.putStatus($1, kind) })
        }
        return routes
    }

    /// Whether resources of a kind have a state.
    static func hasStatus(_ kind: ResourceKind) -> Bool { hasStatus(kind.type) }

    private static func hasStatus<Spec: ResourceSpec>(_ type: Spec.Type) -> Bool { Spec.Status.self != NoStatus.self }

    private static func pluralName(_ kind: ResourceKind) -> String { kind.rawValue + "s" }
}
