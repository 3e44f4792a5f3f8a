/// `count` ones from bit 0; 32 and more are all ones.
@inline(__always)
func ones32(_ count: UInt32) -> UInt32 { count > 31 ? ~0 : (1 &<< count) &- 1 }

@inline(__always)
func ones64(_ count: UInt32) -> UInt64 { count > 63 ? ~0 : (1 &<< UInt64(count)) &- 1 }

@inline(__always)
func reversed(_ value: UInt32) -> UInt32 {
    var x = value.byteSwapped
    x = (x & 0x0f0f_0f0f) &<< 4 | (x &>> 4) & 0x0f0f_0f0f
    x = (x & 0x3333_3333) &<< 2 | (x &>> 2) & 0x3333_3333
    return (x & 0x5555_5555) &<< 1 | (x &>> 1) & 0x5555_5555
}

@inline(__always)
func reversed(_ value: UInt64) -> UInt64 {
    let low = UInt64(reversed(UInt32(truncatingIfNeeded: value)))
    return low &<< 32 | UInt64(reversed(UInt32(truncatingIfNeeded: value &>> 32)))
}

/// The highest one of `value`, all ones when there is none.
@inline(__always)
func position<T: FixedWidthInteger>(_ value: T) -> UInt32 {
    value == 0 ? ~0 : UInt32(truncatingIfNeeded: T.bitWidth &- 1 &- value.leadingZeroBitCount)
}

/// How far to shift left to bring the highest one to the top.
@inline(__always)
func shiftAmount<T: FixedWidthInteger>(_ value: T) -> UInt32 {
    value == 0 ? ~0 : UInt32(truncatingIfNeeded: value.leadingZeroBitCount)
}

/// `length` bits of `a` from bit `start`, the sign extended; bits beyond the top repeat it.
@inline(__always)
func field(_ a: Int32, _ start: UInt32, _ length: UInt32) -> Int32 {
    if length == 0 { return 0 }
    if start > 31 { return a &>> 31 }
    let shifted = a &>> Int32(bitPattern: start)
    if length >= 32 &- start { return shifted }
    let unused = Int32(bitPattern: 32 &- length)
    return (shifted &<< unused) &>> unused
}

@inline(__always)
func field(_ a: Int64, _ start: Int64, _ length: Int64) -> Int64 {
    if length == 0 { return 0 }
    if start > 63 { return a &>> 63 }
    let shifted = a &>> start
    if length >= 64 &- start { return shifted }
    let unused = 64 &- length
    return (shifted &<< unused) &>> unused
}

/// `b` with the low `length` bits of `a` at bit `start`.
@inline(__always)
func insert(_ a: UInt32, _ b: UInt32, _ start: UInt32, _ length: UInt32) -> UInt32 {
    if start > 31 { return b }
    let mask = ones32(length) &<< start
    return (b & ~mask) | ((a &<< start) & mask)
}

@inline(__always)
func insert(_ a: UInt64, _ b: UInt64, _ start: UInt32, _ length: UInt32) -> UInt64 {
    if start > 63 { return b }
    let mask = ones64(length) &<< UInt64(start)
    return (b & ~mask) | ((a &<< UInt64(start)) & mask)
}

/// `lop3`: `table` has the result for each combination of bits.
@inline(__always)
func lookup(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ table: UInt32) -> UInt32 {
    var result: UInt32 = 0
    result |= (table & 0x01 != 0) ? ~a & ~b & ~c : 0
    result |= (table & 0x02 != 0) ? ~a & ~b & c : 0
    result |= (table & 0x04 != 0) ? ~a & b & ~c : 0
    result |= (table & 0x08 != 0) ? ~a & b & c : 0
    result |= (table & 0x10 != 0) ? a & ~b & ~c : 0
    result |= (table & 0x20 != 0) ? a & ~b & c : 0
    result |= (table & 0x40 != 0) ? a & b & ~c : 0
    result |= (table & 0x80 != 0) ? a & b & c : 0
    return result
}

/// `prmt`.
enum PermuteForms {
    static func find(_ operation: Operation) -> Form? {
        var form = Form.ternary32 { w, i in
            let mode = PermuteMode(rawValue: i.instruction.pointee.flags) ?? .bytes
            return map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in permute(a, b, c, mode) }
        }
        let modes: [(String, PermuteMode)] = [
            ("f4e", .forward4), ("b4e", .backward4), ("rc8", .replicate8), ("ecl", .edgeLeft), ("ecr", .edgeRight),
            ("rc16", .replicate16),
        ]
        form.flags = modes.first { operation.has($0.0) }?.1.rawValue ?? 0
        return form
    }

}

/// `dp4a` and `dp2a`: dot products of bytes.
enum DotForms {
    static func find(_ operation: Operation) -> Form? {
        guard operation.types.count == 2 else { return nil }
        var form: Form =
            operation.opcode == "dp4a"
            ? .ternary32 { w, i in
                let flags = i.instruction.pointee.flags
                return map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in
                    var sum = c
                    for byte in 0..<UInt32(4) {
                        sum &+= element(a, byte &* 8, 8, flags & 1) &* element(b, byte &* 8, 8, flags & 2)
                    }
                    return sum
                }
            }
            : .ternary32 { w, i in
                let flags = i.instruction.pointee.flags
                let half = (flags &>> 2) &* 16
                return map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in
                    let low = element(a, 0, 16, flags & 1) &* element(b, half, 8, flags & 2)
                    let high = element(a, 16, 16, flags & 1) &* element(b, half &+ 8, 8, flags & 2)
                    return c &+ low &+ high
                }
            }
        form.flags = (operation.types[0].isSigned ? 1 : 0) | (operation.types[1].isSigned ? 2 : 0)
        form.flags |= operation.has("hi") ? 4 : 0
        return form
    }

}

@inline(__always)
private func permute(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ mode: PermuteMode) -> UInt32 {
    let value = UInt64(b) &<< 32 | UInt64(a)
    var result: UInt32 = 0
    for index in 0..<UInt32(4) {
        let selector = select(c, index, mode)
        var byte = UInt32(truncatingIfNeeded: value &>> UInt64((selector & 7) &* 8)) & 0xff
        if selector & 8 != 0 { byte = byte & 0x80 != 0 ? 0xff : 0 }
        result |= byte &<< (index &* 8)
    }
    return result
}

@inline(__always)
private func select(_ c: UInt32, _ index: UInt32, _ mode: PermuteMode) -> UInt32 {
    let n = c & 3
    switch mode {
    case .bytes: return (c &>> (index &* 4)) & 15
    case .forward4: return n &+ index
    case .backward4: return (n &- index) & 7
    case .replicate8: return n
    case .edgeLeft: return max(n, index)
    case .edgeRight: return min(n, index)
    case .replicate16: return (n & 1) &* 2 &+ (index & 1)
    }
}

@inline(__always)
private func element(_ value: UInt32, _ shift: UInt32, _ bits: UInt32, _ signed: UInt32) -> UInt32 {
    let top = value &<< (32 &- bits &- shift)
    if signed == 0 { return top &>> (32 &- bits) }
    return UInt32(bitPattern: Int32(bitPattern: top) &>> Int32(bitPattern: 32 &- bits))
}

private enum PermuteMode: UInt32 {
    case bytes, forward4, backward4, replicate8, edgeLeft, edgeRight, replicate16
}
