import FleetModel
import FleetStore
import HTTPTypes
import NIOCore

/// What the routes of resources do.
extension ControlService {
    func get(_ call: APICall, _ kind: ResourceKind) async throws -> APIAnswer {
        let text = try await seen(.read, call, kind)
        var answer: APIAnswer
        if let tag = call.ifNoneMatch, tag.matches(text.revision) {
            answer = APIAnswer(status: 304, body: .nothing)
        } else {
            answer = .json(try text.text())
        }
        answer.headers[.eTag] = text.entityTag
        return answer
    }

    /// A resource that exists and that the asker may see for a purpose.
    func seen(_ verb: Verb, _ call: APICall, _ kind: ResourceKind) async throws -> StoredText {
        let reference = try call.reference(kind)
        let found = try await reader.find(reference)
        if !call.identity.seesAll(verb, .resource(kind)) {
            let spec = try found?.document().json["spec"]
            let scope = try await scopes.scope(verb, reference: reference, spec: spec)
            try call.identity.demand(verb, .resource(kind), in: scope)
        }
        guard let found else { throw ResourceReader.missing(reference) }
        return found
    }

    func list(_ call: APICall, _ kind: ResourceKind) async throws -> APIAnswer {
        let project = call.parameters["project"]
        try await demandSight(call, kind, project: project)
        let sight = Sight(call.identity, of: kind, store: parts.store)
        var selection = ResourceSelection(kind: kind, project: project, sight: sight)
        selection.labels = call.query["labels"].flatMap(LabelSelector.init)
        if call.query["watch"] == "true" { return try await watch(call, selection) }
        if call.query["revision"] != nil {
            throw Problem(.invalid, "revision goes with watch=true; a list shows the newest revision")
        }
        let limit = call.query["limit"].flatMap(Int.init)
        return .json(try await reader.list(selection, limit: limit, from: call.query["continue"]))
    }

    private func demandSight(_ call: APICall, _ kind: ResourceKind, project: String?) async throws {
        guard !call.identity.seesAll(.read, .resource(kind)) || project != nil else { return }
        let node = call.identity.grants.compactMap(\.node).first
        var scope = AccessScope(.anywhere, node: node)
        if let project {
            scope.reach = .projects(try await scopes.tree.chain(of: project))
            try call.identity.demand(.read, .resource(kind), in: scope)
            _ = try await reader.get(ResourceReference(kind: .project, name: project))
        } else {
            try call.identity.demand(.read, .resource(kind), in: scope)
        }
    }

    private func watch(_ call: APICall, _ selection: ResourceSelection) async throws -> APIAnswer {
        for name in ["limit", "continue"] where call.query[name] != nil {
            throw Problem(.invalid, "\(name) does not go with watch=true")
        }
        guard let fan = fans[selection.kind] else { throw Problem(.internal, "nothing watches \(selection.kind)") }
        var start = call.query["revision"].flatMap { Int64($0) }
        var head: [ByteBuffer] = []
        if let start, start > fan.reached {
            let prefix = try selection.prefix()
            let page = try await storing { () async throws(StoreError) in
                try await parts.store.list(prefix, limit: 1, from: nil)
            }
            guard start <= page.revision.rawValue else {
                throw Problem(
                    .compacted,
                    "revision \(start) is ahead of the store's, \(page.revision); is it another store's? List again")
            }
        } else if start == nil {
            let (items, revision) = try await reader.all(selection)
            head = try items.map { try WatchLine(put: $0).bytes } + [WatchLine.progress(revision.rawValue)]
            start = revision.rawValue
        }
        let reader = try fan.join(after: start ?? 0)
        let stream = WatchStream(
            fan: fan, reader: reader, selection: selection, head: head
        ) { [senders, credentials = call.credentials] in
            try await senders.check(credentials)
        }
        return APIAnswer(body: .stream(stream))
    }

    // MARK: - Writes

    func create(_ call: APICall, _ kind: ResourceKind) async throws -> APIAnswer {
        let key = call.headers["Idempotency-Key"]
        let outcome = try await writer.create(
            call.json(), kind: kind, project: call.parameters["project"], key: key, call: call)
        var answer = try ControlService.answer(outcome, isDryRun: call.isDryRun)
        answer.headers[.location] = "\(call.path)/\(outcome.text.reference.name)"
        return answer
    }

    func put(_ call: APICall, _ kind: ResourceKind) async throws -> APIAnswer {
        let outcome = try await writer.put(call.json(), at: call.reference(kind), call: call)
        return try ControlService.answer(outcome, isDryRun: call.isDryRun)
    }

    func patch(_ call: APICall, _ kind: ResourceKind) async throws -> APIAnswer {
        let outcome = try await writer.patch(call.json(), at: call.reference(kind), call: call)
        return try ControlService.answer(outcome, isDryRun: call.isDryRun)
    }

    func delete(_ call: APICall, _ kind: ResourceKind) async throws -> APIAnswer {
        let outcome = try await writer.delete(call.reference(kind), call: call)
        return try ControlService.answer(outcome, isDryRun: call.isDryRun)
    }

    func putStatus(_ call: APICall, _ kind: ResourceKind) async throws -> APIAnswer {
        let body = try call.json()
        guard let status = body["status"], status.members != nil else {
            throw Problem(ManifestError([FieldProblem("status", "is missing, or no object")]))
        }
        let wanted = try ResourceWriter.status(status, of: kind.type)
        let outcome = try await writer.putStatus(at: call.reference(kind), verb: .writeStatus, call: call) { _ in wanted
        }
        return try ControlService.answer(outcome, isDryRun: call.isDryRun)
    }

    /// Notes that somebody still wants a workload.
    func hold(_ call: APICall) async throws -> APIAnswer {
        let now = parts.surroundings.now()
        let outcome = try await writer.putStatus(at: call.reference(.workload), verb: .hold, call: call) { document in
            var status = document.json["status"]
            status?["heldAt"] = .string(now.description)
            return status
        }
        return try ControlService.answer(outcome, isDryRun: call.isDryRun)
    }

    private static func answer(_ outcome: WriteOutcome, isDryRun: Bool) throws -> APIAnswer {
        var answer = APIAnswer.json(try outcome.text.text(), status: outcome.isNew ? 201 : 200)
        if !isDryRun { answer.headers[.eTag] = outcome.text.entityTag }
        answer.before = outcome.before
        answer.after = outcome.after
        return answer
    }
}
