internal import PTX

extension Decoder {
    mutating func decodeConversion(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operation.types.count == 2 else { throw operation.unsupported }
        let (result, type) = (operation.types[0], operation.types[1])
        if [result, type].contains(where: { $0 == .e4m3x2 || $0 == .e5m2x2 }) {
            try decodeByteFloats(operation, operands)
            return
        }
        if result == .f16x2 || result == .bf16x2 {
            try decodePackedConversion(operation, operands)
            return
        }
        guard operands.count == 2, operation.instruction.operands.count == 2 else { throw operation.unsupported }
        guard let from = ConvertHandlers.Format(type), let to = ConvertHandlers.Format(result) else {
            throw operation.unsupported
        }
        if operation.has("relu") || operation.has("rs") { throw operation.unsupported }
        let sourceKind: OperandKind = type.byteCount == 8 ? .b64 : .b32
        let resultKind: OperandKind = result.byteCount == 8 ? .b64 : .b32
        var convert = Instruction(ConvertHandlers.any)
        convert.flags = from.rawValue | to.rawValue << 4
        convert.flags |= Self.rounding(operation, from: type, to: result).rawValue << 8
        convert.flags |= operation.has("sat") || operation.has("satfinite") ? ConvertHandlers.saturates : 0
        convert.flags |= operation.has("ftz") ? ConvertHandlers.flushes : 0
        let isInteger = ["rni", "rzi", "rmi", "rpi"].contains { operation.has($0) }
        convert.flags |= isInteger && result.isFloat ? ConvertHandlers.roundsToInteger : 0
        convert.flags |= operation.has("rna") ? ConvertHandlers.tiesAway : 0
        if let fast = ConvertHandlers.fast(operation, from: type, to: result) { convert.handler = fast }
        let sourceOperandKind = type == .f32 ? OperandKind.f32 : type == .f64 ? .f64 : sourceKind
        convert.a = try source(operands[1], sourceOperandKind)
        let target = try destination(operands[0], resultKind)
        convert.d = target.offset
        emit(convert)
        finish(target, signed: result.isSigned)
    }

    private static func rounding(_ operation: Operation, from: PTXType, to: PTXType) -> RoundingMode {
        let mode = RoundingMode(operation)
        // Without a modifier, a float to an integer goes toward zero.
        let hasMode = ["rn", "rni"].contains { operation.has($0) }
        return mode == .nearest && !hasMode && from.isFloat && !to.isFloat ? .zero : mode
    }

    /// `cvt.rn.f16x2.f32 d, a, b`: a goes to the high half.
    private mutating func decodePackedConversion(
        _ operation: Operation, _ operands: [PTXOperand]
    ) throws(PTXError) {
        guard operands.count == 3, operation.types[1] == .f32, !operation.has("rs") else {
            throw operation.unsupported
        }
        let isBrain = operation.types[0] == .bf16x2
        var convert = Instruction(isBrain ? ConvertHandlers.packBrain : ConvertHandlers.packHalf)
        convert.flags = RoundingMode(operation).rawValue << 8
        convert.flags |= operation.has("relu") ? ConvertHandlers.clampsNegative : 0
        convert.a = try source(operands[1], .f32)
        convert.b = try source(operands[2], .f32)
        let target = try destination(operands[0], .b32)
        convert.d = target.offset
        emit(convert)
        finish(target)
    }

    /// `cvt.rn.satfinite.e4m3x2.f32 d, a, b`, `cvt.rn.satfinite.e4m3x2.f16x2 d, a` and `cvt.rn.f16x2.e4m3x2 d, a`.
    private mutating func decodeByteFloats(
        _ operation: Operation, _ operands: [PTXOperand]
    ) throws(PTXError) {
        let (result, type) = (operation.types[0], operation.types[1])
        let packs = result != .f16x2
        guard operation.has("rn"), !packs || operation.has("satfinite"), operands.count == (type == .f32 ? 3 : 2),
            packs ? type == .f32 || type == .f16x2 : !operation.has("relu")
        else { throw operation.unsupported }
        var convert = Instruction(
            !packs ? ByteFloats.unpack : type == .f32 ? ByteFloats.pack : ByteFloats.packHalves)
        convert.flags = result == .e5m2x2 || type == .e5m2x2 ? ByteFloats.isWide : 0
        convert.flags |= operation.has("relu") ? ConvertHandlers.clampsNegative : 0
        convert.a = try source(operands[1], type == .f32 ? .f32 : .b32)
        if type == .f32 { convert.b = try source(operands[2], .f32) }
        let target = try destination(operands[0], .b32)
        convert.d = target.offset
        emit(convert)
        finish(target)
    }
}
