import FleetModel
import FleetStore
import Foundation

/// What a write came to.
struct WriteOutcome: Sendable {
    /// The resource after it, or the one that was deleted.
    var text: StoredText
    var isNew = false
    /// SHA-256 of what the store held before and after; nil where there was nothing.
    var before: String?
    var after: String?
}

/// Who writes, and under which conditions.
struct WriteOrder: Sendable {
    var identity: Identity
    var isDryRun = false
    var ifMatch: EntityTag?
    var ifNoneMatch: EntityTag?

    init(_ call: APICall) {
        identity = call.identity
        isDryRun = call.isDryRun
        ifMatch = call.ifMatch
        ifNoneMatch = call.ifNoneMatch
    }

    /// Throws unless the resource is as the request demands.
    func demandMatch(_ current: StoredText?, _ reference: ResourceReference) throws {
        if let ifMatch, !ifMatch.matches(current?.revision) {
            let now = current.map { "is at revision \($0.revision)" } ?? "does not exist"
            throw Problem(.preconditionFailed, "\(reference) \(now), not as If-Match demands; read it again")
        }
        if let ifNoneMatch, let current, ifNoneMatch.matches(current.revision) {
            throw Problem(.preconditionFailed, "\(reference) exists already, at revision \(current.revision)")
        }
    }
}

/// Somebody else changed the store between the look and the write.
struct Overtaken: Error {}

/// Creates, changes and deletes resources. Values are checked and filled in here, then the admission checks look.
struct ResourceWriter: Sendable {
    /// How often a change without conditions is tried anew when somebody else was faster.
    static let attemptMax = 10
    /// Bytes that a resource may have, so that a store's transaction holds it and an idempotency record.
    static let byteCountMax = 256 * 1024

    let store: any FleetStore
    let surroundings: Surroundings
    let checks: [any AdmissionCheck]

    private var reader: ResourceReader { ResourceReader(store: store) }
    private var scopes: AccessScopes { AccessScopes(tree: ProjectTree(store: store)) }

    /// Creates a resource. With a key, the same request is done once.
    func create(
        _ manifest: JSONValue, kind: ResourceKind, project: String?, key: String?, call: APICall
    ) async throws -> WriteOutcome {
        let order = WriteOrder(call)
        let document = try checkedManifest(manifest, kind: kind, project: project, name: nil)
        let reference = document.reference
        try await demand(.write, reference, document, order)
        let now = surroundings.now()
        let digest = IdempotencyRecord.digest(call)
        let keyed = try key.map { key in
            try { () throws(StoreError) in try IdempotencyRecord.storeKey(subject: call.identity.subject, key: key) }()
        }
        var expired: StoreEntry?
        if let keyed, let entry = try await storing({ () async throws(StoreError) in try await store.get(keyed) }) {
            if let first = try IdempotencyRecord.answer(entry, digest: digest, now: now) {
                return WriteOutcome(text: first, isNew: true)
            }
            expired = entry
        }
        if let current = try await reader.find(reference) {
            throw Problem(
                .exists, "\(reference) exists already, at revision \(current.revision); PUT or PATCH changes it")
        }
        let made = try filled(document, from: nil, by: order.identity)
        let admitted = try await admit(nil, made, order)
        let bytes = try ResourceWriter.bytes(admitted)
        if order.isDryRun { return outcome(reference, revision: 0, before: nil, after: bytes, isNew: true) }
        var operations: [StoreOperation] = [.create(try self.key(of: reference), value: bytes)]
        if let keyed {
            let record = IdempotencyRecord(
                digest: digest, at: now, key: reference.key, resource: String(decoding: bytes, as: UTF8.self))
            let value = try jsonBytes(record)
            operations.append(
                expired.map { .replace(keyed, value: value, expected: $0.revision) } ?? .create(keyed, value: value))
        }
        do {
            let revision = try await commit(operations)
            return outcome(reference, revision: revision, before: nil, after: bytes, isNew: true)
        } catch is Overtaken {
            // The same request may have been sent twice at once.
            if let keyed, let entry = try await storing({ () async throws(StoreError) in try await store.get(keyed) }),
                let first = try IdempotencyRecord.answer(entry, digest: digest, now: now)
            {
                return WriteOutcome(text: first, isNew: true)
            }
            throw Problem(.exists, "\(reference) exists already; PUT or PATCH changes it")
        }
    }

    /// Creates a resource or replaces what is wanted of it.
    func put(_ manifest: JSONValue, at reference: ResourceReference, call: APICall) async throws -> WriteOutcome {
        let order = WriteOrder(call)
        let document = try checkedManifest(
            manifest, kind: reference.kind, project: reference.project, name: reference.name)
        return try await change(reference, order) { current in
            try ResourceWriter.demandSame(document.metadata, current)
            return document
        }
    }

    /// Lays changes over a resource.
    func patch(_ patch: JSONValue, at reference: ResourceReference, call: APICall) async throws -> WriteOutcome {
        try ResourceWriter.checkPatch(patch)
        return try await change(reference, WriteOrder(call)) { current in
            guard let current else { throw ResourceReader.missing(reference) }
            var base = current.json
            base["status"] = nil
            return try checkedManifest(
                base.merging(patch), kind: reference.kind, project: reference.project, name: reference.name)
        }
    }

