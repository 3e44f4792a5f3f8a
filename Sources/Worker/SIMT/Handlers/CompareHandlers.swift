internal import PTX

/// A comparison of `setp` and `set`.
enum Comparison: String {
    case eq, ne, lt, le, gt, ge
    case lo, ls, hi, hs
    case equ, neu, ltu, leu, gtu, geu
    case num, nan
}

/// Handlers that set the predicate d to whether a and b compare so.
enum CompareHandlers {
    static func find(_ comparison: Comparison, _ type: PTXType) -> Handler? {
        switch type {
        case .u32: unsigned(comparison, UInt32.self)
        case .b32: equality(comparison, UInt32.self)
        case .s32: signed32(comparison)
        case .u64: unsigned64(comparison)
        case .b64: unsigned64(comparison)
        case .s64: signed64(comparison)
        case .u16, .b16: unsigned16(comparison)
        case .s16: signed16(comparison)
        case .f32: float32(comparison)
        case .f64: float64(comparison)
        case .f16: half(comparison)
        case .bf16: brain(comparison)
        default: nil
        }
    }

    private static func equality(_ comparison: Comparison, _ type: UInt32.Type) -> Handler? {
        unsigned(comparison, type)
    }

    private static func unsigned(_ comparison: Comparison, _ type: UInt32.Type) -> Handler? {
        switch comparison {
        case .eq: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a == b } }
        case .ne: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a != b } }
        case .lt, .lo: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a < b } }
        case .le, .ls: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a <= b } }
        case .gt, .hi: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a > b } }
        case .ge, .hs: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a >= b } }
        default: return nil
        }
    }

    private static func signed32(_ comparison: Comparison) -> Handler? {
        switch comparison {
        case .eq: return { w, i in set(w, i) { (a: Int32, b: Int32) in a == b } }
        case .ne: return { w, i in set(w, i) { (a: Int32, b: Int32) in a != b } }
        case .lt: return { w, i in set(w, i) { (a: Int32, b: Int32) in a < b } }
        case .le: return { w, i in set(w, i) { (a: Int32, b: Int32) in a <= b } }
        case .gt: return { w, i in set(w, i) { (a: Int32, b: Int32) in a > b } }
        case .ge: return { w, i in set(w, i) { (a: Int32, b: Int32) in a >= b } }
        default: return unsigned(comparison, UInt32.self)
        }
    }

    private static func unsigned64(_ comparison: Comparison) -> Handler? {
        switch comparison {
        case .eq: return { w, i in set(w, i) { (a: UInt64, b: UInt64) in a == b } }
        case .ne: return { w, i in set(w, i) { (a: UInt64, b: UInt64) in a != b } }
        case .lt, .lo: return { w, i in set(w, i) { (a: UInt64, b: UInt64) in a < b } }
        case .le, .ls: return { w, i in set(w, i) { (a: UInt64, b: UInt64) in a <= b } }
        case .gt, .hi: return { w, i in set(w, i) { (a: UInt64, b: UInt64) in a > b } }
        case .ge, .hs: return { w, i in set(w, i) { (a: UInt64, b: UInt64) in a >= b } }
        default: return nil
        }
    }

    private static func signed64(_ comparison: Comparison) -> Handler? {
        switch comparison {
        case .eq: return { w, i in set(w, i) { (a: Int64, b: Int64) in a == b } }
        case .ne: return { w, i in set(w, i) { (a: Int64, b: Int64) in a != b } }
        case .lt: return { w, i in set(w, i) { (a: Int64, b: Int64) in a < b } }
        case .le: return { w, i in set(w, i) { (a: Int64, b: Int64) in a <= b } }
        case .gt: return { w, i in set(w, i) { (a: Int64, b: Int64) in a > b } }
        case .ge: return { w, i in set(w, i) { (a: Int64, b: Int64) in a >= b } }
        default: return unsigned64(comparison)
        }
    }

    private static func unsigned16(_ comparison: Comparison) -> Handler? {
        switch comparison {
        case .eq: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a & 0xffff == b & 0xffff } }
        case .ne: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a & 0xffff != b & 0xffff } }
        case .lt, .lo: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a & 0xffff < b & 0xffff } }
        case .le, .ls: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a & 0xffff <= b & 0xffff } }
        case .gt, .hi: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a & 0xffff > b & 0xffff } }
        case .ge, .hs: return { w, i in set(w, i) { (a: UInt32, b: UInt32) in a & 0xffff >= b & 0xffff } }
        default: return nil
        }
    }

    private static func signed16(_ comparison: Comparison) -> Handler? {
        // Shifted to the top, 16-bit values compare as 32-bit ones do.
        switch comparison {
        case .lt: return { w, i in set(w, i) { (a: Int32, b: Int32) in a &<< 16 < b &<< 16 } }
        case .le: return { w, i in set(w, i) { (a: Int32, b: Int32) in a &<< 16 <= b &<< 16 } }
        case .gt: return { w, i in set(w, i) { (a: Int32, b: Int32) in a &<< 16 > b &<< 16 } }
        case .ge: return { w, i in set(w, i) { (a: Int32, b: Int32) in a &<< 16 >= b &<< 16 } }
        default: return unsigned16(comparison)
        }
    }

    private static func float32(_ comparison: Comparison) -> Handler? {
        switch comparison {
        case .eq: return { w, i in set(w, i) { (a: Float, b: Float) in a == b } }
        case .ne: return { w, i in set(w, i) { (a: Float, b: Float) in a < b || a > b } }
        case .lt: return { w, i in set(w, i) { (a: Float, b: Float) in a < b } }
        case .le: return { w, i in set(w, i) { (a: Float, b: Float) in a <= b } }
        case .gt: return { w, i in set(w, i) { (a: Float, b: Float) in a > b } }
        case .ge: return { w, i in set(w, i) { (a: Float, b: Float) in a >= b } }
        case .equ: return { w, i in set(w, i) { (a: Float, b: Float) in !(a < b || a > b) } }
        case .neu: return { w, i in set(w, i) { (a: Float, b: Float) in a != b } }
        case .ltu: return { w, i in set(w, i) { (a: Float, b: Float) in !(a >= b) } }
        case .leu: return { w, i in set(w, i) { (a: Float, b: Float) in !(a > b) } }
        case .gtu: return { w, i in set(w, i) { (a: Float, b: Float) in !(a <= b) } }
        case .geu: return { w, i in set(w, i) { (a: Float, b: Float) in !(a < b) } }
        case .num: return { w, i in set(w, i) { (a: Float, b: Float) in a == a && b == b } }
        case .nan: return { w, i in set(w, i) { (a: Float, b: Float) in a != a || b != b } }
        default: return nil
        }
    }

    private static func float64(_ comparison: Comparison) -> Handler? {
        switch comparison {
        case .eq: return { w, i in set(w, i) { (a: Double, b: Double) in a == b } }
        case .ne: return { w, i in set(w, i) { (a: Double, b: Double) in a < b || a > b } }
        case .lt: return { w, i in set(w, i) { (a: Double, b: Double) in a < b } }
        case .le: return { w, i in set(w, i) { (a: Double, b: Double) in a <= b } }
        case .gt: return { w, i in set(w, i) { (a: Double, b: Double) in a > b } }
        case .ge: return { w, i in set(w, i) { (a: Double, b: Double) in a >= b } }
        case .equ: return { w, i in set(w, i) { (a: Double, b: Double) in !(a < b || a > b) } }
        case .neu: return { w, i in set(w, i) { (a: Double, b: Double) in a != b } }
        case .ltu: return { w, i in set(w, i) { (a: Double, b: Double) in !(a >= b) } }
        case .leu: return { w, i in set(w, i) { (a: Double, b: Double) in !(a > b) } }
        case .gtu: return { w, i in set(w, i) { (a: Double, b: Double) in !(a <= b) } }
        case .geu: return { w, i in set(w, i) { (a: Double, b: Double) in !(a < b) } }
        case .num: return { w, i in set(w, i) { (a: Double, b: Double) in a == a && b == b } }
        case .nan: return { w, i in set(w, i) { (a: Double, b: Double) in a != a || b != b } }
        default: return nil
        }
    }

    /// 16-bit formats compare as the floats that they stand for.
    private static func half(_ comparison: Comparison) -> Handler? {
        small(comparison, { w, i in widen(w, i, HalfFormat.self) })
    }

    private static func brain(_ comparison: Comparison) -> Handler? {
        small(comparison, { w, i in widenBrain(w, i) })
    }

    private static func small(_ comparison: Comparison, _ handler: @escaping Handler) -> Handler? {
        float32(comparison) == nil ? nil : handler
    }

    /// The relations for which a comparison of floats holds.
    static func code(_ comparison: Comparison) -> UInt32 {
        switch comparison {
        case .eq: 2
        case .ne: 5
        case .lt, .lo: 1
        case .le, .ls: 3
        case .gt, .hi: 4
        case .ge, .hs: 6
        case .equ: 10
        case .neu: 13
        case .ltu: 9
        case .leu: 11
        case .gtu: 12
        case .geu: 14
        case .num: 7
        case .nan: 8
        }
    }
}

