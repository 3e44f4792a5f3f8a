/// What every resource has beside its own fields.
public struct Metadata: Sendable, Hashable, Codable {
    /// The name, unique among resources of its kind in its project.
    public var name: String
    /// The project that it belongs to; nil for kinds that belong to none.
    public var project: String?
    /// Draws a line between a resource and a later one of the same name.
    public var uid: String?
    /// What selectors choose by.
    public var labels: [String: String]?
    /// Notes that nothing chooses by.
    public var annotations: [String: String]?
    /// The store's revision of the last change; the entity tag of the API.
    public var revision: Int64?
    /// Counts the changes of `spec`.
    public var generation: Int64?
    /// When it was made.
    public var createdAt: Timestamp?
    /// Who made it.
    public var createdBy: String?

    /// Names a resource.
    public init(name: String, project: String? = nil, labels: [String: String]? = nil) {
        self.name = name
        self.project = project
        self.labels = labels
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("name", .name, "The name, unique among resources of its kind in its project."),
        FieldSchema("project", .name, "The project that it belongs to.", fallback: "default"),
        FieldSchema("labels", .labels, "What selectors choose by."),
        FieldSchema("annotations", .labels, "Notes that nothing chooses by."),
        FieldSchema("uid", .text(max: 64), "Set by the control plane."),
        FieldSchema("revision", .integer(0...Int64.max), "Set by the control plane; sent back, it guards a change."),
        FieldSchema("generation", .integer(0...Int64.max), "Set by the control plane; counts the changes of spec."),
        FieldSchema("createdAt", .moment, "Set by the control plane."),
        FieldSchema("createdBy", .text(max: 256), "Set by the control plane."),
    ]
}

/// One aspect of a resource's state.
public struct Condition: Sendable, Hashable, Codable {
    /// Whether a condition holds.
    public enum Status: String, Sendable, Hashable, Codable {
        case yes = "True"
        case no = "False"
        case unknown = "Unknown"
    }

    /// What it is about: `Ready`, `Scheduled`.
    public var type: String
    /// Whether it holds.
    public var status: Status
    /// Why, in one word for programs.
    public var reason: String
    /// Why, in a sentence for people.
    public var message: String
    /// Since when the status is what it is.
    public var since: Timestamp
    /// The generation of the resource that this is about.
    public var observedGeneration: Int64?

    /// Describes a condition.
    public init(_ type: String, _ status: Status, reason: String, message: String, since: Timestamp) {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
        self.since = since
    }
}

extension [Condition] {
    /// The condition of a type.
    public func of(type: String) -> Condition? { first { $0.type == type } }

    /// Puts a condition in its type's place; it keeps its time where its status stays.
    public mutating func set(_ condition: Condition) {
        guard let index = firstIndex(where: { $0.type == condition.type }) else { return append(condition) }
        var condition = condition
        if self[index].status == condition.status { condition.since = self[index].since }
        self[index] = condition
    }

    /// These with a condition in its type's place.
    public func with(_ condition: Condition) -> [Condition] {
        var conditions = self
        conditions.set(condition)
        return conditions
    }
}
