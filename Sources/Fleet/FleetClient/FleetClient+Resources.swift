public import FleetModel
import Foundation

extension FleetClient {
    /// The place of a kind's resources: all of them, or a project's.
    public static func path(_ kind: ResourceKind, project: String?) -> String {
        if kind.isInProject, let project { return "/api/v1/projects/\(project)/\(kind.plural)" }
        return "/api/v1/\(kind.plural)"
    }

    /// The place of one resource.
    public static func path(_ reference: ResourceReference) -> String {
        path(reference.kind, project: reference.project) + "/" + reference.name
    }

    private struct Page: Decodable {
        struct Metadata: Decodable {
            var revision: Int64
            var `continue`: String?
        }
        var metadata: Metadata
        var items: [JSONValue]
    }

    /// All resources of a kind, of all projects or of one, and the revision that they show.
    public func list(
        _ kind: ResourceKind, project: String? = nil, labels: String? = nil
    ) async throws -> (items: [ResourceDocument], revision: Int64) {
        var items: [ResourceDocument] = []
        var next: String?
        while true {
            var options = Options(query: [("limit", "500")])
            if let labels { options.query.append(("labels", labels)) }
            if let next { options.query.append(("continue", next)) }
            let page: Page = try await send(.get, FleetClient.path(kind, project: project), options)
            items += try page.items.map(ResourceDocument.init(answered:))
            next = page.metadata.continue
            if next == nil { return (items, page.metadata.revision) }
        }
    }

    /// The names of a kind's resources, a thousand at most, within a second: for a shell that completes a word.
    public func names(of kind: ResourceKind, project: String? = nil) async throws -> [String] {
        var options = Options(query: [("limit", "1000")])
        options.timeout = .seconds(1)
        let page: Page = try await send(.get, FleetClient.path(kind, project: project), options)
        return page.items.compactMap { $0["metadata"]?["name"]?.text }
    }

    /// One resource; nil where there is none.
    public func get(_ reference: ResourceReference) async throws -> ResourceDocument? {
        do {
            return try ResourceDocument(answered: await send(.get, FleetClient.path(reference)))
        } catch let error as FleetClientError where error.status == 404 {
            return nil
        }
    }

    /// Makes a resource that must not be there.
    @discardableResult
    public func create(_ document: ResourceDocument, isDryRun: Bool = false) async throws -> ResourceDocument {
        let path = FleetClient.path(document.kind, project: document.metadata.project)
        return try ResourceDocument(
            answered: await send(.post, path, FleetClient.options(isDryRun: isDryRun), body: document.json))
    }

    /// Makes a resource or replaces what is wanted of it; with a revision, only if it still has that.
    @discardableResult
    public func put(
        _ document: ResourceDocument, revision: Int64? = nil, isDryRun: Bool = false
    ) async throws -> ResourceDocument {
        var options = FleetClient.options(isDryRun: isDryRun)
        if let revision { options.headers.append(("If-Match", "\"\(revision)\"")) }
        return try ResourceDocument(
            answered: await send(.put, FleetClient.path(document.reference), options, body: document.json))
    }

    /// Changes members of a resource (RFC 7386).
    @discardableResult
    public func patch(_ reference: ResourceReference, _ patch: JSONValue) async throws -> ResourceDocument {
        let options = Options(headers: [("Content-Type", "application/merge-patch+json")])
        return try ResourceDocument(answered: await send(.patch, FleetClient.path(reference), options, body: patch))
    }

    /// Deletes a resource.
    public func delete(_ reference: ResourceReference, isDryRun: Bool = false) async throws {
        _ = try await bytes(.delete, FleetClient.path(reference), FleetClient.options(isDryRun: isDryRun))
    }

    private static func options(isDryRun: Bool) -> Options {
        Options(query: isDryRun ? [("dryRun", "true")] : [])
    }

    // MARK: - Watching

    /// What a watch tells.
    public enum Change: Sendable {
        case put(ResourceDocument)
        case deleted(ResourceReference, revision: Int64)
        case progress(Int64)

        /// After which revision a watch that ended goes on.
        public var revision: Int64 {
            switch self {
            case .put(let document): document.metadata.revision ?? 0
            case .deleted(_, let revision), .progress(let revision): revision
            }
        }
    }

