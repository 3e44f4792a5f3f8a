/// The element types of matrix operations.
enum TensorElement: UInt64 {
    case f16, bf16, tf32, f32, e4m3, e5m2, s8, u8, s32

    var isInteger: Bool { rawValue >= TensorElement.s8.rawValue }

    /// A float of 8 bits.
    var isByteFloat: Bool { self == .e4m3 || self == .e5m2 }

    var bitCount: Int {
        switch self {
        case .f16, .bf16: 16
        case .e4m3, .e5m2, .s8, .u8: 8
        case .tf32, .f32, .s32: 32
        }
    }

    var perRegister: Int { 32 / bitCount }
}

/// A matrix operation's sizes and types, packed in ``Instruction/immediate``.
struct TensorShape {
    var m: Int
    var n: Int
    var k: Int
    var a: TensorElement
    var b: TensorElement
    /// Of the summand and of the result.
    var c: TensorElement
    var d: TensorElement
    /// Integer sums clamp.
    var saturates = false
    /// Fragments lie as `wmma` has them here, not as `mma` defines them.
    var isOpaque = false
    /// Registers of the fragments of a and b.
    var aCount = 0
    var bCount = 0

    var bits: UInt64 {
        var bits = UInt64(m) | UInt64(n) << 8 | UInt64(k) << 16
        bits |= a.rawValue << 24 | b.rawValue << 28 | c.rawValue << 32 | d.rawValue << 36
        bits |= (saturates ? 1 : 0) << 40 | (isOpaque ? 1 : 0) << 41
        return bits | UInt64(aCount) << 44 | UInt64(bCount) << 48
    }

    init(_ sizes: (m: Int, n: Int, k: Int), a: TensorElement, b: TensorElement, c: TensorElement, d: TensorElement) {
        (m, n, k) = sizes
        (self.a, self.b, self.c, self.d) = (a, b, c, d)
    }

    init(bits: UInt64) {
        func element(_ shift: UInt64) -> TensorElement { TensorElement(rawValue: (bits >> shift) & 15) ?? .f32 }
        m = Int(bits & 255)
        n = Int((bits >> 8) & 255)
        k = Int((bits >> 16) & 255)
        a = element(24)
        b = element(28)
        c = element(32)
        d = element(36)
        saturates = (bits >> 40) & 1 == 1
        isOpaque = (bits >> 41) & 1 == 1
        aCount = Int((bits >> 44) & 15)
        bCount = Int((bits >> 48) & 15)
    }

    /// Where an element is: its lane, its register, and its place in the register.
    struct Place {
        var lane: Int
        var register: Int
        var part: Int
    }

    /// The place of an element in a fragment of `wmma`, whose layout is free: lanes hold consecutive elements.
    static func opaquePlace(_ index: Int, elementCount: Int, _ element: TensorElement) -> Place {
        let perLane = max(1, elementCount / 32)
        let slot = index % perLane
        return Place(lane: index / perLane, register: slot / element.perRegister, part: slot % element.perRegister)
    }

    func placeOfA(_ row: Int, _ column: Int) -> Place {
        if isOpaque { return Self.opaquePlace(row * k + column, elementCount: m * k, a) }
        let part = a.perRegister
        let chunk = column / (4 * part)
        let lane = (row & 7) * 4 + column % (4 * part) / part
        return Place(lane: lane, register: m == 16 ? chunk * 2 + row >> 3 : chunk, part: column % part)
    }

    func placeOfB(_ row: Int, _ column: Int) -> Place {
        if isOpaque { return Self.opaquePlace(row * n + column, elementCount: k * n, b) }
        let part = b.perRegister
        let lane = column * 4 + row % (4 * part) / part
        return Place(lane: lane, register: row / (4 * part), part: row % part)
    }

    func placeOfC(_ row: Int, _ column: Int, _ element: TensorElement) -> Place {
        if isOpaque { return Self.opaquePlace(row * n + column, elementCount: m * n, element) }
        let lane = (row & 7) * 4 + column / 2
        if element == .f16 { return Place(lane: lane, register: row >> 3, part: column & 1) }
        return Place(lane: lane, register: (row >> 3) * 2 + column & 1, part: 0)
    }
}
