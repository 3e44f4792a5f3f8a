/// How a call of a function is answered.
public enum CallKind: String, Codable, Sendable, CaseIterable {
    /// Sent without waiting for an answer; an error is reported later.
    case async
    /// Sent and waited for.
    case sync
    /// Answered inside the client process by hand-written code.
    case local
    /// Hand-written code decides what is sent.
    case custom
    /// Exported, but answers "not supported".
    case unsupported
}

/// The way that a parameter's value travels, seen from the called function.
public enum ParameterDirection: String, Codable, Sendable {
    case `in`, out, `inout`
}

/// One parameter of a function.
public struct ParameterDescription: Codable, Equatable, Sendable {
    /// The parameter's name in the C declaration.
    public var name: String
    /// The C type, spelled as in the declaration.
    public var type: String
    /// The way that the value travels; `in` when absent from the file.
    public var direction: ParameterDirection
    /// What gives the number of elements behind a pointer: a parameter's name, a number or "string".
    public var length: String?
    /// Whether a null pointer is allowed and means "not wanted".
    public var nullable: Bool
    /// The kind of object that the handle names (`stream`, `event`, …).
    public var handle: String?
    /// Whether the bytes behind the pointer travel after the frame.
    public var bulk: Bool

    /// Creates a parameter.
    public init(
        name: String, type: String, direction: ParameterDirection = .in, length: String? = nil,
        nullable: Bool = false, handle: String? = nil
    ) {
        self.name = name
        self.type = type
        self.direction = direction
        self.length = length
        self.nullable = nullable
        self.handle = handle
        bulk = false
    }

    private enum CodingKeys: String, CodingKey {
        case name, type, direction, length, nullable, handle, bulk
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        type = try values.decode(String.self, forKey: .type)
        direction = try values.decodeIfPresent(ParameterDirection.self, forKey: .direction) ?? .in
        length = try values.decodeIfPresent(String.self, forKey: .length)
        nullable = try values.decodeIfPresent(Bool.self, forKey: .nullable) ?? false
        handle = try values.decodeIfPresent(String.self, forKey: .handle)
        bulk = try values.decodeIfPresent(Bool.self, forKey: .bulk) ?? false
    }
}

/// One exported function.
public struct FunctionDescription: Codable, Equatable, Sendable {
    /// The function's number: explicit, stable, never used again for another function.
    public var id: Int
    /// The exported name.
    public var name: String
    /// The name of the Swift function behind the export, where it differs from the default.
    public var swiftName: String?
    /// The version of the API that introduced this variant (3020 is 3.2); 0 when unknown.
    public var since: Int
    /// The part of the API that the function belongs to; decides the file of its generated code.
    public var family: String
    /// How a call is answered.
    public var call: CallKind
    /// The variant whose Swift function this one calls: same signature, same meaning.
    public var sameAs: String?
    /// Why the function is not supported.
    public var reason: String?
    /// The kind of object whose handle the call creates; the client picks its id.
    public var returnsHandle: String?
    /// The kind of object whose handle the call destroys.
    public var destroysHandle: String?
    /// A C function that the export passes on as the last argument.
    public var supplies: String?
    /// The C return type, where it is not the API's result type.
    public var returns: String?
    /// The parameters in order.
    public var parameters: [ParameterDescription]

    /// Creates a function.
    public init(
        id: Int, name: String, since: Int, family: String, call: CallKind, parameters: [ParameterDescription]
    ) {
        self.id = id
        self.name = name
        self.since = since
        self.family = family
        self.call = call
        self.parameters = parameters
    }
}

/// The functions of one library.
public struct FunctionFile: Codable, Sendable {
    /// The functions, ordered by id.
    public var functions: [FunctionDescription]

    /// Creates a file.
    public init(functions: [FunctionDescription]) {
        self.functions = functions
    }
}
