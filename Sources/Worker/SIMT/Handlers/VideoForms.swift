internal import PTX

/// Video instructions on packed bytes and halfwords: `vadd4`, `vabsdiff2` and the like.
enum VideoForms {
    /// Bits of ``Instruction/flags``.
    fileprivate enum Flag {
        static let signedA: UInt32 = 1 << 8
        static let signedB: UInt32 = 1 << 9
        static let signedResult: UInt32 = 1 << 10
        static let saturates: UInt32 = 1 << 11
        static let accumulates: UInt32 = 1 << 12
        static let halfwords: UInt32 = 1 << 13
    }

    fileprivate enum Kind: UInt32 {
        case add, subtract, average, absoluteDifference, least, greatest
    }

    static func find(_ operation: Operation) -> Form? {
        let kinds: [(String, Kind)] = [
            ("vadd", .add), ("vsub", .subtract), ("vavrg", .average), ("vabsdiff", .absoluteDifference),
            ("vmin", .least), ("vmax", .greatest),
        ]
        guard let width = operation.opcode.last, width == "2" || width == "4", operation.types.count == 3,
            let kind = kinds.first(where: { operation.opcode == $0.0 + String(width) })?.1
        else { return nil }
        var form = Form.ternary32 { w, i in
            let flags = i.instruction.pointee.flags
            return map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in combined(a, b, c, flags) }
        }
        form.flags = kind.rawValue | (operation.types[1].isSigned ? Flag.signedA : 0)
        form.flags |= operation.types[2].isSigned ? Flag.signedB : 0
        form.flags |= operation.types[0].isSigned ? Flag.signedResult : 0
        form.flags |= operation.has("sat") ? Flag.saturates : 0
        form.flags |= operation.has("add") ? Flag.accumulates : 0
        form.flags |= width == "2" ? Flag.halfwords : 0
        return form
    }
}

private func combined(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ flags: UInt32) -> UInt32 {
    let bits: Int32 = flags & VideoForms.Flag.halfwords != 0 ? 16 : 8
    let isSigned = flags & VideoForms.Flag.signedResult != 0
    let low: Int32 = isSigned ? -(1 &<< (bits &- 1)) : 0
    let high: Int32 = isSigned ? (1 &<< (bits &- 1)) &- 1 : (1 &<< bits) &- 1
    let mask = (UInt32(1) &<< UInt32(bitPattern: bits)) &- 1
    var result: UInt32 = 0
    var sum: Int32 = 0
    for shift in stride(from: Int32(0), to: 32, by: Int(bits)) {
        let x = part(a, shift, bits, flags & VideoForms.Flag.signedA != 0)
        let y = part(b, shift, bits, flags & VideoForms.Flag.signedB != 0)
        var value: Int32
        switch VideoForms.Kind(rawValue: flags & 255) ?? .add {
        case .add: value = x &+ y
        case .subtract: value = x &- y
        case .average: value = (x &+ y &+ (x &+ y >= 0 ? 1 : 0)) &>> 1
        case .absoluteDifference: value = x > y ? x &- y : y &- x
        case .least: value = min(x, y)
        case .greatest: value = max(x, y)
        }
        if flags & VideoForms.Flag.saturates != 0 { value = min(max(value, low), high) }
        sum &+= value
        result |= (UInt32(bitPattern: value) & mask) &<< UInt32(bitPattern: shift)
    }
    // Without `.add`, lanes that a mask leaves out come from c; there is no mask here, so c has no part.
    return flags & VideoForms.Flag.accumulates != 0 ? c &+ UInt32(bitPattern: sum) : result
}

private func part(_ value: UInt32, _ shift: Int32, _ bits: Int32, _ isSigned: Bool) -> Int32 {
    let top = Int32(bitPattern: value &<< UInt32(bitPattern: 32 &- bits &- shift))
    if isSigned { return top &>> (32 &- bits) }
    return Int32(bitPattern: UInt32(bitPattern: top) &>> UInt32(bitPattern: 32 &- bits))
}
