public import Foundation

/// A resource of any kind in its text form, checked field by field.
public struct ResourceDocument: Sendable, Hashable {
    /// The kind.
    public let kind: ResourceKind
    /// Name, project, labels.
    public private(set) var metadata: Metadata
    /// The whole resource, with `apiVersion`, `kind`, `metadata`, `spec` and, where it has one, `status`.
    public private(set) var json: JSONValue

    /// Where it stands.
    public var reference: ResourceReference {
        ResourceReference(kind: kind, project: metadata.project, name: metadata.name)
    }

    /// Checks a manifest against its kind's fields and reads it.
    ///
    /// - Throws: ``ManifestError`` with everything that is wrong.
    public init(manifest: JSONValue) throws {
        guard manifest.members != nil else {
            throw ManifestError([FieldProblem("", "a manifest is an object, not \(manifest.kindName)")])
        }
        let kindName = manifest["kind"]?.text ?? ""
        guard let kind = ResourceKind.allCases.first(where: { $0.rawValue == kindName }) else {
            let kinds = ResourceKind.allCases.map(\.rawValue)
            let hint = nearest(to: kindName, among: kinds).map { "; did you mean \($0)?" }
            let reason =
                kindName.isEmpty ? "is missing; there are" : "\"\(kindName)\" is no kind\(hint ?? "");"
            throw ManifestError([FieldProblem("kind", "\(reason) \(kinds.joined(separator: ", "))")])
        }
        self.kind = kind
        let problems = ResourceDocument.problems(in: manifest, kind: kind)
        guard problems.isEmpty else { throw ManifestError(problems) }
        (metadata, json) = try ResourceDocument.normalize(manifest, kind.type)
    }

    /// Writes a resource's document.
    public init<Spec: ResourceSpec>(_ resource: Resource<Spec>) throws {
        kind = Spec.kind
        metadata = resource.metadata
        json = try JSONValue(encoding: resource)
    }

    /// Reads what the store holds.
    public init(stored bytes: [UInt8], revision: Int64) throws {
        var json = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        guard let kind = json["kind"]?.text.flatMap(ResourceKind.init(rawValue:)) else {
            throw ManifestError([FieldProblem("kind", "is missing in the store")])
        }
        json["metadata"]?["revision"] = .integer(revision)
        self.kind = kind
        self.json = json
        metadata = try (json["metadata"] ?? .object([:])).decoded(as: Metadata.self)
    }

    /// The same resource with other metadata and another state; neither is checked again.
    public func with(_ metadata: Metadata, status: JSONValue?) throws -> ResourceDocument {
        var json = json
        json["metadata"] = try JSONValue(encoding: metadata)
        json["status"] = status
        return ResourceDocument(kind: kind, metadata: metadata, json: json)
    }

    /// Reads the resource as one of its kind.
    public func resource<Spec: ResourceSpec>(_ type: Spec.Type = Spec.self) throws -> Resource<Spec> {
        try json.decoded(as: Resource<Spec>.self)
    }

    /// The same, as of a revision of the store.
    public func at(revision: Int64) -> ResourceDocument {
        var copy = self
        copy.metadata.revision = revision
        copy.json["metadata"]?["revision"] = .integer(revision)
        return copy
    }

    /// The bytes for the store: sorted names, without the revision, which is the store's own.
    public func storedBytes() throws -> [UInt8] {
        var stored = json
        stored["metadata"]?["revision"] = nil
        return Array(try stored.encoded())
    }

    private init(kind: ResourceKind, metadata: Metadata, json: JSONValue) {
        self.kind = kind
        self.metadata = metadata
        self.json = json
    }

    private static func problems(in manifest: JSONValue, kind: ResourceKind) -> [FieldProblem] {
        let shape: [FieldSchema] = [
            .required("apiVersion", .word([resourceAPIVersion]), "The version of the form: \(resourceAPIVersion)."),
            .required("kind", .text(max: 63), "The kind."),
            .required("metadata", .object(Metadata.fields), "Name, project, labels."),
            FieldSchema("spec", .object(kind.type.fields), "What is wanted."),
        ]
        var checked = manifest
        checked["status"] = nil
        if checked["spec"] == nil { checked["spec"] = .object([:]) }
        var problems = SchemaCheck.problems(in: checked, fields: shape, path: "")
        if !kind.isInProject, manifest["metadata"]?["project"] != nil {
            problems.append(FieldProblem("metadata.project", "a \(kind.rawValue) belongs to no project"))
        }
        return problems
    }

    private static func normalize<Spec: ResourceSpec>(
        _ manifest: JSONValue, _ type: Spec.Type
    ) throws -> (Metadata, JSONValue) {
        var manifest = manifest
        if manifest["spec"] == nil { manifest["spec"] = .object([:]) }
        var resource: Resource<Spec>
        do {
            resource = try manifest.decoded(as: Resource<Spec>.self)
        } catch let DecodingError.dataCorrupted(context) {
            throw ManifestError([FieldProblem(context.fieldPath, context.debugDescription)])
        } catch let DecodingError.typeMismatch(_, context) {
            throw ManifestError([FieldProblem(context.fieldPath, context.debugDescription)])
        }
        if Spec.kind.isInProject, resource.metadata.project == nil { resource.metadata.project = defaultProject }
        let problems = resource.spec.problems
        guard problems.isEmpty else { throw ManifestError(problems) }
        return (resource.metadata, try JSONValue(encoding: resource))
    }
}

/// Everything that is wrong with a manifest.
public struct ManifestError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The problems, in the order of the fields.
    public let problems: [FieldProblem]

    /// Lists problems.
    public init(_ problems: [FieldProblem]) {
        self.problems = problems
    }

    /// A line for each problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension JSONValue {
    /// The JSON form of a value.
    public init(encoding value: some Encodable) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
    }

    /// Reads a value out of its JSON form.
    public func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: encoded())
    }

    /// The JSON text, with sorted names.
    public func encoded(isPretty: Bool = false) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            isPretty
            ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
            : [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}

extension DecodingError.Context {
    /// The place as people write it: `spec.resources.memory`.
    fileprivate var fieldPath: String {
        codingPath.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += (path.isEmpty ? "" : ".") + key.stringValue
            }
        }
    }
}
