/// Parts of registers: `mov` between a register and a vector of smaller ones.
enum PackHandlers {
    /// d = `flags` bits of a from bit `immediate`.
    static let extract32: Handler = { w, i in
        let shift = UInt32(truncatingIfNeeded: i.instruction.pointee.immediate)
        let mask: UInt32 = ~0 &>> (32 &- i.instruction.pointee.flags)
        return map1(w, i) { (a: UInt32) in (a &>> shift) & mask }
    }

    static let extract64: Handler = { w, i in
        let shift = i.instruction.pointee.immediate
        let mask: UInt32 = ~0 &>> (32 &- i.instruction.pointee.flags)
        return map1(w, i) { (a: UInt64) in UInt32(truncatingIfNeeded: a &>> shift) & mask }
    }

    /// d = b with `flags` bits of a at bit `immediate`.
    static let insert32: Handler = { w, i in
        let shift = UInt32(truncatingIfNeeded: i.instruction.pointee.immediate)
        let mask: UInt32 = ~0 &>> (32 &- i.instruction.pointee.flags)
        return map2(w, i) { (a: UInt32, b: UInt32) in (b & ~(mask &<< shift)) | ((a & mask) &<< shift) }
    }

    static let insert64: Handler = { w, i in
        let shift = i.instruction.pointee.immediate
        let mask: UInt64 = ~0 &>> (64 &- UInt64(i.instruction.pointee.flags))
        return map2(w, i) { (a: UInt32, b: UInt64) in
            (b & ~(mask &<< shift)) | ((UInt64(a) & mask) &<< shift)
        }
    }
}
