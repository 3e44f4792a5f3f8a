/// Pairs of floats of 8 bits: `cvt` from and to `e4m3x2` and `e5m2x2`.
enum ByteFloats {
    /// `flags`: two bits of mantissa, not three.
    static let isWide: UInt32 = 1

    /// d = a in the high byte, b in the low one.
    static let pack: Handler = { w, i in
        let flags = i.instruction.pointee.flags
        return map2(w, i) { (a: Float, b: Float) in byte(a, flags) &<< 8 | byte(b, flags) }
    }

    /// d = the halves of a as bytes.
    static let packHalves: Handler = { w, i in
        let flags = i.instruction.pointee.flags
        return map1(w, i) { (a: UInt32) in byte(float(half: a &>> 16), flags) &<< 8 | byte(float(half: a), flags) }
    }

    /// d = the bytes of a as halves.
    static let unpack: Handler = { w, i in
        let isWide = i.instruction.pointee.flags & isWide != 0
        return map1(w, i) { (a: UInt32) in
            let (high, low) = ((a &>> 8) & 0xff, a & 0xff)
            if isWide { return high &<< 24 | low &<< 8 }
            return half(float(e4m3: high)) &<< 16 | half(float(e4m3: low))
        }
    }

    /// The nearest number, at most the largest one.
    private static func byte(_ x: Float, _ flags: UInt32) -> UInt32 {
        if x.isNaN { return 0x7f }
        if x < 0, flags & ConvertHandlers.clampsNegative != 0 { return 0 }
        let isWide = flags & isWide != 0
        let (mantissaBits, leastExponent) = isWide ? (2, -14) : (3, -6)
        let sign: UInt32 = x.sign == .minus ? 0x80 : 0
        let magnitude = Double(x.magnitude)
        if magnitude >= (isWide ? 57_344 : 448) { return sign | (isWide ? 0x7b : 0x7e) }
        let exponent = max(leastExponent, magnitude == 0 ? leastExponent : Int(magnitude.exponent))
        let unit = Double(sign: .plus, exponent: exponent - mantissaBits, significand: 1)
        let count = Int((magnitude / unit).rounded(.toNearestOrEven))
        // Without the leading one the count is a mantissa of the least exponent; a carry is one exponent more.
        return sign | UInt32((exponent - leastExponent) << mantissaBits + count)
    }
}
