/// A scalar of the wire, or `bytes`: a length and that many bytes, always the last field.
public enum WireType: String, Codable, Sendable {
    case u8, u16, u32, u64, i32, i64, f32, f64, bytes
}

/// One field of a wire command.
public struct WireField: Codable, Equatable, Sendable {
    /// The field's name.
    public var name: String
    /// The field's type.
    public var type: WireType

    /// Creates a field.
    public init(name: String, type: WireType) {
        self.name = name
        self.type = type
    }
}

/// One command that a client sends to a worker.
public struct WireCommandDescription: Codable, Equatable, Sendable {
    /// The command's number: explicit, stable, never used again.
    public var id: Int
    /// The command's name in lower camel case.
    public var name: String
    /// The name of the Swift structure, where it is not the command's name.
    public var typeName: String?
    /// What the command does, in one sentence.
    public var doc: String
    /// `async` or `sync`.
    public var call: CallKind
    /// Whether raw bytes follow the command's frame.
    public var bulk: Bool?
    /// Whether raw bytes follow the reply's frame.
    public var bulkReply: Bool?
    /// The fields in order.
    public var fields: [WireField]
    /// The fields of the answer in order.
    public var outputs: [WireField]

    /// Creates a command.
    public init(
        id: Int, name: String, doc: String, call: CallKind, fields: [WireField], outputs: [WireField]
    ) {
        self.id = id
        self.name = name
        self.doc = doc
        self.call = call
        self.fields = fields
        self.outputs = outputs
    }

    private enum CodingKeys: String, CodingKey {
        case id, name, typeName, doc, call, bulk, bulkReply, fields, outputs
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = try values.decode(Int.self, forKey: .id)
        name = try values.decode(String.self, forKey: .name)
        typeName = try values.decodeIfPresent(String.self, forKey: .typeName)
        doc = try values.decode(String.self, forKey: .doc)
        call = try values.decode(CallKind.self, forKey: .call)
        bulk = try values.decodeIfPresent(Bool.self, forKey: .bulk)
        bulkReply = try values.decodeIfPresent(Bool.self, forKey: .bulkReply)
        fields = try values.decodeIfPresent([WireField].self, forKey: .fields) ?? []
        outputs = try values.decodeIfPresent([WireField].self, forKey: .outputs) ?? []
    }
}

/// The commands that are no function of a C API.
public struct WireFile: Codable, Sendable {
    /// The commands, ordered by id.
    public var commands: [WireCommandDescription]

    /// Creates a file.
    public init(commands: [WireCommandDescription]) {
        self.commands = commands
    }
}

/// The sentence for one result code of a C API.
public struct ErrorMessage: Codable, Equatable, Sendable {
    /// The C name of the result.
    public var name: String
    /// Our sentence, without a final period.
    public var message: String
}

/// The sentences for the result codes of one library.
public struct ErrorFile: Codable, Sendable {
    /// The sentences in the order of the codes.
    public var errors: [ErrorMessage]
}
