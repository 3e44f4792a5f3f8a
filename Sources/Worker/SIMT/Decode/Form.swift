internal import PTX

/// How an operand is held: 8-, 16- and 32-bit values take 4 bytes of each lane, 64-bit ones take 8, a predicate is
/// one bit of each lane. The kind also says how a constant is read.
enum OperandKind: UInt8 {
    case b32, b64, f16, bf16, f32, f64, predicate

    var isWide: Bool { self == .b64 || self == .f64 }

    /// The kind of a register or operand of a type; nil for types that no register holds.
    init?(_ type: PTXType) {
        switch type {
        case .s8, .u8, .b8, .s16, .u16, .b16, .s32, .u32, .b32: self = .b32
        case .s16x2, .u16x2, .f16x2, .bf16x2, .tf32, .e4m3, .e5m2, .e4m3x2, .e5m2x2: self = .b32
        case .s64, .u64, .b64, .f32x2: self = .b64
        case .f16: self = .f16
        case .bf16: self = .bf16
        case .f32: self = .f32
        case .f64: self = .f64
        case .pred: self = .predicate
        case .b128: return nil
        }
    }
}

/// A handler with the kinds of its operands, in the order of the text: d first, then a, b, c and e.
struct Form {
    var handler: Handler
    var result: OperandKind
    var sources: [OperandKind]
    /// Runs on the result in place afterwards (`.sat`, `.ftz` of rare forms).
    var finish: Handler?
    var flags: UInt32 = 0

    init(_ result: OperandKind, _ sources: [OperandKind], _ handler: @escaping Handler) {
        self.handler = handler
        self.result = result
        self.sources = sources
    }

    static func unary32(_ handler: @escaping Handler) -> Form { Form(.b32, [.b32], handler) }
    static func binary32(_ handler: @escaping Handler) -> Form { Form(.b32, [.b32, .b32], handler) }
    static func ternary32(_ handler: @escaping Handler) -> Form { Form(.b32, [.b32, .b32, .b32], handler) }
    static func unary64(_ handler: @escaping Handler) -> Form { Form(.b64, [.b64], handler) }
    static func binary64(_ handler: @escaping Handler) -> Form { Form(.b64, [.b64, .b64], handler) }
    static func ternary64(_ handler: @escaping Handler) -> Form { Form(.b64, [.b64, .b64, .b64], handler) }
    static func unaryF32(_ handler: @escaping Handler) -> Form { Form(.f32, [.f32], handler) }
    static func binaryF32(_ handler: @escaping Handler) -> Form { Form(.f32, [.f32, .f32], handler) }
    static func ternaryF32(_ handler: @escaping Handler) -> Form { Form(.f32, [.f32, .f32, .f32], handler) }
    static func unaryF64(_ handler: @escaping Handler) -> Form { Form(.f64, [.f64], handler) }
    static func binaryF64(_ handler: @escaping Handler) -> Form { Form(.f64, [.f64, .f64], handler) }
    static func ternaryF64(_ handler: @escaping Handler) -> Form { Form(.f64, [.f64, .f64, .f64], handler) }
}

/// An opcode with its modifiers as a set and its types in order.
struct Operation {
    let opcode: String
    let modifiers: Set<String>
    let types: [PTXType]
    let instruction: PTXInstruction

    init(_ instruction: PTXInstruction) {
        self.instruction = instruction
        opcode = instruction.opcode
        modifiers = Set(instruction.modifiers)
        types = instruction.modifiers.compactMap { PTXType(word: $0) }
    }

    func has(_ modifier: String) -> Bool { modifiers.contains(modifier) }

    var type: PTXType? { types.last }

    /// The whole opcode as written: `ld.global.f32`.
    var text: String { ([opcode] + instruction.modifiers).joined(separator: ".") }

    var unsupported: PTXError {
        PTXError(.unsupported, at: instruction.position, "opcode \(text)")
    }
}

extension PTXType {
    var isSigned: Bool {
        switch self {
        case .s8, .s16, .s32, .s64: true
        default: false
        }
    }

    var isFloat: Bool {
        switch self {
        case .f16, .bf16, .f32, .f64: true
        default: false
        }
    }
}
