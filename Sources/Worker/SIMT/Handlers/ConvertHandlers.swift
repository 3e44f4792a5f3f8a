internal import PTX

/// `cvt`.
enum ConvertHandlers {
    /// The formats that values convert between.
    enum Format: UInt32 {
        case u8, s8, u16, s16, u32, s32, u64, s64, f16, bf16, f32, f64, tf32

        init?(_ type: PTXType) {
            switch type {
            case .u8, .b8: self = .u8
            case .s8: self = .s8
            case .u16, .b16: self = .u16
            case .s16: self = .s16
            case .u32, .b32: self = .u32
            case .s32: self = .s32
            case .u64, .b64: self = .u64
            case .s64: self = .s64
            case .f16: self = .f16
            case .bf16: self = .bf16
            case .f32: self = .f32
            case .f64: self = .f64
            case .tf32: self = .tf32
            default: return nil
            }
        }

        var isFloat: Bool { rawValue >= Format.f16.rawValue }
        var bitCount: Int { isFloat ? 0 : 8 << Int(rawValue >> 1) }
        var isSigned: Bool { rawValue & 1 == 1 }
    }

    static let saturates: UInt32 = 1 << 12
    static let flushes: UInt32 = 1 << 13
    static let roundsToInteger: UInt32 = 1 << 14
    static let tiesAway: UInt32 = 1 << 15
    static let clampsNegative: UInt32 = 1 << 16

    static let flush: Handler = { w, i in map1(w, i) { (a: Float) in flushed(a) } }

    /// Handlers of common conversions without `.sat` and `.ftz`.
    static func fast(_ operation: Operation, from: PTXType, to: PTXType) -> Handler? {
        if operation.has("sat") || operation.has("ftz") { return nil }
        let mode = RoundingMode(operation)
        switch (from, to) {
        case (.u32, .u64), (.u32, .s64): return MoveHandlers.zeroExtend
        case (.s32, .s64), (.s32, .u64): return MoveHandlers.signExtend
        case (.u64, .u32), (.s64, .u32), (.u64, .s32), (.s64, .s32): return MoveHandlers.truncate
        case (.u32, .u32), (.s32, .s32), (.u32, .s32), (.s32, .u32): return MoveHandlers.copy32
        case (.u64, .u64), (.s64, .s64), (.u64, .s64), (.s64, .u64): return MoveHandlers.copy64
        case (.u16, .u32), (.u16, .s32), (.u32, .u16), (.s32, .u16), (.u32, .s16), (.s32, .s16), (.s16, .u16):
            return { w, i in map1(w, i) { (a: UInt32) in a & 0xffff } }
        case (.s16, .s32), (.s16, .u32): return { w, i in map1(w, i) { (a: Int32) in (a &<< 16) &>> 16 } }
        case (.s8, .s32), (.s8, .u32), (.s8, .s16), (.s8, .u16):
            return { w, i in map1(w, i) { (a: Int32) in (a &<< 24) &>> 24 } }
        case (.u8, .u32), (.u8, .s32), (.u8, .u16), (.u8, .s16):
            return { w, i in map1(w, i) { (a: UInt32) in a & 0xff } }
        case (.f32, .f64): return { w, i in map1(w, i) { (a: Float) in Double(a) } }
        case (.s32, .f64): return { w, i in map1(w, i) { (a: Int32) in Double(a) } }
        case (.u32, .f64): return { w, i in map1(w, i) { (a: UInt32) in Double(a) } }
        case (.f16, .f32): return { w, i in map1(w, i) { (a: UInt32) in float(half: a) } }
        case (.bf16, .f32): return { w, i in map1(w, i) { (a: UInt32) in a &<< 16 } }
        default: break
        }
        return rounded(mode, operation, from: from, to: to)
    }

