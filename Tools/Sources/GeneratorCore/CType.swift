import APIModel

/// A C type as a parameter or field spells it.
struct CType {
    /// The name behind all pointers, without `const`.
    let name: String
    /// Whether the value behind the innermost pointer is constant.
    let isConstant: Bool
    /// For each pointer from the inside, whether the pointer itself is constant.
    let pointers: [Bool]

    init(_ spelling: String) {
        var words: [String] = []
        var levels: [Bool] = []
        var constant = false
        for word in spelling.replacing("*", with: " * ").split(separator: " ") {
            switch word {
            case "*": levels.append(false)
            case "const": if levels.isEmpty { constant = true } else { levels[levels.count - 1] = true }
            default: words.append(String(word))
            }
        }
        name = words.joined(separator: " ")
        isConstant = constant
        pointers = levels
    }
}

/// What a C type is, once typedefs are followed.
enum ResolvedKind: Equatable {
    case void
    case integer(swift: String, wire: WireType)
    case enumeration(isSigned: Bool)
    case handle
    case functionPointer
    case record
}

/// Follows typedefs and spells C types as the Swift importer does.
struct TypeResolver {
    private static let builtins: [String: (swift: String, wire: WireType)] = [
        "char": ("CChar", .i32), "signed char": ("Int8", .i32), "unsigned char": ("UInt8", .u8),
        "short": ("Int16", .i32), "unsigned short": ("UInt16", .u16), "int": ("Int32", .i32),
        "unsigned int": ("UInt32", .u32), "unsigned": ("UInt32", .u32), "long": ("Int", .i64),
        "unsigned long": ("UInt", .u64), "long long": ("Int64", .i64), "unsigned long long": ("UInt64", .u64),
        "size_t": ("Int", .u64), "uint32_t": ("UInt32", .u32), "uint64_t": ("UInt64", .u64),
        "int64_t": ("Int64", .i64), "int32_t": ("Int32", .i32), "uint8_t": ("UInt8", .u8),
        "uint16_t": ("UInt16", .u16), "float": ("Float", .f32), "double": ("Double", .f64),
    ]

    private let types: [String: TypeDescription]
    private let tags: [String: TypeDescription]

    init(_ file: TypeFile) {
        var types: [String: TypeDescription] = [:]
        var tags: [String: TypeDescription] = [:]
        for type in file.types {
            if type.kind == .enum || type.kind == .struct || type.kind == .union {
                tags[type.tag ?? type.name] = type
            } else {
                types[type.name] = type
            }
        }
        self.types = types
        self.tags = tags
    }

    /// What a type without pointers is; nil if the description does not know it.
    func kind(of name: String) -> ResolvedKind? {
        if name == "void" { return .void }
        if let builtin = TypeResolver.builtins[name] { return .integer(swift: builtin.swift, wire: builtin.wire) }
        let words = name.split(separator: " ").map(String.init)
        if words.count == 2, ["struct", "enum", "union"].contains(words[0]) {
            return tags[words[1]].map(kind) ?? (words[0] == "struct" ? .record : nil)
        }
        guard let type = types[name] else { return nil }
        return kind(of: type)
    }

    private func kind(of type: TypeDescription) -> ResolvedKind? {
        switch type.kind {
        case .enum: .enumeration(isSigned: (type.values ?? []).contains { $0.value < 0 })
        case .struct, .union, .opaque: .record
        case .handle: .handle
        case .function: .functionPointer
        case .alias:
            if let aliased = type.type {
                aliased.hasSuffix("*") ? .handle : kind(of: CType(aliased).name)
            } else {
                nil
            }
        }
    }

    /// The members of a structure, whatever name it goes by.
    func fields(of name: String) -> [FieldDescription] {
        let words = name.split(separator: " ").map(String.init)
        if words.count == 2 { return tags[words[1]]?.fields ?? [] }
        guard let alias = types[name]?.type, !alias.contains("*") else { return [] }
        return fields(of: alias)
    }

    /// The type as the Swift importer spells it; `optional` (`!`, `?`, nothing) follows pointers and handles on top.
    func swift(_ spelling: String, optional: String) -> String {
        let type = CType(spelling)
        let kind = kind(of: type.name)
        var text =
            TypeResolver.builtins[type.name]?.swift ?? type.name.split(separator: " ").last.map(String.init) ?? ""
        var isPointer = kind == .handle || kind == .functionPointer
        for index in type.pointers.indices {
            let isConstant = index == 0 ? type.isConstant : type.pointers[index - 1]
            if index == 0, kind == .void {
                text = isConstant ? "UnsafeRawPointer" : "UnsafeMutableRawPointer"
            } else if index == 0, isOveraligned(type.name) {
                text = "OpaquePointer"
            } else {
                text = (isConstant ? "UnsafePointer<" : "UnsafeMutablePointer<") + text + (isPointer ? "?>" : ">")
            }
            isPointer = true
        }
        return text + (isPointer ? optional : "")
    }

    /// Swift does not import structures with a larger alignment than 16 bytes: pointers to them are opaque.
    private func isOveraligned(_ name: String) -> Bool {
        kind(of: name) == .record && fields(of: name).contains { ($0.alignment ?? 0) > 16 }
    }

    /// How a value of a type without pointers travels; nil if it can't.
    func wireType(of name: String) -> WireType? {
        switch kind(of: name) {
        case .integer(_, let wire): wire
        case .enumeration: .i32
        case .handle: .u64
        default: nil
        }
    }
}
