import FleetModel
import Foundation

extension ResourceWriter {
    /// Checks a manifest that stands under an address, which may say what the manifest leaves out.
    func checkedManifest(
        _ manifest: JSONValue, kind: ResourceKind, project: String?, name: String?
    ) throws -> ResourceDocument {
        guard manifest.members != nil else {
            throw Problem(.invalid, "the body must be an object, a manifest, not \(manifest.kindName)")
        }
        var manifest = manifest
        manifest["status"] = nil
        if manifest["apiVersion"] == nil { manifest["apiVersion"] = .string(resourceAPIVersion) }
        if manifest["kind"] == nil { manifest["kind"] = .string(kind.rawValue) }
        if manifest["metadata"] == nil { manifest["metadata"] = .object([:]) }
        if let name, manifest["metadata"]?["name"] == nil { manifest["metadata"]?["name"] = .string(name) }
        if let project, manifest["metadata"]?["project"] == nil { manifest["metadata"]?["project"] = .string(project) }
        let document: ResourceDocument
        do {
            // The kind must be the address's before anything else is looked at: its fields are what is compared with.
            guard manifest["kind"]?.text == kind.rawValue else {
                throw ManifestError([FieldProblem("kind", "must be \(kind.rawValue), as the address says")])
            }
            document = try ResourceDocument(manifest: manifest)
        } catch let error as ManifestError {
            throw Problem(error)
        } catch {
            throw Problem(.invalid, "the manifest can't be read: \(APICall.reason(error))")
        }
        if let name, document.metadata.name != name {
            throw Problem(ManifestError([FieldProblem("metadata.name", "must be \(name), as the address says")]))
        }
        if let project, document.metadata.project != project {
            throw Problem(ManifestError([FieldProblem("metadata.project", "must be \(project), as the address says")]))
        }
        return document
    }

    /// What the control plane adds: uid, generation, who and when; and the state, which a manifest can't set.
    func filled(
        _ document: ResourceDocument, from before: ResourceDocument?, by identity: Identity
    ) throws -> ResourceDocument {
        var metadata = document.metadata
        metadata.revision = nil
        guard let before else {
            metadata.uid = hexadecimal(surroundings.random(16))
            metadata.generation = 1
            metadata.createdAt = surroundings.now()
            metadata.createdBy = identity.subject
            return try document.with(metadata, status: document.json["status"])
        }
        metadata.uid = before.metadata.uid
        metadata.createdAt = before.metadata.createdAt
        metadata.createdBy = before.metadata.createdBy
        let isSpecSame = document.json["spec"] == before.json["spec"]
        metadata.generation = (before.metadata.generation ?? 0) + (isSpecSame ? 0 : 1)
        return try document.with(metadata, status: before.json["status"])
    }

    /// Throws where the manifest names another object, or an older state, than the one that there is.
    static func demandSame(_ wanted: Metadata, _ current: ResourceDocument?) throws {
        if let uid = wanted.uid, uid != current?.metadata.uid {
            throw Problem(
                .conflict, "metadata.uid is that of another resource of the name; leave it out, or read it again")
        }
        if let revision = wanted.revision, revision != 0, revision != current?.metadata.revision {
            let now = current?.metadata.revision.map { "\($0)" } ?? "none"
            throw Problem(
                .preconditionFailed, "metadata.revision is \(revision), but the resource is at \(now); read it again")
        }
    }

    /// Throws where a patch is about something that a client can't change.
    static func checkPatch(_ patch: JSONValue) throws {
        guard let members = patch.members else {
            throw Problem(.invalid, "a merge patch is an object, not \(patch.kindName)")
        }
        var problems: [FieldProblem] = []
        for name in members.keys.sorted() where name != "metadata" && name != "spec" {
            problems.append(FieldProblem(name, "can't be patched; metadata.labels, metadata.annotations and spec can"))
        }
        if let metadata = members["metadata"] {
            guard let inner = metadata.members else {
                throw Problem(ManifestError([FieldProblem("metadata", "must be an object, not \(metadata.kindName)")]))
            }
            for (name, value) in inner.sorted(by: { $0.key < $1.key }) {
                if name != "labels" && name != "annotations" {
                    problems.append(FieldProblem("metadata.\(name)", "can't be patched; labels and annotations can"))
                } else if !isObjectOrNull(value) {
                    problems.append(FieldProblem("metadata.\(name)", "must be an object, not \(value.kindName)"))
                }
            }
        }
        if let spec = members["spec"], !isObjectOrNull(spec) {
            problems.append(FieldProblem("spec", "must be an object, not \(spec.kindName)"))
        }
        guard problems.isEmpty else { throw Problem(ManifestError(problems)) }
    }

    private static func isObjectOrNull(_ value: JSONValue) -> Bool { value == .null || value.members != nil }

    /// Whether nothing is to change.
    static func isSame(_ left: ResourceDocument, _ right: ResourceDocument) throws -> Bool {
        try left.storedBytes() == right.storedBytes()
    }

    /// The bytes for the store.
    static func bytes(_ document: ResourceDocument) throws -> [UInt8] {
        let bytes = try document.storedBytes()
        guard bytes.count <= byteCountMax else {
            throw Problem(
                .invalid, "\(document.reference) has \(bytes.count) bytes; at most \(byteCountMax) are allowed")
        }
        return bytes
    }

    /// A state of a kind, checked by reading it.
    static func status<Spec: ResourceSpec>(_ value: JSONValue, of type: Spec.Type) throws -> JSONValue {
        do {
            return try JSONValue(encoding: value.decoded(as: Spec.Status.self))
        } catch let DecodingError.keyNotFound(key, context) {
            let path = (["status"] + context.codingPath.map(\.stringValue) + [key.stringValue]).joined(separator: ".")
            throw Problem(ManifestError([FieldProblem(path, "is missing")]))
        } catch let DecodingError.typeMismatch(_, context) {
            throw Problem(ManifestError([FieldProblem(path(context), context.debugDescription)]))
        } catch let DecodingError.dataCorrupted(context) {
            throw Problem(ManifestError([FieldProblem(path(context), context.debugDescription)]))
        } catch let DecodingError.valueNotFound(_, context) {
            throw Problem(ManifestError([FieldProblem(path(context), "must not be null")]))
        }
    }

    private static func path(_ context: DecodingError.Context) -> String {
        (["status"] + context.codingPath.map(\.stringValue)).joined(separator: ".")
    }
}