    /// Deletes a resource; answers what it was.
    func delete(_ reference: ResourceReference, call: APICall) async throws -> WriteOutcome {
        let order = WriteOrder(call)
        return try await retrying(order) {
            let current = try await reader.find(reference)
            try await demand(.delete, reference, current?.document(), order)
            guard let current else { throw ResourceReader.missing(reference) }
            try order.demandMatch(current, reference)
            let document = try current.document()
            _ = try await admit(document, nil, order)
            var outcome = WriteOutcome(text: current)
            outcome.before = sha256(current.bytes)
            guard !order.isDryRun else { return outcome }
            let expected = Revision(rawValue: current.revision)
            _ = try await commit([.delete(try key(of: reference), expected: expected)])
            return outcome
        }
    }

    /// Changes what is of a resource.
    func putStatus(
        at reference: ResourceReference, verb: Verb, call: APICall,
        _ status: (ResourceDocument) throws -> JSONValue?
    ) async throws -> WriteOutcome {
        let order = WriteOrder(call)
        return try await retrying(order) {
            let current = try await reader.find(reference)
            let spec = try current?.document().json["spec"]
            let scope = try await scopes.scope(verb, reference: reference, spec: spec)
            try order.identity.demand(verb, .resource(reference.kind), in: scope)
            guard let current else { throw ResourceReader.missing(reference) }
            try order.demandMatch(current, reference)
            let document = try current.document()
            let changed = try document.with(document.metadata, status: status(document))
            return try await replace(current, with: changed, order)
        }
    }

    // MARK: - Steps

    private func change(
        _ reference: ResourceReference, _ order: WriteOrder,
        _ wanted: (ResourceDocument?) throws -> ResourceDocument
    ) async throws -> WriteOutcome {
        try await retrying(order) {
            let current = try await reader.find(reference)
            let before = try current?.document()
            if let before { try await demand(.write, reference, before, order) }
            let document: ResourceDocument
            do {
                document = try wanted(before)
            } catch let problem as Problem where before == nil {
                // Whether a resource exists is not for everybody to know.
                try await demand(.write, reference, nil, order)
                throw problem
            }
            try await demand(.write, reference, document, order)
            try order.demandMatch(current, reference)
            let filled = try filled(document, from: before, by: order.identity)
            if let current, let before, try ResourceWriter.isSame(filled, before) {
                let hash = sha256(current.bytes)
                return WriteOutcome(text: current, before: hash, after: hash)
            }
            let admitted = try await admit(before, filled, order)
            guard let current else {
                let bytes = try ResourceWriter.bytes(admitted)
                if order.isDryRun { return outcome(reference, revision: 0, before: nil, after: bytes, isNew: true) }
                let revision = try await commit([.create(try key(of: reference), value: bytes)])
                return outcome(reference, revision: revision, before: nil, after: bytes, isNew: true)
            }
            return try await replace(current, with: admitted, order)
        }
    }

    private func replace(
        _ current: StoredText, with document: ResourceDocument, _ order: WriteOrder
    ) async throws -> WriteOutcome {
        let reference = current.reference
        let bytes = try ResourceWriter.bytes(document)
        if order.isDryRun || bytes == current.bytes {
            return outcome(reference, revision: current.revision, before: current.bytes, after: bytes)
        }
        let expected = Revision(rawValue: current.revision)
        let revision = try await commit([.replace(try key(of: reference), value: bytes, expected: expected)])
        return outcome(reference, revision: revision, before: current.bytes, after: bytes)
    }

    /// Tries anew while somebody else is faster. A condition that named a revision has failed then.
    private func retrying(_ order: WriteOrder, _ body: () async throws -> WriteOutcome) async throws -> WriteOutcome {
        for _ in 0..<ResourceWriter.attemptMax {
            do { return try await body() } catch is Overtaken { continue }
        }
        throw Problem(
            .conflict, "others changed it \(ResourceWriter.attemptMax) times while this was tried; try again")
    }

    private func admit(
        _ before: ResourceDocument?, _ after: ResourceDocument?, _ order: WriteOrder
    ) async throws -> ResourceDocument {
        var after = after
        for check in checks {
            let change = ProposedChange(
                identity: order.identity, before: before, after: after, isDryRun: order.isDryRun)
            switch try await check.review(change) {
            case .admitted: break
            case .changed(let document): after = document
            case .refused(let problems):
                let what = problems.map(\.description).prefix(3).joined(separator: "; ")
                throw Problem(.invalid, "not admitted: \(what)", problems: problems)
            }
        }
        guard let document = after ?? before else { throw Problem(.internal, "a change without a resource") }
        return document
    }

    private func demand(
        _ verb: Verb, _ reference: ResourceReference, _ document: ResourceDocument?, _ order: WriteOrder
    ) async throws {
        let scope = try await scopes.scope(verb, reference: reference, spec: document?.json["spec"])
        try order.identity.demand(verb, .resource(reference.kind), in: scope)
    }

    private func outcome(
        _ reference: ResourceReference, revision: Int64, before: [UInt8]?, after: [UInt8], isNew: Bool = false
    ) -> WriteOutcome {
        WriteOutcome(
            text: StoredText(reference: reference, revision: revision, bytes: after), isNew: isNew,
            before: before.map { sha256($0) }, after: sha256(after))
    }

    private func commit(_ operations: [StoreOperation]) async throws -> Int64 {
        do throws(StoreError) {
            return try await store.commit(StoreTransaction(operations)).rawValue
        } catch {
            if [.conflict, .exists, .notFound].contains(error.code) { throw Overtaken() }
            throw Problem(error)
        }
    }

    private func key(of reference: ResourceReference) throws -> StoreKey {
        do { return try reference.storeKey() } catch { throw Problem(error) }
    }
}
