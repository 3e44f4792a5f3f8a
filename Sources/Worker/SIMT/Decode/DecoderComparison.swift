internal import PTX

extension Decoder {
    mutating func decodeComparison(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        switch operation.opcode {
        case "selp": try decodeSelect(operation, operands)
        case "slct": try decodeSignSelect(operation, operands)
        case "testp": try decodeTest(operation, operands)
        case "setp": try decodeSetPredicate(operation, operands)
        default: try decodeSet(operation, operands)
        }
    }

    private mutating func decodeSelect(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard let type = operation.type, let kind = OperandKind(type), kind != .predicate else {
            throw operation.unsupported
        }
        let handler = kind.isWide ? SelectHandlers.select64 : SelectHandlers.select32
        try emit(Form(kind, [kind, kind, .predicate], handler), operands)
    }

    private mutating func decodeSignSelect(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operation.types.count == 2, let kind = OperandKind(operation.types[0]) else {
            throw operation.unsupported
        }
        let isFloat = operation.types[1] == .f32
        let handler: Handler =
            isFloat
            ? (kind.isWide ? SelectHandlers.floatSelect64 : SelectHandlers.floatSelect32)
            : (kind.isWide ? SelectHandlers.signSelect64 : SelectHandlers.signSelect32)
        try emit(Form(kind, [kind, kind, isFloat ? .f32 : .b32], handler), operands)
    }

    private mutating func decodeTest(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        let classes: [(String, SelectHandlers.FloatClass)] = [
            ("finite", .finite), ("infinite", .infinite), ("number", .number), ("notanumber", .notANumber),
            ("normal", .normal), ("subnormal", .subnormal),
        ]
        guard operands.count == 2, let kind = classes.first(where: { operation.has($0.0) })?.1,
            operation.type == .f32 || operation.type == .f64
        else { throw operation.unsupported }
        var test = Instruction(operation.type == .f64 ? SelectHandlers.test64 : SelectHandlers.test32)
        test.flags = kind.rawValue
        test.a = try source(operands[1], operation.type == .f64 ? .f64 : .f32)
        test.b = test.a
        test.d = try destination(operands[0], .predicate).offset
        emit(test)
    }

    /// Emits the comparison of two operands into a predicate at `offset`.
    private mutating func emitComparison(
        _ operation: Operation, _ type: PTXType, _ a: PTXOperand, _ b: PTXOperand, into offset: UInt32
    ) throws(PTXError) {
        guard let comparison = operation.instruction.modifiers.lazy.compactMap({ Comparison(rawValue: $0) }).first,
            let kind = OperandKind(type), let handler = CompareHandlers.find(comparison, type)
        else { throw operation.unsupported }
        var compare = Instruction(handler)
        compare.flags = CompareHandlers.code(comparison)
        compare.a = try flushedSource(a, kind, operation)
        compare.b = try flushedSource(b, kind, operation)
        compare.d = offset
        emit(compare)
    }

    /// A source of an instruction that may have `.ftz`.
    private mutating func flushedSource(
        _ operand: PTXOperand, _ kind: OperandKind, _ operation: Operation
    ) throws(PTXError) -> UInt32 {
        let offset = try source(operand, kind)
        guard kind == .f32, operation.has("ftz") else { return offset }
        var flush = Instruction(ConvertHandlers.flush)
        flush.a = offset
        flush.d = narrowTemporary()
        emit(flush)
        return flush.d
    }

    /// `setp.cmp{.bool}.type p{|q}, a, b{, c}`.
    private mutating func decodeSetPredicate(
        _ operation: Operation, _ operands: [PTXOperand]
    ) throws(PTXError) {
        guard operands.count >= 3, let type = operation.type else { throw syntax("setp takes three operands") }
        if type == .f16x2 || type == .bf16x2 { throw operation.unsupported }
        var first = operands[0]
        var second = PTXOperand.sink
        if case .pair(let p, let q) = operands[0] {
            first = p
            second = q
        }
        let result = narrowTemporary()
        try emitComparison(operation, type, operands[1], operands[2], into: result)
        var inverse = Instruction(MoveHandlers.notPredicate)
        inverse.a = result
        inverse.d = narrowTemporary()
        let hasSecond: Bool
        if case .sink = second { hasSecond = false } else { hasSecond = true }
        if hasSecond { emit(inverse) }
        try emitBoolean(operation, operands, result, into: first)
        if hasSecond { try emitBoolean(operation, operands, inverse.d, into: second) }
    }