/// Selections by predicates and tests of floats.
enum SelectHandlers {
    /// d = c ? a : b.
    static let select32: Handler = { w, i in
        let bits = predicate(w, i.instruction.pointee.c)
        let a = lanes(w, i.instruction.pointee.a, as: UInt32.self)
        let b = lanes(w, i.instruction.pointee.b, as: UInt32.self)
        produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<UInt32>) in
            for lane in 0..<32 {
                let keep = ((bits &>> UInt32(truncatingIfNeeded: lane)) & 1) &- 1
                t[lane] = (b[lane] & keep) | (a[lane] & ~keep)
            }
        }
        return i.next
    }

    static let select64: Handler = { w, i in
        let bits = predicate(w, i.instruction.pointee.c)
        let a = lanes(w, i.instruction.pointee.a, as: UInt64.self)
        let b = lanes(w, i.instruction.pointee.b, as: UInt64.self)
        produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<UInt64>) in
            for lane in 0..<32 {
                let keep = UInt64((bits &>> UInt32(truncatingIfNeeded: lane)) & 1) &- 1
                t[lane] = (b[lane] & keep) | (a[lane] & ~keep)
            }
        }
        return i.next
    }

    /// `selp.pred` does not exist, but predicates choose between predicates in `slct` expansions.
    static let signSelect32: Handler = { w, i in
        map3(w, i) { (a: UInt32, b: UInt32, c: Int32) in c >= 0 ? a : b }
    }
    static let signSelect64: Handler = { w, i in
        map3(w, i) { (a: UInt64, b: UInt64, c: Int32) in c >= 0 ? a : b }
    }
    static let floatSelect32: Handler = { w, i in
        map3(w, i) { (a: UInt32, b: UInt32, c: Float) in c >= 0 ? a : b }
    }
    static let floatSelect64: Handler = { w, i in
        map3(w, i) { (a: UInt64, b: UInt64, c: Float) in c >= 0 ? a : b }
    }

    /// The values that `set` gives.
    static let ones: Handler = { w, i in setValue(w, i, ~0) }
    static let one: Handler = { w, i in setValue(w, i, i.instruction.pointee.flags) }

    /// The class of a float, in `flags`.
    enum FloatClass: UInt32 {
        case finite, infinite, number, notANumber, normal, subnormal
    }

    static let test32: Handler = { w, i in
        let kind = FloatClass(rawValue: i.instruction.pointee.flags) ?? .finite
        let bits = test2(w, i) { (a: Float, b: Float) in isOf(kind, a) }
        setPredicate(w, i.instruction.pointee.d, bits)
        return i.next
    }

    static let test64: Handler = { w, i in
        let kind = FloatClass(rawValue: i.instruction.pointee.flags) ?? .finite
        let bits = test2(w, i) { (a: Double, b: Double) in isOf(kind, a) }
        setPredicate(w, i.instruction.pointee.d, bits)
        return i.next
    }

}

