import Certificates
import FleetModel
import FleetStore
import Foundation
import HTTPTypes

/// What the other routes do.
extension ControlService {
    // MARK: - The control loop's

    func explain(_ call: APICall) async throws -> APIAnswer {
        let text = try await seen(.explain, call, .workload)
        return try .value(try await parts.operations.explain(text.reference))
    }

    func plan(_ call: APICall) async throws -> APIAnswer {
        let body = try call.json()
        guard let items = body["items"]?.elements, body.members?.count == 1, items.count <= 1000 else {
            let problem = FieldProblem("items", "must be the only field, a list of at most 1000 manifests of workloads")
            throw Problem(.invalid, "the body's values are wrong", problems: [problem])
        }
        var workloads: [Resource<WorkloadSpec>] = []
        for item in items {
            let document = try writer.checkedManifest(item, kind: .workload, project: nil, name: nil)
            let scope = try await scopes.scope(.plan, reference: document.reference, spec: nil)
            try call.identity.demand(.plan, .resource(.workload), in: scope)
            workloads.append(try document.resource(WorkloadSpec.self))
        }
        return try .value(try await parts.operations.plan(workloads))
    }

    func snapshot(_ call: APICall) async throws -> APIAnswer {
        try call.identity.demand(.read, .snapshot, in: AccessScope(.everywhere))
        let (entries, revision) = try await storing { () async throws(StoreError) in
            try await parts.store.listAll(.all)
        }
        let documents = try entries.filter { ResourceReference(key: $0.key.text) != nil }
            .map { try ResourceDocument(stored: $0.value, revision: $0.revision.rawValue) }
        let recorded = try RecordedFleet(
            documents, revision: revision.rawValue, version: parts.version, at: parts.surroundings.now())
        return try .value(recorded.json)
    }

    func connection(_ call: APICall) async throws -> APIAnswer {
        let text = try await seen(.connect, call, .virtualGPU)
        let vgpu = try text.document().resource(VirtualGPUSpec.self)
        return try .value(try await parts.operations.connection(to: vgpu))
    }

    func heartbeat(_ call: APICall) async throws -> APIAnswer {
        let name = try call.parameter("name")
        try call.identity.demand(.heartbeat, .resource(.node), in: AccessScope(.everywhere, node: name))
        let request = try call.object(HeartbeatRequest.self, fields: HeartbeatRequest.fields)
        return try .value(try await parts.operations.heartbeat(node: name, request))
    }

    // MARK: - Tokens, audit log, identity

    func makeToken(_ call: APICall) async throws -> APIAnswer {
        try call.identity.demand(.write, .tokens, in: AccessScope(.everywhere))
        let request = try call.object(TokenRequest.self, fields: TokenRequest.fields)
        let isSystem = call.identity.grants.contains { $0.role == .system }
        if !isSystem, request.grants?.contains(where: { $0.role == .system }) == true {
            throw Problem(.forbidden, "only a control plane makes tokens with the role system")
        }
        var made = try await tokens.make(request, by: call.identity.subject)
        if request.purpose == .join, let certificates = parts.certificates, certificates.signedServer {
            made.authorityFingerprint = certificates.authority.fingerprint
        }
        var answer = try APIAnswer.value(made, status: 201)
        answer.headers[.location] = "/api/v1/tokens/\(made.description.id)"
        answer.after = sha256(try jsonBytes(made.description))
        return answer
    }

    func listTokens(_ call: APICall) async throws -> APIAnswer {
        try call.identity.demand(.read, .tokens, in: AccessScope(.everywhere))
        return try .value(["items": try await tokens.list()])
    }

    func getToken(_ call: APICall) async throws -> APIAnswer {
        try call.identity.demand(.read, .tokens, in: AccessScope(.everywhere))
        return try .value(try await tokens.description(call.parameter("id")))
    }

    func revokeToken(_ call: APICall) async throws -> APIAnswer {
        try call.identity.demand(.delete, .tokens, in: AccessScope(.everywhere))
        let id = try call.parameter("id")
        let description = try await tokens.description(id)
        try await tokens.revoke(id)
        var answer = APIAnswer(status: 204, body: .nothing)
        answer.before = sha256(try jsonBytes(description))
        return answer
    }

    func auditRecords(_ call: APICall) async throws -> APIAnswer {
        try call.identity.demand(.read, .auditLog, in: AccessScope(.everywhere))
        let after = call.query["after"].flatMap { Int64($0) } ?? 0
        let limit = call.query["limit"].flatMap(Int.init) ?? 500
        let records = AuditPage(items: try parts.audit.records(after: after, limit: limit), head: parts.audit.head)
        return try .value(records)
    }

    func identity(_ call: APICall) async throws -> APIAnswer { try .value(call.identity) }

    // MARK: - The server itself

    func metrics(_ call: APICall) async throws -> APIAnswer {
        try call.identity.demand(.read, .resource(.node), in: AccessScope(.everywhere))
        guard let metrics = parts.metrics else {
            throw Problem(.unavailable, "this server collects no metrics").retrying(afterSeconds: 60)
        }
        let mediaType = "text/plain; version=0.0.4; charset=utf-8"
        return APIAnswer(body: .bytes(Array(try await metrics().utf8), mediaType: mediaType))
    }

    func history(_ call: APICall) async throws -> APIAnswer {
        try call.identity.demand(.read, .resource(.node), in: AccessScope(.everywhere))
        guard let history = parts.history else {
            throw Problem(.unavailable, "this server keeps no history of metrics").retrying(afterSeconds: 60)
        }
        return try .value(try await history(HistoryRequest(call, now: parts.surroundings.now())))
    }

    func ready(_ call: APICall) async throws -> APIAnswer {
        _ = try await reader.find(ResourceReference(kind: .project, name: defaultProject))
        guard fans.values.allSatisfy(\.isWatching) else {
            throw Problem(.unavailable, "the store's changes are not followed yet").retrying(afterSeconds: 1)
        }
        return .plain("ok\n")
    }

    func version(_ call: APICall) async throws -> APIAnswer {
        try .value(["version": parts.version, "apiVersion": resourceAPIVersion])
    }

    func dashboard(_ call: APICall, _ path: String) async throws -> APIAnswer {
        guard let file = parts.dashboard.file(path) else {
            throw Problem(.notFound, "the dashboard has no file \(path.prefix(80)); start the server with --dashboard")
        }
        var answer = APIAnswer(body: .bytes(file.bytes, mediaType: file.mediaType))
        if call.headers["If-None-Match"] == file.entityTag { answer = APIAnswer(status: 304, body: .nothing) }
        answer.headers[.eTag] = file.entityTag
        answer.headers[.cacheControl] = "no-cache"
        answer.headers[.contentSecurityPolicy] =
            "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; object-src 'none'; "
            + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        return answer
    }
}

/// Records of the audit log, and where its chain stands.
struct AuditPage: Encodable {
    var items: [AuditRecord]
    var head: AuditLog.Head
}

extension APIAnswer {
    /// Answers with text.
    static func plain(_ text: String) -> APIAnswer {
        APIAnswer(body: .bytes(Array(text.utf8), mediaType: "text/plain; charset=utf-8"))
    }
}
