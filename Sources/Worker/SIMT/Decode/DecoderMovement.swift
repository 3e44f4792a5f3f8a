internal import PTX

extension Decoder {
    mutating func decodeMovement(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        switch operation.opcode {
        case "mov": try decodeMove(operation, operands)
        case "ld", "ldu": try decodeLoad(operation, operands)
        case "st": try decodeStore(operation, operands)
        case "cvta": try decodeAddressConversion(operation, operands)
        case "isspacep": try decodeSpaceTest(operation, operands)
        case "cvt": try decodeConversion(operation, operands)
        default: try decodeComparison(operation, operands)
        }
    }

    // MARK: mov

    private mutating func decodeMove(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count == 2, let type = operation.type else { throw syntax("mov takes two operands") }
        if case .vector(let parts) = operands[0] {
            try unpack(operands[1], into: parts, type)
            return
        }
        if case .vector(let parts) = operands[1] {
            try pack(parts, into: operands[0], type)
            return
        }
        guard let kind = OperandKind(type) else { throw operation.unsupported }
        if case .special(let name, let component) = operands[1] {
            guard kind != .predicate else { throw syntax("a special register in a predicate") }
            let value = try destination(operands[0], kind)
            try emitSpecial(name, component, wide: kind.isWide, into: value.offset)
            finish(value)
            return
        }
        let handler: Handler =
            kind == .predicate
            ? MoveHandlers.copyPredicate : kind.isWide ? MoveHandlers.copy64 : MoveHandlers.copy32
        try emit(Form(kind, [kind], handler), operands)
    }

    /// `mov.b64 {a, b}, c`: the first element gets the low bits.
    private mutating func unpack(
        _ operand: PTXOperand, into parts: [PTXOperand], _ type: PTXType
    ) throws(PTXError) {
        let bits = type.byteCount * 8 / max(1, parts.count)
        guard let kind = OperandKind(type), kind != .predicate, [8, 16, 32].contains(bits) else {
            throw syntax("mov of a vector")
        }
        let value = try source(operand, kind)
        // Keep the source whole when one of the results is the source's own register.
        let copy = kind.isWide ? wideTemporary() : narrowTemporary()
        var move = Instruction(kind.isWide ? MoveHandlers.copy64 : MoveHandlers.copy32)
        move.a = value
        move.d = copy
        emit(move)
        for (index, part) in parts.enumerated() {
            if case .sink = part { continue }
            let target = try destination(part, .b32)
            var extract = Instruction(kind.isWide ? PackHandlers.extract64 : PackHandlers.extract32)
            extract.a = copy
            extract.d = target.offset
            extract.flags = UInt32(bits)
            extract.immediate = UInt64(index * bits)
            emit(extract)
            finish(target)
        }
    }

    private mutating func pack(
        _ parts: [PTXOperand], into operand: PTXOperand, _ type: PTXType
    ) throws(PTXError) {
        let bits = type.byteCount * 8 / max(1, parts.count)
        guard let kind = OperandKind(type), kind != .predicate, [8, 16, 32].contains(bits) else {
            throw syntax("mov of a vector")
        }
        let sum = kind.isWide ? wideTemporary() : narrowTemporary()
        for (index, part) in parts.enumerated() {
            var insert = Instruction(kind.isWide ? PackHandlers.insert64 : PackHandlers.insert32)
            insert.a = try source(part, .b32)
            insert.b = sum
            insert.d = sum
            insert.flags = UInt32(bits)
            insert.immediate = UInt64(index * bits)
            emit(insert)
        }
        let target = try destination(operand, kind)
        var move = Instruction(kind.isWide ? MoveHandlers.copy64 : MoveHandlers.copy32)
        move.a = sum
        move.d = target.offset
        emit(move)
        finish(target)
    }

    // MARK: Special registers

    mutating func special(_ name: String, _ component: String, _ kind: OperandKind) throws(PTXError) -> UInt32 {
        let wide = kind.isWide
        let offset = wide ? wideTemporary() : narrowTemporary()
        try emitSpecial(name, component, wide: wide, into: offset)
        return offset
    }

