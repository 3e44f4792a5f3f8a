/// The part of a resource that says what is wanted. Each kind has its own.
public protocol ResourceSpec: Codable, Sendable, Hashable {
    /// The part that says what is.
    associatedtype Status: Codable, Sendable, Hashable
    /// The kind.
    static var kind: ResourceKind { get }
    /// What the kind is for, as a sentence.
    static var summary: String { get }
    /// The fields.
    static var fields: [FieldSchema] { get }
    /// What is wrong with values that are right one by one, fields named from `spec` on.
    var problems: [FieldProblem] { get }
    /// The state of a resource that nobody has looked at yet.
    static var initialStatus: Status { get }
}

extension ResourceSpec {
    /// Nothing.
    public var problems: [FieldProblem] { [] }
}

/// The state of a kind that has none.
public struct NoStatus: Codable, Sendable, Hashable {
    /// Makes the only value.
    public init() {}
}

extension ResourceSpec where Status == NoStatus {
    /// The only value.
    public static var initialStatus: NoStatus { NoStatus() }
}

/// A resource: what is wanted and what is.
public struct Resource<Spec: ResourceSpec>: Sendable, Hashable {
    /// Name, project, labels.
    public var metadata: Metadata
    /// What is wanted.
    public var spec: Spec
    /// What is.
    public var status: Spec.Status

    /// Puts a resource together.
    public init(_ metadata: Metadata, _ spec: Spec, status: Spec.Status? = nil) {
        self.metadata = metadata
        self.spec = spec
        self.status = status ?? Spec.initialStatus
    }

    /// Where it stands.
    public var reference: ResourceReference {
        ResourceReference(kind: Spec.kind, project: metadata.project, name: metadata.name)
    }
}

extension Resource: Codable {
    private enum CodingKeys: String, CodingKey {
        case apiVersion, kind, metadata, spec, status
    }

    /// Reads a resource whose kind is the right one.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let kind = try container.decode(ResourceKind.self, forKey: .kind)
        guard kind == Spec.kind else {
            throw DecodingError.dataCorruptedError(
                forKey: .kind, in: container, debugDescription: "must be \(Spec.kind.rawValue), not \(kind.rawValue)")
        }
        metadata = try container.decode(Metadata.self, forKey: .metadata)
        spec = try container.decode(Spec.self, forKey: .spec)
        status = try container.decodeIfPresent(Spec.Status.self, forKey: .status) ?? Spec.initialStatus
    }

    /// Writes version, kind and the parts.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(resourceAPIVersion, forKey: .apiVersion)
        try container.encode(Spec.kind, forKey: .kind)
        try container.encode(metadata, forKey: .metadata)
        try container.encode(spec, forKey: .spec)
        if Spec.Status.self != NoStatus.self { try container.encode(status, forKey: .status) }
    }
}

/// The version of all resources' form.
public let resourceAPIVersion = "roost/v1"

/// Where a resource stands: kind, project, name.
public struct ResourceReference: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
    /// The kind.
    public var kind: ResourceKind
    /// The project; nil for kinds that belong to none.
    public var project: String?
    /// The name.
    public var name: String

    /// Names a resource.
    public init(kind: ResourceKind, project: String? = nil, name: String) {
        self.kind = kind
        self.project = kind.isInProject ? project ?? defaultProject : nil
        self.name = name
    }

    /// The key in the store: `/workloads/default/train`, `/nodes/gpu-7`.
    public var key: String {
        project.map { "/\(kind.plural)/\($0)/\(name)" } ?? "/\(kind.plural)/\(name)"
    }

    /// Reads a store's key; nil where it is none of a resource.
    public init?(key: String) {
        let parts = key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0].isEmpty, let kind = ResourceKind.byPlural[Substring(parts[1])],
            parts.count == (kind.isInProject ? 4 : 3)
        else { return nil }
        self.init(
            kind: kind, project: kind.isInProject ? String(Substring(parts[2])) : nil,
            name: String(Substring(parts[parts.count - 1])))
    }

    /// `Workload default/train`.
    public var description: String { "\(kind.rawValue) " + (project.map { "\($0)/" } ?? "") + name }

    /// By kind, project, name.
    public static func < (left: ResourceReference, right: ResourceReference) -> Bool {
        if left.kind != right.kind { return left.kind.plural < right.kind.plural }
        if left.project != right.project { return left.project ?? "" < right.project ?? "" }
        return left.name < right.name
    }
}

/// The project of resources that name none.
public let defaultProject = "default"