    private mutating func emitBoolean(
        _ operation: Operation, _ operands: [PTXOperand], _ value: UInt32, into operand: PTXOperand
    ) throws(PTXError) {
        if case .sink = operand { return }
        var last = Instruction(MoveHandlers.copyPredicate)
        last.a = value
        last.d = try destination(operand, .predicate).offset
        if operands.count > 3 {
            last.b = try source(operands[3], .predicate)
            last.handler =
                operation.has("and")
                ? MoveHandlers.andPredicate : operation.has("or") ? MoveHandlers.orPredicate : MoveHandlers.xorPredicate
            emit(last)
        } else if parts.code.last?.d == value, operands.count == 3, !isPair(operands[0]) {
            // The comparison writes its own result when nothing follows it.
            parts.code[parts.code.count - 1].d = last.d
        } else {
            emit(last)
        }
    }

    private func isPair(_ operand: PTXOperand) -> Bool {
        if case .pair = operand { return true }
        return false
    }

    /// `set.cmp{.bool}.dtype.stype d, a, b{, c}`: all ones, or 1.0 for a float result.
    private mutating func decodeSet(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count >= 3, operation.types.count == 2 else { throw operation.unsupported }
        let (result, type) = (operation.types[0], operation.types[1])
        if type == .f16x2 || type == .bf16x2 {
            try decodePackedSet(operation, operands)
            return
        }
        let flag = narrowTemporary()
        try emitComparison(operation, type, operands[1], operands[2], into: flag)
        var combined = flag
        if operands.count > 3 {
            var last = Instruction(
                operation.has("and")
                    ? MoveHandlers.andPredicate
                    : operation.has("or") ? MoveHandlers.orPredicate : MoveHandlers.xorPredicate)
            last.a = flag
            last.b = try source(operands[3], .predicate)
            last.d = narrowTemporary()
            emit(last)
            combined = last.d
        }
        var value = Instruction(result.isFloat ? SelectHandlers.one : SelectHandlers.ones)
        switch result {
        case .f32: value.flags = Float(1).bitPattern
        case .f16: value.flags = UInt32(Float16(1).bitPattern)
        case .bf16: value.flags = 0x3f80
        case .u32, .s32, .u16, .s16: break
        default: throw operation.unsupported
        }
        let target = try destination(operands[0], .b32)
        value.a = combined
        value.d = target.offset
        emit(value)
        finish(target)
    }

    /// `set` of a pair: compares halves, and packs 1.0 or all ones for each.
    private mutating func decodePackedSet(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        let (result, type) = (operation.types[0], operation.types[1])
        guard operands.count == 3, result == type || result == .u32 || result == .s32,
            let comparison = operation.instruction.modifiers.lazy.compactMap({ Comparison(rawValue: $0) }).first
        else { throw operation.unsupported }
        let isBrain = type == .bf16x2
        var compare = Instruction(isBrain ? PackedSetHandlers.brain : PackedSetHandlers.half)
        compare.flags = CompareHandlers.code(comparison)
        compare.immediate = result == type ? (isBrain ? 0x3f80 : 0x3c00) : 0xffff
        compare.a = try source(operands[1], .b32)
        compare.b = try source(operands[2], .b32)
        let target = try destination(operands[0], .b32)
        compare.d = target.offset
        emit(compare)
        finish(target)
    }
}

/// `set` of packed 16-bit floats.
enum PackedSetHandlers {
    static let half: Handler = { w, i in set(w, i, HalfFormat.self) }
    static let brain: Handler = { w, i in set(w, i, BrainFormat.self) }

    @inline(__always)
    private static func set<F: SmallFloat>(
        _ w: WarpPointer, _ i: InstructionPointer, _ format: F.Type
    ) -> InstructionPointer? {
        let code = i.instruction.pointee.flags
        let value = UInt32(truncatingIfNeeded: i.instruction.pointee.immediate)
        return map2(w, i) { (a: UInt32, b: UInt32) in
            let low = holds(F.unpack(a & 0xffff), F.unpack(b & 0xffff), code) ? value : 0
            return low | (holds(F.unpack(a &>> 16), F.unpack(b &>> 16), code) ? value : 0) &<< 16
        }
    }

    @inline(__always)
    private static func holds(_ a: Float, _ b: Float, _ code: UInt32) -> Bool {
        code & (a < b ? 1 : a == b ? 2 : a > b ? 4 : 8) != 0
    }
}