    private static func rounded(
        _ mode: RoundingMode, _ operation: Operation, from: PTXType, to: PTXType
    ) -> Handler? {
        let isToInteger = operation.has("rni") || operation.has("rzi") || operation.has("rmi") || operation.has("rpi")
        switch (from, to, mode) {
        case (.s32, .f32, .nearest): return { w, i in map1(w, i) { (a: Int32) in Float(a) } }
        case (.u32, .f32, .nearest): return { w, i in map1(w, i) { (a: UInt32) in Float(a) } }
        case (.s64, .f64, .nearest): return { w, i in map1(w, i) { (a: Int64) in Double(a) } }
        case (.f64, .f32, .nearest): return { w, i in map1(w, i) { (a: Double) in Float(a) } }
        case (.f32, .f16, .nearest): return { w, i in map1(w, i) { (a: Float) in half(a) } }
        case (.f32, .bf16, .nearest): return { w, i in map1(w, i) { (a: Float) in UInt32(bfloat16(a)) } }
        case (.f32, .s32, .zero): return { w, i in map1(w, i) { (a: Float) in signed32(a) } }
        case (.f32, .s32, .nearest) where operation.has("rni"):
            return { w, i in map1(w, i) { (a: Float) in signed32(a.rounded(.toNearestOrEven)) } }
        case (.f32, .s32, .down): return { w, i in map1(w, i) { (a: Float) in signed32(a.rounded(.down)) } }
        case (.f32, .u32, .zero): return { w, i in map1(w, i) { (a: Float) in unsigned32(a) } }
        case (.f32, .f32, .nearest) where isToInteger:
            return { w, i in map1(w, i) { (a: Float) in a.rounded(.toNearestOrEven) } }
        case (.f32, .f32, .zero) where isToInteger:
            return { w, i in map1(w, i) { (a: Float) in a.rounded(.towardZero) } }
        case (.f32, .f32, .down) where isToInteger:
            return { w, i in map1(w, i) { (a: Float) in a.rounded(.down) } }
        case (.f32, .f32, .up) where isToInteger:
            return { w, i in map1(w, i) { (a: Float) in a.rounded(.up) } }
        case (.f64, .f64, .down) where isToInteger:
            return { w, i in map1(w, i) { (a: Double) in a.rounded(.down) } }
        default: return nil
        }
    }

    // MARK: Any conversion

    static let any: Handler = { w, i in convert(w, i) }

    /// Bits of an integer in its format, to the bits of another format.
    static func fromInteger(_ bits: UInt64, _ from: Format, _ to: Format, _ flags: UInt32) -> UInt64 {
        let unused = UInt64(64 &- from.bitCount)
        let isNegative = from.isSigned && Int64(bitPattern: bits &<< unused) < 0
        let value =
            from.isSigned
            ? UInt64(bitPattern: Int64(bitPattern: bits &<< unused) &>> Int64(bitPattern: unused))
            : (bits &<< unused) &>> unused
        if !to.isFloat {
            if flags & saturates == 0 { return truncated(value, to) }
            return clamped(value, isNegative: isNegative, to)
        }
        let mode = RoundingMode(rawValue: (flags &>> 8) & 15) ?? .nearest
        return isNegative
            ? ConvertFloats.pack(magnitude: 0 &- value, isNegative: true, to, mode)
            : ConvertFloats.pack(magnitude: value, isNegative: false, to, mode)
    }

    private static func clamped(_ value: UInt64, isNegative: Bool, _ to: Format) -> UInt64 {
        if to.isSigned {
            let limit: UInt64 = 1 &<< UInt64(to.bitCount &- 1)
            if isNegative {
                let least = 0 &- Int64(bitPattern: limit &- 1) &- 1
                return UInt64(bitPattern: max(Int64(bitPattern: value), least))
            }
            return min(value, limit &- 1)
        }
        if isNegative { return 0 }
        return to.bitCount == 64 ? value : min(value, (1 &<< UInt64(to.bitCount)) &- 1)
    }

    static func fromFloat(_ bits: UInt64, _ from: Format, _ to: Format, _ flags: UInt32) -> UInt64 {
        var value = ConvertFloats.unpack(bits, from)
        if flags & flushes != 0, from == .f32 { value = Double(flushed(Float(value))) }
        let mode = RoundingMode(rawValue: (flags &>> 8) & 15) ?? .nearest
        if to.isFloat {
            if flags & roundsToInteger != 0 { value = ConvertFloats.whole(value, mode) }
            if flags & saturates != 0 { value = saturated(value) }
            let result = ConvertFloats.pack(value, to, mode, tiesAway: flags & tiesAway != 0)
            if flags & flushes != 0, to == .f32 {
                return UInt64(flushed(Float(bitPattern: UInt32(truncatingIfNeeded: result))).bitPattern)
            }
            return result
        }
        return integer(ConvertFloats.whole(value, mode), to)
    }

