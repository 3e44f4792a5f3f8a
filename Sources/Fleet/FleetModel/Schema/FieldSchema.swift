/// What one field of a resource may hold: the source of checks, of `roost explain`, of the OpenAPI document and of the
/// reference page.
public struct FieldSchema: Sendable {
    /// The field's name.
    public var name: String
    /// What it holds.
    public var type: FieldType
    /// What it means, as a sentence.
    public var summary: String
    /// What counts where it is missing, as text; nil where nothing does.
    public var fallback: String?
    /// Whether it must be there.
    public var isRequired: Bool

    /// Describes an optional field.
    public init(_ name: String, _ type: FieldType, _ summary: String, fallback: String? = nil) {
        self.name = name
        self.type = type
        self.summary = summary
        self.fallback = fallback
        self.isRequired = false
    }

    /// Describes a field that must be there.
    public static func required(_ name: String, _ type: FieldType, _ summary: String) -> FieldSchema {
        var field = FieldSchema(name, type, summary)
        field.isRequired = true
        return field
    }
}

/// What a field may hold.
public indirect enum FieldType: Sendable {
    /// Text of 1 to `max` characters.
    case text(max: Int)
    /// A name: lower-case letters, digits, `-` and `.`, 1 to 63 characters.
    case name
    /// One of these words.
    case word([String])
    /// A whole number in a range.
    case integer(ClosedRange<Int64>)
    /// A number in a range.
    case number(ClosedRange<Double>)
    case boolean
    /// Memory, such as `4GiB`.
    case memory
    /// Compute, such as `50%` or `12.5TFLOPS`.
    case compute
    /// A share of a whole in percent, such as `80%`; may be above 100 where `max` says so.
    case percent(max: Int64)
    /// A length of time, such as `5m`.
    case span
    /// A moment, in RFC 3339.
    case moment
    /// Names with texts.
    case labels
    /// One value, or an object with `request` and `limit`.
    case bounds(FieldType)
    /// A list of at most `max` values.
    case list(FieldType, max: Int)
    /// An object with these fields.
    case object([FieldSchema])
    /// An object whose members have names of the user's choice.
    case map(FieldType)

    /// The most characters of a label's or an annotation's text.
    public static let labelCountMax = 1024

    /// How the type is called in `roost explain` and the reference page.
    public var title: String {
        switch self {
        case .text: "text"
        case .name: "name"
        case .word(let words): words.joined(separator: " | ")
        case .integer: "integer"
        case .number: "number"
        case .boolean: "boolean"
        case .memory: "memory (4GiB)"
        case .compute: "compute (50% or 12.5TFLOPS)"
        case .percent: "percent (80%)"
        case .span: "time span (5m)"
        case .moment: "time (RFC 3339)"
        case .labels: "labels"
        case .bounds(let type): "\(type.title), or request and limit"
        case .list(let type, _): "list of \(type.title)"
        case .object: "object"
        case .map(let type): "map to \(type.title)"
        }
    }

    /// The fields of the object that this is, holds or lists.
    public var fields: [FieldSchema]? {
        switch self {
        case .object(let fields): fields
        case .list(let type, _), .map(let type), .bounds(let type): type.fields
        default: nil
        }
    }
}

/// One thing that is wrong with a manifest.
public struct FieldProblem: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// The field, such as `spec.resources.memory`; nil where the whole value is wrong.
    public var field: String?
    /// What is wrong, with the value, and what would be right.
    public var reason: String

    /// Names a problem.
    public init(_ field: String?, _ reason: String) {
        self.field = field
        self.reason = reason
    }

    /// `spec.replicas: must be …`.
    public var description: String { field.map { "\($0): \(reason)" } ?? reason }
}
