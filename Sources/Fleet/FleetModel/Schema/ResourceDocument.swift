public import Foundation

/// A resource of any kind in its text form, checked field by field.
///
/// It keeps whichever form it was made of: between the store and the control loop no text is read twice.
public struct ResourceDocument: Sendable {
    private enum Content: Sendable {
        case tree(JSONValue)
        case resource(any AnyResource)
    }

    /// The kind.
    public let kind: ResourceKind
    private var content: Content

    /// Name, project, labels.
    public private(set) var metadata: Metadata

    /// The whole resource, with `apiVersion`, `kind`, `metadata`, `spec` and, where it has one, `status`.
    public var json: JSONValue {
        switch content {
        case .tree(let tree): tree
        case .resource(let resource): (try? resource.tree()) ?? .object([:])
        }
    }

    /// Where it stands.
    public var reference: ResourceReference {
        ResourceReference(kind: kind, project: metadata.project, name: metadata.name)
    }

    /// Checks a manifest against its kind's fields and reads it.
    ///
    /// - Throws: ``ManifestError`` with everything that is wrong.
    public init(manifest: JSONValue) throws {
        guard manifest.members != nil else {
            throw ManifestError([FieldProblem(nil, "a manifest is an object, not \(manifest.kindName)")])
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
        let tree: JSONValue
        (metadata, tree) = try ResourceDocument.normalize(manifest, kind.type)
        content = .tree(tree)
    }

    /// Writes a resource's document.
    public init<Spec: ResourceSpec>(_ resource: Resource<Spec>) throws {
        kind = Spec.kind
        metadata = resource.metadata
        content = .resource(resource)
    }

    /// Reads what the store holds.
    public init(stored bytes: [UInt8], revision: Int64) throws {
        kind = try ResourceDocument.kind(of: bytes)
        var resource = try kind.type.read(bytes)
        resource.metadata.revision = revision
        metadata = resource.metadata
        content = .resource(resource)
    }

    /// The kind stands near the beginning of what this writes; other texts are read as a whole.
    private static func kind(of bytes: [UInt8]) throws -> ResourceKind {
        let mark = Array("\"kind\":\"".utf8)
        let start = bytes.prefix(80)
        if let at = start.indices.first(where: { start[$0...].starts(with: mark) }) {
            let word = start[(at + mark.count)...].prefix { $0 != UInt8(ascii: "\"") }
            if let kind = ResourceKind(rawValue: String(decoding: word, as: UTF8.self)) { return kind }
        }
        let tree = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        guard let kind = tree["kind"]?.text.flatMap(ResourceKind.init(rawValue:)) else {
            throw ManifestError([FieldProblem("kind", "is missing in the store")])
        }
        return kind
    }

    /// The same resource with other metadata and another state; neither is checked again.
    public func with(_ metadata: Metadata, status: JSONValue?) throws -> ResourceDocument {
        var json = json
        json["metadata"] = try JSONValue(encoding: metadata)
        json["status"] = status
        return ResourceDocument(kind: kind, metadata: metadata, tree: json)
    }

    /// Reads the resource as one of its kind.
    public func resource<Spec: ResourceSpec>(_ type: Spec.Type = Spec.self) throws -> Resource<Spec> {
        switch content {
        case .tree(let tree): return try tree.decoded(as: Resource<Spec>.self)
        case .resource(let resource):
            if let resource = resource as? Resource<Spec> { return resource }
            throw ManifestError([FieldProblem("kind", "must be \(Spec.kind.rawValue), not \(kind.rawValue)")])
        }
    }

    /// The same, as of a revision of the store.
    public func at(revision: Int64) -> ResourceDocument {
        var copy = self
        copy.metadata.revision = revision
        switch content {
        case .tree(var tree):
            tree["metadata"]?["revision"] = .integer(revision)
            copy.content = .tree(tree)
        case .resource(var resource):
            resource.metadata.revision = revision
            copy.content = .resource(resource)
        }
        return copy
    }

    /// The bytes for the store: sorted names, without the revision, which is the store's own.
    public func storedBytes() throws -> [UInt8] {
        switch content {
        case .tree(var tree):
            tree["metadata"]?["revision"] = nil
            return Array(try tree.encoded())
        case .resource(var resource):
            resource.metadata.revision = nil
            return try resource.bytes()
        }
    }

    private init(kind: ResourceKind, metadata: Metadata, tree: JSONValue) {
        self.kind = kind
        self.metadata = metadata
        content = .tree(tree)
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
        checked["spec"] = ResourceDocument.spec(of: manifest)
        var problems = SchemaCheck.problems(in: checked, fields: shape, path: "")
        if !kind.isInProject, manifest["metadata"]?["project"] != nil {
            problems.append(FieldProblem("metadata.project", "a \(kind.rawValue) belongs to no project"))
        }
        return problems
    }

    /// A spec without any field may be left out.
    private static func spec(of manifest: JSONValue) -> JSONValue {
        guard let spec = manifest["spec"], spec != .null else { return .object([:]) }
        return spec
    }

    private static func normalize<Spec: ResourceSpec>(
        _ manifest: JSONValue, _ type: Spec.Type
    ) throws -> (Metadata, JSONValue) {
        var manifest = manifest
        manifest["spec"] = spec(of: manifest)
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

extension ResourceDocument: Hashable {
    public static func == (left: ResourceDocument, right: ResourceDocument) -> Bool {
        left.kind == right.kind && left.metadata == right.metadata && left.json == right.json
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(metadata)
    }
}

/// A resource of some kind, as far as that does not matter.
private protocol AnyResource: Sendable {
    var metadata: Metadata { get set }
    /// Its JSON form.
    func tree() throws -> JSONValue
    /// Its JSON text, with sorted names.
    func bytes() throws -> [UInt8]
}

extension ResourceSpec {
    /// Reads a resource of this kind.
    fileprivate static func read(_ bytes: [UInt8]) throws -> any AnyResource {
        try JSONDecoder().decode(Resource<Self>.self, from: Data(bytes))
    }
}

extension Resource: AnyResource {
    fileprivate func tree() throws -> JSONValue { try JSONValue(encoding: self) }

    fileprivate func bytes() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
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
