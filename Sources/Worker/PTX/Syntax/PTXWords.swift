extension PTXType {
    /// The type that a directive names without its dot (`f32`), or nil.
    public init?(word: String) {
        guard let type = Self.words[word] else { return nil }
        self = type
    }

    private static let words: [String: PTXType] = [
        "s8": .s8, "s16": .s16, "s32": .s32, "s64": .s64,
        "u8": .u8, "u16": .u16, "u32": .u32, "u64": .u64, "s16x2": .s16x2, "u16x2": .u16x2,
        "b8": .b8, "b16": .b16, "b32": .b32, "b64": .b64, "b128": .b128,
        "f16": .f16, "f16x2": .f16x2, "bf16": .bf16, "bf16x2": .bf16x2, "tf32": .tf32,
        "f32": .f32, "f64": .f64, "f32x2": .f32x2,
        "e4m3": .e4m3, "e5m2": .e5m2, "e4m3x2": .e4m3x2, "e5m2x2": .e5m2x2, "pred": .pred,
    ]
}

extension PTXStateSpace {
    /// The state space that a directive or a modifier names without its dot (`global`), or nil.
    public init?(word: String) {
        switch word {
        case "reg": self = .reg
        case "sreg": self = .sreg
        case "const": self = .const
        case "global": self = .global
        case "local": self = .local
        case "param", "param::entry", "param::func": self = .param
        case "shared", "shared::cta", "shared::cluster": self = .shared
        case "tex": self = .tex
        default: return nil
        }
    }
}

extension PTXFunction.Linkage {
    init?(word: String) {
        switch word {
        case "visible": self = .visible
        case "weak": self = .weak
        case "extern": self = .extern
        case "common": self = .common
        default: return nil
        }
    }
}
