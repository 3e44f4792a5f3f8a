internal import PTX

extension Decoder {
    /// `atom.op.type d, [a], b{, c}` and `red.op.type [a], b`.
    mutating func decodeAtomic(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        let isReduction = operation.opcode == "red"
        let rest = isReduction ? operands[...] : operands.dropFirst()
        guard rest.count >= 2, let type = operation.type, let kind = OperandKind(type),
            !operation.has("v2"), !operation.has("v4"), !operation.has("v8"), !operation.has("async")
        else { throw operation.unsupported }
        guard let handler = Self.atomicHandler(operation, type) else { throw operation.unsupported }
        let address = try address(rest[rest.startIndex], operation)
        guard address.space != .parameter, address.space != .local || address.flags == 0 else {
            throw operation.unsupported
        }
        var update = Instruction(handler)
        let access = Access(
            space: address.space, sizeShift: type.byteCount.trailingZeroBitCount, isSigned: false,
            isWide: kind.isWide, countShift: 0)
        update.flags = access.bits | address.flags
        update.a = address.register
        update.immediate = address.offset
        let valueKind: OperandKind = kind == .f16 || kind == .bf16 ? .b32 : kind
        update.b = try source(rest[rest.startIndex + 1], valueKind)
        // Some compilers give `exch` and others a third operand only for `cas`.
        update.c =
            operation.has("cas") && rest.count > 2 ? try source(rest[rest.startIndex + 2], valueKind) : update.b
        if isReduction {
            update.flags |= AtomicHandlers.dropsResult
            update.d = kind.isWide ? wideTemporary() : narrowTemporary()
            emit(update)
            return
        }
        if case .sink = operands[0] { update.flags |= AtomicHandlers.dropsResult }
        let target = try destination(operands[0], kind.isWide ? .b64 : .b32)
        update.d = target.offset
        emit(update)
        finish(target)
    }

    private static func atomicHandler(_ operation: Operation, _ type: PTXType) -> Handler? {
        let names = ["add", "and", "or", "xor", "exch", "cas", "inc", "dec", "min", "max"]
        guard let name = names.first(where: { operation.has($0) }) else { return nil }
        switch type {
        case .u32, .s32, .b32: return integer32(name, type)
        case .u64, .s64, .b64: return integer64(name, type)
        case .f32:
            return name == "add"
                ? AtomicHandlers.addFloat
                : name == "min" ? AtomicHandlers.leastFloat : name == "max" ? AtomicHandlers.greatestFloat : nil
        case .f64: return name == "add" ? AtomicHandlers.addDouble : nil
        case .f16x2: return name == "add" ? AtomicHandlers.addHalfPair : nil
        case .bf16x2: return name == "add" ? AtomicHandlers.addBrainPair : nil
        case .f16: return name == "add" ? AtomicHandlers.addHalf : nil
        case .bf16: return name == "add" ? AtomicHandlers.addBrain : nil
        case .b16, .u16, .s16:
            return name == "cas"
                ? AtomicHandlers.compareAndSwap16 : name == "exch" ? AtomicHandlers.exchange16 : nil
        default: return nil
        }
    }

    private static func integer32(_ name: String, _ type: PTXType) -> Handler? {
        switch name {
        case "add": AtomicHandlers.add32
        case "and": AtomicHandlers.and32
        case "or": AtomicHandlers.or32
        case "xor": AtomicHandlers.xor32
        case "exch": AtomicHandlers.exchange32
        case "cas": AtomicHandlers.compareAndSwap32
        case "inc": AtomicHandlers.increment
        case "dec": AtomicHandlers.decrement
        case "min": type == .s32 ? AtomicHandlers.signedLeast32 : AtomicHandlers.least32
        case "max": type == .s32 ? AtomicHandlers.signedGreatest32 : AtomicHandlers.greatest32
        default: nil
        }
    }

    private static func integer64(_ name: String, _ type: PTXType) -> Handler? {
        switch name {
        case "add": AtomicHandlers.add64
        case "and": AtomicHandlers.and64
        case "or": AtomicHandlers.or64
        case "xor": AtomicHandlers.xor64
        case "exch": AtomicHandlers.exchange64
        case "cas": AtomicHandlers.compareAndSwap64
        case "min": type == .s64 ? AtomicHandlers.signedLeast64 : AtomicHandlers.least64
        case "max": type == .s64 ? AtomicHandlers.signedGreatest64 : AtomicHandlers.greatest64
        default: nil
        }
    }
}
