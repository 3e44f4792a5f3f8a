/// What sort of C declaration a type is.
public enum TypeKind: String, Codable, Sendable {
    /// A typedef of another type.
    case alias
    /// A pointer to a structure that is never defined.
    case handle
    /// An enumeration.
    case `enum`
    /// A structure.
    case `struct`
    /// A union.
    case union
    /// A pointer to a function.
    case function
    /// A structure that is declared only.
    case opaque
}

/// One named value of an enumeration.
public struct EnumValue: Codable, Equatable, Sendable {
    /// The C name.
    public var name: String
    /// The value.
    public var value: Int64

    /// Creates a value.
    public init(name: String, value: Int64) {
        self.name = name
        self.value = value
    }
}

/// One member of a structure or union.
public struct FieldDescription: Codable, Equatable, Sendable {
    /// The member's name; empty for an anonymous structure or union.
    public var name: String
    /// The C type without array bounds; empty when `record` is there.
    public var type: String
    /// The array bounds (`[64]`), if any.
    public var bounds: String?
    /// The width in bits of a bit field.
    public var bits: Int?
    /// The alignment in bytes, where it is larger than the type's own.
    public var alignment: Int?
    /// A structure or union that is defined in place.
    public var record: InlineRecord?

    /// Creates a member.
    public init(
        name: String, type: String, bounds: String? = nil, bits: Int? = nil, record: InlineRecord? = nil
    ) {
        self.name = name
        self.type = type
        self.bounds = bounds
        self.bits = bits
        self.record = record
    }
}

/// A structure or union that is defined inside another one.
public struct InlineRecord: Codable, Equatable, Sendable {
    /// `struct` or `union`.
    public var kind: TypeKind
    /// The tag, if it has one.
    public var tag: String?
    /// The members in order.
    public var fields: [FieldDescription]

    /// Creates a record.
    public init(kind: TypeKind, tag: String?, fields: [FieldDescription]) {
        self.kind = kind
        self.tag = tag
        self.fields = fields
    }
}

/// One type of a C API.
public struct TypeDescription: Codable, Equatable, Sendable {
    /// What sort of declaration it is.
    public var kind: TypeKind
    /// The typedef's name, or the tag where there is no typedef.
    public var name: String
    /// The tag of the structure, union, enumeration or handle.
    public var tag: String?
    /// The aliased type, or the return type of a function.
    public var type: String?
    /// The values of an enumeration.
    public var values: [EnumValue]?
    /// The members of a structure or union.
    public var fields: [FieldDescription]?
    /// The parameter types of a function.
    public var parameters: [String]?

    /// Creates a type.
    public init(
        kind: TypeKind, name: String, tag: String? = nil, type: String? = nil, values: [EnumValue]? = nil,
        fields: [FieldDescription]? = nil
    ) {
        self.kind = kind
        self.name = name
        self.tag = tag
        self.type = type
        self.values = values
        self.fields = fields
    }
}

/// A constant that a C header defines as a macro.
public struct ConstantDescription: Codable, Equatable, Sendable {
    /// The macro's name.
    public var name: String
    /// The C expression.
    public var value: String

    /// Creates a constant.
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// The types of one library, in an order in which C can declare them.
public struct TypeFile: Codable, Sendable {
    /// The constants.
    public var constants: [ConstantDescription]
    /// The types.
    public var types: [TypeDescription]

    /// Creates a file.
    public init(constants: [ConstantDescription], types: [TypeDescription]) {
        self.constants = constants
        self.types = types
    }
}