@inline(__always)
private func set<A>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (A, A) -> Bool
) -> InstructionPointer? {
    let bits = test2(w, i, body)
    setPredicate(w, i.instruction.pointee.d, bits)
    return i.next
}

/// Compares as `flags` says; ``Decoder`` puts the comparison's code there.
@inline(__always)
private func widen<F: SmallFloat>(
    _ w: WarpPointer, _ i: InstructionPointer, _ format: F.Type
) -> InstructionPointer? {
    let code = i.instruction.pointee.flags
    return set(w, i) { (a: UInt32, b: UInt32) in
        ordered(F.unpack(a & 0xffff), F.unpack(b & 0xffff), code)
    }
}

@inline(never)
private func widenBrain(_ w: WarpPointer, _ i: InstructionPointer) -> InstructionPointer? {
    widen(w, i, BrainFormat.self)
}

/// Bits of the code: less 1, equal 2, greater 4, unordered 8.
@inline(__always)
private func ordered(_ a: Float, _ b: Float, _ code: UInt32) -> Bool {
    let bit: UInt32 = a < b ? 1 : a == b ? 2 : a > b ? 4 : 8
    return code & bit != 0
}

@inline(__always)
private func setValue(_ w: WarpPointer, _ i: InstructionPointer, _ value: UInt32) -> InstructionPointer? {
    let bits = predicate(w, i.instruction.pointee.a)
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<UInt32>) in
        for lane in 0..<32 { t[lane] = (bits &>> UInt32(truncatingIfNeeded: lane)) & 1 != 0 ? value : 0 }
    }
    return i.next
}

@inline(__always)
private func isOf<T: BinaryFloatingPoint>(_ kind: SelectHandlers.FloatClass, _ x: T) -> Bool {
    switch kind {
    case .finite: x.isFinite
    case .infinite: x.isInfinite
    case .number: !x.isNaN
    case .notANumber: x.isNaN
    case .normal: x.isNormal
    case .subnormal: x.isSubnormal
    }
}
