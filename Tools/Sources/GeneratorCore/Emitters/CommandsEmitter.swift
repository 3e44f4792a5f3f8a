import APIModel

extension WireType {
    /// The Swift type of a field.
    var swift: String {
        switch self {
        case .u8: "UInt8"
        case .u16: "UInt16"
        case .u32: "UInt32"
        case .u64: "UInt64"
        case .i32: "Int32"
        case .i64: "Int64"
        case .f32: "Float"
        case .f64: "Double"
        case .bytes: "UnsafeRawBufferPointer"
        }
    }

    /// The size of a field in bytes, without what follows a length.
    var byteCount: Int {
        switch self {
        case .u8: 1
        case .u16: 2
        case .u32, .i32, .f32, .bytes: 4
        case .u64, .i64, .f64: 8
        }
    }
}

/// Writes the structures of the wire commands, their numbers and the description's hash.
struct CommandsEmitter {
    let commands: [WireCommand]

    private static let folder = "Sources/Protocol/WireProtocol/Generated"

    var files: [GeneratedFile] {
        var families: [String] = []
        for command in commands where !families.contains(command.family) { families.append(command.family) }
        return families.map(file) + [identifiers, hash]
    }

    private func file(_ family: String) -> GeneratedFile {
        let source = family == "wire" ? "wire.json" : "cuda.json"
        let text = commands.filter { $0.family == family }.map(structure).joined()
        return GeneratedFile(
            path: "\(CommandsEmitter.folder)/\(family.capitalizedFirst)Commands.swift",
            text: Banner.swift(source) + text)
    }

    func structure(_ command: WireCommand) -> String {
        let description = command.description
        let kind = description.call == .sync ? "SyncCommand" : "AsyncCommand"
        let isSendable = !description.fields.contains { $0.type == .bytes }
        var text = "\n/// \(description.doc)\n"
        text += "public struct \(command.typeName): \(kind)\(isSendable ? ", Sendable" : "") {\n"
        if description.call == .sync, description.outputs.isEmpty {
            text += "    public typealias Reply = EmptyReply\n\n"
        }
        text += "    @inlinable public static var id: UInt16 { \(description.id) }\n"
        if command.isBulk { text += "    @inlinable public static var isBulk: Bool { true }\n" }
        if !description.fields.isEmpty { text += "\n" }
        text += description.fields.map { "    public var \($0.name.swiftIdentifier): \($0.type.swift)\n" }.joined()
        text += "\n" + initializer(description.fields)
        text += codec(description.fields, isReply: false)
        if !description.outputs.isEmpty { text += "\n" + reply(description.outputs) }
        return text + "}\n"
    }

    private func initializer(_ fields: [WireField]) -> String {
        guard !fields.isEmpty else { return "    @inlinable public init() {}\n" }
        let parameters = fields.map { "\($0.name): \($0.type.swift)" }
        var text = "    @inlinable\n"
        text += Wrapping.list("public init(", parameters, ") {", indent: "    ")
        for field in fields { text += "        self.\(field.name) = \(field.name.swiftIdentifier)\n" }
        return text + "    }\n"
    }

    private func reply(_ outputs: [WireField]) -> String {
        var text = "    /// The outputs.\n    public struct Reply: WireReply, Sendable {\n"
        for field in outputs {
            text +=
                field.type == .bytes
                ? "        public var \(field.name): [UInt8] = []\n"
                : "        public var \(field.name): \(field.type.swift) = 0\n"
        }
        text += "\n        @inlinable public init() {}\n"
        text += codec(outputs, isReply: true).split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "    \($0)" }.joined(separator: "\n")
        return text + "    }\n"
    }

    private func codec(_ fields: [WireField], isReply: Bool) -> String {
        let fixed = fields.map(\.type.byteCount).reduce(0, +)
        let variable = fields.filter { $0.type == .bytes }.map { " + \($0.name).count" }.joined()
        var text = "\n    @inlinable public var encodedByteCount: Int { \(fixed)\(variable) }\n\n"
        guard !fields.isEmpty else {
            return text + "    @inlinable public func encode(into writer: inout WireWriter) {}\n\n"
                + "    @inlinable public init(from reader: inout WireReader) throws(WireError) {}\n"
        }
        text += "    @inlinable\n    public func encode(into writer: inout WireWriter) {\n"
        for field in fields {
            switch (field.type, isReply) {
            case (.bytes, true): text += "        \(field.name).withUnsafeBytes { writer.writeBytes($0) }\n"
            case (.bytes, false): text += "        writer.writeBytes(\(field.name))\n"
            default: text += "        writer.write(\(field.name))\n"
            }
        }
        text += "    }\n\n    @inlinable\n    public init(from reader: inout WireReader) throws(WireError) {\n"
        for field in fields {
            switch (field.type, isReply) {
            case (.bytes, true): text += "        \(field.name) = [UInt8](try reader.readBytes())\n"
            case (.bytes, false): text += "        \(field.name) = try reader.readBytes()\n"
            default: text += "        \(field.name) = try reader.read()\n"
            }
        }
        return text + "    }\n"
    }

    private var identifiers: GeneratedFile {
        var text = Banner.swift("wire.json and API/cuda.json")
        text += "\n/// The numbers of the commands.\npublic enum CommandID {\n"
        for command in commands {
            text += "    /// ``\(command.typeName)``\n"
            text += "    public static let \(command.name.swiftIdentifier): UInt16 = \(command.id)\n"
        }
        text += "\n    /// The command's name for logs; empty for an unknown number.\n"
        text += "    public static func name(of id: UInt16) -> StaticString {\n        switch id {\n"
        for command in commands { text += "        case \(command.id): \"\(command.name)\"\n" }
        text += "        default: \"\"\n        }\n    }\n}\n"
        return GeneratedFile(path: "\(CommandsEmitter.folder)/CommandID.swift", text: text)
    }

    private var hash: GeneratedFile {
        var text = Banner.swift("wire.json and API/cuda.json")
        text += "\n/// The fingerprint of all commands: a worker refuses a client with another one.\n"
        text += "public enum DescriptionHash {\n"
        text += "    /// 64-bit FNV-1a over the canonical form of the commands.\n"
        text += "    public static let value: UInt64 = 0x\(String(WireHash(commands).value, radix: 16))\n}\n"
        return GeneratedFile(path: "\(CommandsEmitter.folder)/DescriptionHash.swift", text: text)
    }
}

/// The fingerprint of what travels.
struct WireHash {
    let value: UInt64

    init(_ commands: [WireCommand]) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for command in commands {
            for byte in WireHash.canonical(command).utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        value = hash
    }

    private static func canonical(_ command: WireCommand) -> String {
        func list(_ fields: [WireField]) -> String {
            fields.map { "\($0.name):\($0.type.rawValue)" }.joined(separator: ",")
        }
        let description = command.description
        let flags = (command.isBulk ? "b" : "") + (command.hasBulkReply ? "r" : "")
        return "\(description.id) \(description.call.rawValue) \(flags) (\(list(description.fields))) "
            + "(\(list(description.outputs)))\n"
    }
}