    private mutating func emitSpecial(
        _ name: String, _ component: String, wide: Bool, into offset: UInt32
    ) throws(PTXError) {
        let axis: UInt32 = component == "y" ? 1 : component == "z" ? 2 : 0
        let isLaneValue = Self.laneValues[name] != nil || name == "tid"
        let narrow = wide && isLaneValue ? narrowTemporary() : offset
        if name == "tid" {
            var move = Instruction(SpecialHandlers.thread)
            move.immediate = UInt64(axis)
            move.d = narrow
            emit(move)
        } else if let form = Self.laneValues[name] {
            var move = Instruction(SpecialHandlers.lane)
            move.flags = form.rawValue
            move.d = narrow
            emit(move)
        } else if let code = Self.uniform(name, axis) {
            let handler: Handler =
                code.isFixed
                ? (wide ? SpecialHandlers.fixed64 : SpecialHandlers.fixed32)
                : (wide ? SpecialHandlers.uniform64 : SpecialHandlers.uniform32)
            var move = Instruction(handler)
            move.flags = code.rawValue
            move.d = offset
            emit(move)
        } else if let value = Self.fixed(name, axis) {
            var move = Instruction(wide ? MoveHandlers.copy64 : MoveHandlers.copy32)
            move.a = constant(value, wide: wide)
            move.d = offset
            emit(move)
        } else {
            throw PTXError(
                .unsupported, at: current?.position ?? reference.function.position, "special register %\(name)")
        }
        if wide, isLaneValue {
            var extend = Instruction(MoveHandlers.zeroExtend)
            extend.a = narrow
            extend.d = offset
            emit(extend)
        }
    }

    private static let laneValues: [String: SpecialHandlers.LaneValue] = [
        "laneid": .index, "lanemask_eq": .equal, "lanemask_lt": .less, "lanemask_le": .lessOrEqual,
        "lanemask_gt": .greater, "lanemask_ge": .greaterOrEqual,
    ]

    private static func uniform(_ name: String, _ axis: UInt32) -> SpecialHandlers.Uniform? {
        func along(_ first: SpecialHandlers.Uniform) -> SpecialHandlers.Uniform? {
            SpecialHandlers.Uniform(rawValue: first.rawValue + axis)
        }
        switch name {
        case "ctaid", "clusterid": return along(.blockX)
        case "ntid": return along(.blockSizeX)
        case "nctaid", "nclusterid": return along(.gridX)
        case "warpid": return .warpIndex
        case "nwarpid": return .warpCount
        case "smid": return .processor
        case "gridid": return .grid
        case "clock": return .clock
        case "clock_hi": return .clockHigh
        case "clock64": return .clock64
        case "globaltimer": return .globalTimer
        case "globaltimer_lo": return .globalTimerLow
        case "globaltimer_hi": return .globalTimerHigh
        case "dynamic_smem_size": return .dynamicShared
        case "total_smem_size", "aggr_smem_size": return .totalShared
        case "envreg1": return .workspaceHigh
        case "envreg2": return .workspaceLow
        default: return nil
        }
    }

    private static func fixed(_ name: String, _ axis: UInt32) -> UInt64? {
        switch name {
        case "nsmid": return 64
        case "cluster_ctaid", "cluster_ctarank", "is_explicit_cluster": return 0
        case "cluster_nctaid", "cluster_nctarank": return 1
        case "reserved_smem_offset_begin", "reserved_smem_offset_end", "reserved_smem_offset_cap",
            "reserved_smem_offset_0", "reserved_smem_offset_1", "current_graph_exec":
            return 0
        default:
            return name.hasPrefix("envreg") || name.hasPrefix("pm") ? 0 : nil
        }
    }

    // MARK: Addresses

    private static func window(of operation: Operation) -> UInt64? {
        for modifier in operation.modifiers {
            switch PTXStateSpace(word: modifier) {
            case .shared: return Warp.Window.shared
            case .local: return Warp.Window.local
            case .param: return Warp.Window.parameter
            case .global, .const: return 0
            default: continue
            }
        }
        return nil
    }

    private mutating func decodeAddressConversion(
        _ operation: Operation, _ operands: [PTXOperand]
    ) throws(PTXError) {
        guard operands.count == 2, let window = Self.window(of: operation), operation.type == .u64 else {
            throw operation.unsupported
        }
        // A parameter of a device function lies in local memory.
        let isLocalParameter = window == Warp.Window.parameter && !reference.function.isEntry
        let high = (isLocalParameter ? Warp.Window.local : window) << 32
        var add = Instruction(MoveHandlers.addWindow)
        add.immediate = operation.has("to") ? 0 &- high : high
        add.a = try source(operands[1], .b64)
        let target = try destination(operands[0], .b64)
        add.d = target.offset
        emit(add)
        finish(target)
    }

    private mutating func decodeSpaceTest(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count == 2, let window = Self.window(of: operation) else { throw operation.unsupported }
        var test = Instruction(window == 0 ? MoveHandlers.isGlobal : MoveHandlers.isInWindow)
        test.immediate = window
        test.a = try source(operands[1], .b64)
        test.b = test.a
        test.d = try destination(operands[0], .predicate).offset
        emit(test)
    }
}
