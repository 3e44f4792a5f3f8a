/// Conversions between Double and the bits of the other floating-point formats.
enum ConvertFloats {
    static func unpack(_ bits: UInt64, _ format: ConvertHandlers.Format) -> Double {
        let narrow = UInt32(truncatingIfNeeded: bits)
        switch format {
        case .f16: return Double(float(half: narrow & 0xffff))
        case .bf16: return Double(float(bfloat16: narrow & 0xffff))
        case .f64: return Double(bitPattern: bits)
        default: return Double(Float(bitPattern: narrow))
        }
    }

    /// The whole number next to `value` in the direction of `mode`.
    static func whole(_ value: Double, _ mode: RoundingMode) -> Double {
        switch mode {
        case .nearest: value.rounded(.toNearestOrEven)
        case .zero: value.rounded(.towardZero)
        case .down: value.rounded(.down)
        case .up: value.rounded(.up)
        }
    }

    static func pack(
        _ value: Double, _ format: ConvertHandlers.Format, _ mode: RoundingMode, tiesAway: Bool
    ) -> UInt64 {
        switch format {
        case .f64: return value.bitPattern
        case .f32: return UInt64(single(value, mode).bitPattern)
        case .f16:
            let nearest = Float16(value)
            if nearest.isNaN { return 0x7fff }
            return UInt64(directed(nearest, error: difference(value, Double(nearest)), mode).bitPattern)
        case .bf16: return UInt64(brain(value, mode))
        case .tf32: return UInt64(tensor(Float(value), tiesAway: tiesAway))
        default: return 0
        }
    }

    /// An integer of up to 64 bits, rounded once.
    static func pack(
        magnitude: UInt64, isNegative: Bool, _ format: ConvertHandlers.Format, _ mode: RoundingMode
    ) -> UInt64 {
        // Two exact halves: their sum in Double has an error that ``directed`` can use.
        let high = Double(magnitude & 0xffff_ffff_0000_0000)
        let low = Double(magnitude & 0xffff_ffff)
        let sign = isNegative ? -1.0 : 1.0
        switch format {
        case .f64: return add(sign * high, sign * low, magnitude == 0 ? .nearest : mode).bitPattern
        case .f32:
            let nearest = Float(magnitude)
            let error = magnitudeError(magnitude, Double(nearest))
            return UInt64(directed(isNegative ? -nearest : nearest, error: sign * error, mode).bitPattern)
        default: return pack(sign * (high + low), format, mode, tiesAway: false)
        }
    }

    private static func magnitudeError(_ magnitude: UInt64, _ rounded: Double) -> Double {
        if rounded >= 18_446_744_073_709_551_616 { return -1 }
        let back = UInt64(rounded)
        return magnitude == back ? 0 : magnitude > back ? 1 : -1
    }

    private static func difference(_ value: Double, _ rounded: Double) -> Double {
        if rounded.isInfinite { return value.isInfinite ? 0 : (rounded > 0 ? -1 : 1) }
        return value - rounded
    }

    private static func single(_ value: Double, _ mode: RoundingMode) -> Float {
        let nearest = Float(value)
        return mode == .nearest ? nearest : directed(nearest, error: difference(value, Double(nearest)), mode)
    }

    private static func brain(_ value: Double, _ mode: RoundingMode) -> UInt16 {
        if value.isNaN { return 0x7fff }
        let toZero = single(value, .zero)
        let bits = toZero.bitPattern
        let isExact = Double(toZero) == value
        let truncated = UInt16(truncatingIfNeeded: bits &>> 16)
        let rest = (bits & 0xffff, isExact)
        if toZero.isInfinite || (rest.0 == 0 && isExact) { return truncated }
        let isUp: Bool
        switch mode {
        case .nearest: isUp = rest.0 > 0x8000 || (rest.0 == 0x8000 && (!isExact || truncated & 1 == 1))
        case .zero: isUp = false
        case .down: isUp = value < 0
        case .up: isUp = value > 0
        }
        return isUp ? truncated &+ 1 : truncated
    }

    /// `tf32` keeps 10 bits of the fraction.
    private static func tensor(_ value: Float, tiesAway: Bool) -> UInt32 {
        let bits = value.bitPattern
        if !value.isFinite { return bits }
        let half: UInt32 = tiesAway ? 0x1000 : 0x0fff &+ ((bits &>> 13) & 1)
        return (bits &+ half) & 0xffff_e000
    }
}