    /// A whole number in an integer format: clamped, NaN is 0 (the least value in 64 bits, as on a device).
    private static func integer(_ value: Double, _ to: Format) -> UInt64 {
        if value.isNaN { return to.bitCount == 64 ? 1 << 63 : 0 }
        if to.isSigned {
            let limit = Double(sign: .plus, exponent: to.bitCount &- 1, significand: 1)
            if value >= limit { return (1 &<< UInt64(to.bitCount &- 1)) &- 1 }
            if value <= -limit { return UInt64(bitPattern: -1 &<< Int64(to.bitCount &- 1)) }
            return UInt64(bitPattern: Int64(value))
        }
        let limit = Double(sign: .plus, exponent: to.bitCount, significand: 1)
        if value >= limit { return to.bitCount == 64 ? ~0 : (1 &<< UInt64(to.bitCount)) &- 1 }
        return value > 0 ? UInt64(value) : 0
    }

    // MARK: Pairs

    static let packHalf: Handler = { w, i in pack(w, i, .f16) }
    static let packBrain: Handler = { w, i in pack(w, i, .bf16) }

}

/// A float that is a whole number, clamped to 32 bits; NaN becomes 0.
@inline(__always)
private func signed32(_ x: Float) -> Int32 {
    if x != x { return 0 }
    if x >= 2_147_483_648 { return .max }
    return x <= -2_147_483_648 ? .min : Int32(x)
}

@inline(__always)
private func unsigned32(_ x: Float) -> UInt32 {
    if !(x > 0) { return 0 }
    return x >= 4_294_967_296 ? .max : UInt32(x)
}

@inline(never)
private func convert(_ w: WarpPointer, _ i: InstructionPointer) -> InstructionPointer? {
    let flags = i.instruction.pointee.flags
    let from = ConvertHandlers.Format(rawValue: flags & 15) ?? .u32
    let to = ConvertHandlers.Format(rawValue: (flags &>> 4) & 15) ?? .u32
    let isWideSource = from == .u64 || from == .s64 || from == .f64
    let isWideResult = to == .u64 || to == .s64 || to == .f64
    let narrow = lanes(w, i.instruction.pointee.a, as: UInt32.self)
    let wide = lanes(w, i.instruction.pointee.a, as: UInt64.self)
    let narrowResult = lanes(w, i.instruction.pointee.d, as: UInt32.self)
    let wideResult = lanes(w, i.instruction.pointee.d, as: UInt64.self)
    _ = forEachLane(w.warp.pointee.mask) { lane in
        let bits = isWideSource ? wide[lane] : UInt64(narrow[lane])
        let value =
            from.isFloat
            ? ConvertHandlers.fromFloat(bits, from, to, flags) : ConvertHandlers.fromInteger(bits, from, to, flags)
        if isWideResult { wideResult[lane] = value } else { narrowResult[lane] = UInt32(truncatingIfNeeded: value) }
        return true
    }
    return i.next
}

/// Keeps the low bits of the format, extended to 32 bits for registers that are wider.
@inline(__always)
private func truncated(_ value: UInt64, _ to: ConvertHandlers.Format) -> UInt64 {
    switch to {
    case .u8: value & 0xff
    case .s8: UInt64(bitPattern: Int64(Int8(truncatingIfNeeded: value)))
    case .u16: value & 0xffff
    case .s16: UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: value)))
    default: value
    }
}

@inline(never)
private func pack(_ w: WarpPointer, _ i: InstructionPointer, _ format: ConvertHandlers.Format) -> InstructionPointer? {
    let flags = i.instruction.pointee.flags
    let mode = RoundingMode(rawValue: (flags &>> 8) & 15) ?? .nearest
    let clamps = flags & ConvertHandlers.clampsNegative != 0
    return map2(w, i) { (a: Float, b: Float) in
        let high = ConvertFloats.pack(Double(clamps ? greatest(a, 0) : a), format, mode, tiesAway: false)
        let low = ConvertFloats.pack(Double(clamps ? greatest(b, 0) : b), format, mode, tiesAway: false)
        return UInt32(truncatingIfNeeded: high &<< 16 | low)
    }
}
