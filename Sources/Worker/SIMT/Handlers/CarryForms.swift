internal import PTX

/// Extended-precision arithmetic: the carry flag is a predicate at a fixed place of the register file.
enum CarryForms {
    private static func flags(_ readsCarry: Bool, _ setsCarry: Bool) -> UInt32 {
        (readsCarry ? reads : 0) | (setsCarry ? sets : 0)
    }

    static func add(_ isWide: Bool, readsCarry: Bool, setsCarry: Bool) -> Form {
        var form: Form =
            isWide
            ? .binary64 { w, i in combine(w, i) { (a: UInt64, b: UInt64, c: Bool) in sum(a, b, c) } }
            : .binary32 { w, i in combine(w, i) { (a: UInt32, b: UInt32, c: Bool) in sum(a, b, c) } }
        form.flags = flags(readsCarry, setsCarry)
        return form
    }

    static func subtract(_ isWide: Bool, readsCarry: Bool, setsCarry: Bool) -> Form {
        // The flag holds the borrow.
        var form: Form =
            isWide
            ? .binary64 { w, i in combine(w, i) { (a: UInt64, b: UInt64, c: Bool) in difference(a, b, c) } }
            : .binary32 { w, i in combine(w, i) { (a: UInt32, b: UInt32, c: Bool) in difference(a, b, c) } }
        form.flags = flags(readsCarry, setsCarry)
        return form
    }

    static func multiplyAdd(_ operation: Operation, _ type: PTXType) -> Form? {
        guard operation.has("lo") || operation.has("hi") else { return nil }
        var form: Form
        switch type {
        case .u32, .s32, .b32:
            form = .ternary32 { w, i in
                let isHigh = i.instruction.pointee.flags & takesHigh != 0
                let signed = i.instruction.pointee.flags & isSigned != 0
                return combine3(w, i) { (a: UInt32, b: UInt32, c: UInt32, carry: Bool) in
                    sum(product(a, b, isHigh, signed), c, carry)
                }
            }
        case .u64, .s64, .b64:
            form = .ternary64 { w, i in
                let isHigh = i.instruction.pointee.flags & takesHigh != 0
                let signed = i.instruction.pointee.flags & isSigned != 0
                return combine3(w, i) { (a: UInt64, b: UInt64, c: UInt64, carry: Bool) in
                    sum(product(a, b, isHigh, signed), c, carry)
                }
            }
        default: return nil
        }
        form.flags = flags(operation.opcode == "madc", operation.has("cc"))
        form.flags |= (operation.has("hi") ? takesHigh : 0) | (type.isSigned ? isSigned : 0)
        return form
    }

}

@inline(__always)
private func product(_ a: UInt32, _ b: UInt32, _ isHigh: Bool, _ signed: Bool) -> UInt32 {
    if !isHigh { return a &* b }
    if signed {
        let wide = Int64(Int32(bitPattern: a)) &* Int64(Int32(bitPattern: b))
        return UInt32(truncatingIfNeeded: wide &>> 32)
    }
    return UInt32(truncatingIfNeeded: (UInt64(a) &* UInt64(b)) &>> 32)
}

@inline(__always)
private func product(_ a: UInt64, _ b: UInt64, _ isHigh: Bool, _ signed: Bool) -> UInt64 {
    if !isHigh { return a &* b }
    if signed {
        return UInt64(bitPattern: Int64(bitPattern: a).multipliedFullWidth(by: Int64(bitPattern: b)).high)
    }
    return a.multipliedFullWidth(by: b).high
}

@inline(__always)
private func sum<T: FixedWidthInteger>(_ a: T, _ b: T, _ carry: Bool) -> (T, Bool) {
    let first = a.addingReportingOverflow(b)
    let second = first.partialValue.addingReportingOverflow(carry ? 1 : 0)
    return (second.partialValue, first.overflow || second.overflow)
}

@inline(__always)
private func difference<T: FixedWidthInteger>(_ a: T, _ b: T, _ borrow: Bool) -> (T, Bool) {
    let first = a.subtractingReportingOverflow(b)
    let second = first.partialValue.subtractingReportingOverflow(borrow ? 1 : 0)
    return (second.partialValue, first.overflow || second.overflow)
}

@inline(__always)
private func combine<T>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (T, T, Bool) -> (T, Bool)
) -> InstructionPointer? {
    let a = lanes(w, i.instruction.pointee.a, as: T.self)
    let b = lanes(w, i.instruction.pointee.b, as: T.self)
    return finish(w, i) { lane, carry in body(a[lane], b[lane], carry) }
}

@inline(__always)
private func combine3<T>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (T, T, T, Bool) -> (T, Bool)
) -> InstructionPointer? {
    let a = lanes(w, i.instruction.pointee.a, as: T.self)
    let b = lanes(w, i.instruction.pointee.b, as: T.self)
    let c = lanes(w, i.instruction.pointee.c, as: T.self)
    return finish(w, i) { lane, carry in body(a[lane], b[lane], c[lane], carry) }
}

@inline(__always)
private func finish<T>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (Int, Bool) -> (T, Bool)
) -> InstructionPointer? {
    let flags = i.instruction.pointee.flags
    let carries = flags & reads != 0 ? predicate(w, Decoder.carryOffset) : 0
    var out: UInt32 = 0
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<T>) in
        for lane in 0..<32 {
            let bit = UInt32(truncatingIfNeeded: lane)
            let (value, carry) = body(lane, (carries &>> bit) & 1 != 0)
            t[lane] = value
            out |= (carry ? 1 : 0) &<< bit
        }
    }
    if flags & sets != 0 { setPredicate(w, Decoder.carryOffset, out) }
    return i.next
}

/// Bits of ``Instruction/flags``.
private var reads: UInt32 { 1 }
private var sets: UInt32 { 2 }
private var takesHigh: UInt32 { 4 }
private var isSigned: UInt32 { 8 }