    private struct Line: Decodable {
        struct Problem: Decodable {
            var status: Int?
            var title: String?
            var detail: String?
        }
        var type: String
        var object: JSONValue?
        var revision: Int64?
        var problem: Problem?
    }

    /// Every change of a kind's resources after a revision, until the connection ends.
    public func watch(
        _ kind: ResourceKind, project: String? = nil, after revision: Int64
    ) -> AsyncThrowingStream<Change, any Error> {
        let options = Options(query: [("watch", "true"), ("revision", "\(revision)")])
        let lines = lines(FleetClient.path(kind, project: project), options)
        return AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    for try await line in lines where !line.isEmpty {
                        continuation.yield(try FleetClient.change(line))
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private static func change(_ bytes: Data) throws -> Change {
        let line = try JSONDecoder().decode(Line.self, from: bytes)
        switch (line.type, line.object) {
        case ("PUT", let object?): return .put(try ResourceDocument(answered: object))
        case ("DELETE", let object?):
            let kind = object["kind"]?.text.flatMap(ResourceKind.init(rawValue:))
            guard let kind, let name = object["metadata"]?["name"]?.text,
                case .integer(let revision)? = object["metadata"]?["revision"]
            else { break }
            return .deleted(
                ResourceReference(kind: kind, project: object["metadata"]?["project"]?.text, name: name),
                revision: revision)
        case ("PROGRESS", _): return .progress(line.revision ?? 0)
        case ("ERROR", _):
            throw FleetClientError(
                status: line.problem?.status ?? 0, title: line.problem?.title ?? "The watch ended",
                detail: line.problem?.detail ?? "")
        default: break
        }
        throw FleetClientError(status: 0, title: "Unexpected answer", detail: "A watch told \(line.type).")
    }
}

// MARK: - Questions and agents

extension FleetClient {
    /// Why a workload waits.
    public func why(_ workload: ResourceReference) async throws -> Explanation {
        try await send(.get, FleetClient.path(workload) + "/why")
    }

    /// What would be done with manifests.
    public func plan(_ documents: [ResourceDocument]) async throws -> Plan {
        var options = Options()
        options.isRepeatable = true
        return try await send(.post, "/api/v1/plan", options, body: ["items": documents.map(\.json)])
    }

    /// Keeps a held workload alive.
    public func hold(_ workload: ResourceReference) async throws {
        var options = Options()
        options.isRepeatable = true
        _ = try await bytes(.post, FleetClient.path(workload) + "/hold", options)
    }

    /// How to reach a vGPU.
    public func connection(_ vgpu: ResourceReference) async throws -> VirtualGPUConnection {
        try await send(.get, FleetClient.path(vgpu) + "/connection")
    }

    /// Makes this machine a node; the client's token is a join token.
    public func join(_ request: JoinRequest) async throws -> JoinAnswer {
        try await send(.post, "/api/v1/nodes:join", body: request)
    }

    /// Gets another certificate for a node; the client's certificate or token is the node's.
    public func renew(node: String, _ request: RenewRequest) async throws -> IssuedCertificate {
        try await send(.post, "/api/v1/nodes/\(node)/renew", body: request)
    }

    /// The certificate of the cluster's authority (PEM).
    public func authority() async throws -> String {
        String(decoding: try await bytes(.get, "/api/v1/ca"), as: UTF8.self)
    }

    /// Tells what a node does; the client's certificate or token is the node's.
    public func heartbeat(node: String, _ request: HeartbeatRequest) async throws -> HeartbeatAnswer {
        var options = Options()
        options.timeout = .seconds(15)
        options.isRepeatable = true
        if let wait = request.wait { options.timeout = TimeSpan(milliseconds: wait.milliseconds + 15_000) }
        return try await send(.post, "/api/v1/nodes/\(node)/heartbeat", options, body: request)
    }
}

extension ResourceDocument {
    /// Reads a resource that a control plane sent.
    init(answered json: JSONValue) throws {
        let revision: Int64
        if case .integer(let number) = json["metadata"]?["revision"] { revision = number } else { revision = 0 }
        try self.init(stored: Array(json.encoded()), revision: revision)
    }
}
