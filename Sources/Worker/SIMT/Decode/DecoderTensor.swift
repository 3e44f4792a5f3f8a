internal import PTX

extension Decoder {
    mutating func decodeTensor(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        switch operation.opcode {
        case "mma": try decodeMultiply(operation, operands, isOpaque: false)
        case "wmma" where operation.has("mma"): try decodeMultiply(operation, operands, isOpaque: true)
        case "wmma": try decodeFragment(operation, operands)
        case "ldmatrix", "stmatrix": try decodeMatrix(operation, operands)
        default: throw operation.unsupported
        }
    }

    /// Room for fragments: a, b, c and d with 8 registers each.
    private mutating func fragmentPlace(_ index: Int) -> UInt32 {
        let start: UInt32
        if let found = fragmentPlaces { start = found } else { start = UInt32(reserve(32 * 128)) }
        fragmentPlaces = start
        return start + UInt32(index * 8 * 128)
    }

    private func elements(_ operand: PTXOperand) -> [PTXOperand] {
        if case .vector(let parts) = operand { return parts }
        return [operand]
    }

    /// Copies a fragment's registers side by side.
    private mutating func collect(_ parts: [PTXOperand], at start: UInt32) throws(PTXError) {
        for (index, part) in parts.enumerated() {
            var copy = Instruction(MoveHandlers.copy32)
            copy.a = try source(part, .b32)
            copy.d = start + UInt32(index * 128)
            emit(copy)
        }
    }

    private mutating func distribute(_ parts: [PTXOperand], from start: UInt32) throws(PTXError) {
        for (index, part) in parts.enumerated() {
            var copy = Instruction(MoveHandlers.copy32)
            copy.a = start + UInt32(index * 128)
            let target = try destination(part, .b32)
            copy.d = target.offset
            emit(copy)
            finish(target)
        }
    }

    /// `m16n8k16` and the like.
    private static func sizes(_ operation: Operation) -> (m: Int, n: Int, k: Int)? {
        for modifier in operation.instruction.modifiers {
            let numbers = modifier.split { "mnk".contains($0) }.compactMap { Int($0) }
            if modifier.hasPrefix("m"), numbers.count == 3 { return (numbers[0], numbers[1], numbers[2]) }
        }
        return nil
    }

    private static func element(_ type: PTXType) -> TensorElement? {
        switch type {
        case .f16: .f16
        case .bf16: .bf16
        case .tf32: .tf32
        case .f32: .f32
        case .e4m3: .e4m3
        case .e5m2: .e5m2
        case .s8: .s8
        case .u8: .u8
        case .s32: .s32
        default: nil
        }
    }

    private func shape(_ operation: Operation, isOpaque: Bool) throws(PTXError) -> TensorShape {
        guard let sizes = Self.sizes(operation) else { throw operation.unsupported }
        let types = operation.types.compactMap { Self.element($0) }
        guard types.count == operation.types.count, operation.modifiers.isDisjoint(with: ["sp", "and", "xor"]) else {
            throw operation.unsupported
        }
        // d, a, b, c; `wmma.mma` of halves names d and c only.
        let all = types.count == 2 && isOpaque ? [types[0], .f16, .f16, types[1]] : types
        guard all.count == 4 else { throw operation.unsupported }
        var shape = TensorShape(sizes, a: all[1], b: all[2], c: all[3], d: all[0])
        shape.isOpaque = isOpaque
        shape.saturates = operation.has("satfinite")
        let isKnown =
            isOpaque
            ? [[16, 16, 16], [32, 8, 16], [8, 32, 16], [16, 16, 8]].contains([sizes.m, sizes.n, sizes.k])
            : sizes.n == 8 && (sizes.m == 16 || (sizes.m == 8 && all[1].bitCount == 8 && sizes.k == 16))
        let isResult: Bool =
            all[1].isInteger
            ? all[0] == .s32 && all[3] == .s32 && all[2].isInteger && all[1].bitCount == 8 && all[2].bitCount == 8
            : [.f16, .f32].contains(all[0]) && [.f16, .f32].contains(all[3]) && all[1] != .f32
                && (all[1] == all[2] || (all[1].isByteFloat && all[2].isByteFloat))
                && !(isOpaque && all[1].isByteFloat)
        guard isKnown, isResult else { throw operation.unsupported }
        return shape
    }

    private mutating func decodeMultiply(
        _ operation: Operation, _ operands: [PTXOperand], isOpaque: Bool
    ) throws(PTXError) {
        guard operands.count == 4 else { throw syntax("\(currentText) takes four fragments") }
        let fragments = operands.map { elements($0) }
        let shape = try shape(operation, isOpaque: isOpaque)
        func registers(_ count: Int, _ element: TensorElement) -> Int { count / 32 / element.perRegister }
        let needed = [
            registers(shape.m * shape.n, shape.d), registers(shape.m * shape.k, shape.a),
            registers(shape.k * shape.n, shape.b), registers(shape.m * shape.n, shape.c),
        ]
        for (fragment, count) in zip(fragments, needed) {
            guard fragment.count <= 8, count > 0, isOpaque ? fragment.count >= count : fragment.count == count else {
                throw syntax("a fragment of \(fragment.count) registers")
            }
        }
        var multiply = Instruction(TensorHandlers.multiply)
        multiply.a = fragmentPlace(0)
        multiply.b = fragmentPlace(1)
        multiply.c = fragmentPlace(2)
        multiply.d = fragmentPlace(3)
        multiply.e = constant(~0, wide: false)
        multiply.immediate = shape.bits
        try collect(fragments[1], at: multiply.a)
        try collect(fragments[2], at: multiply.b)
        try collect(fragments[3], at: multiply.c)
        emit(multiply)
        try distribute(fragments[0], from: multiply.d)
    }

    /// `ldmatrix.sync.aligned.m8n8.xN{.trans}.shared.b16 {…}, [a]` and `stmatrix … [a], {…}`.
    private mutating func decodeMatrix(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        let isLoad = operation.opcode == "ldmatrix"
        guard operands.count == 2, operation.has("m8n8"), operation.type == .b16 else { throw operation.unsupported }
        let parts = elements(operands[isLoad ? 0 : 1])
        let count = operation.has("x4") ? 4 : operation.has("x2") ? 2 : 1
        guard parts.count == count else { throw syntax("a vector of \(parts.count)") }
        let address = try address(operands[isLoad ? 1 : 0], operation)
        guard address.space == .shared || address.space == .generic else { throw operation.unsupported }
        var move = Instruction(isLoad ? TensorHandlers.loadMatrix : TensorHandlers.storeMatrix)
        let access = Access(space: address.space, sizeShift: 1, isSigned: false, isWide: false, countShift: 0)
        move.flags = access.bits | address.flags
        move.immediate = address.offset
        move.a = address.register
        move.b = UInt32(count)
        move.c = operation.has("trans") ? 1 : 0
        move.d = fragmentPlace(3)
        move.e = constant(~0, wide: false)
        if !isLoad { try collect(parts, at: move.d) }
        emit(move)
        if isLoad { try distribute(parts, from: move.d) }
    }

    /// `wmma.load.a.sync.aligned.row.m16n16k16.global.f16 {…}, [p]{, stride}` and its counterpart `wmma.store.d`.
    private mutating func decodeFragment(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        let isLoad = operation.has("load")
        guard operands.count >= 2, let sizes = Self.sizes(operation), let type = operation.type,
            let element = Self.element(type),
            [[16, 16, 16], [32, 8, 16], [8, 32, 16], [16, 16, 8]].contains([sizes.m, sizes.n, sizes.k])
        else { throw operation.unsupported }
        let parts = elements(operands[isLoad ? 0 : 1])
        let (rows, columns) =
            operation.has("a") ? (sizes.m, sizes.k) : operation.has("b") ? (sizes.k, sizes.n) : (sizes.m, sizes.n)
        let isColumnMajor = operation.has("col")
        guard parts.count <= 8, parts.count * element.perRegister * 32 >= rows * columns else {
            throw syntax("a fragment of \(parts.count) registers")
        }
        let layout = FragmentLayout(
            rows: rows, columns: columns, element: element, isColumnMajor: isColumnMajor,
            registerCount: parts.count)
        let address = try address(operands[isLoad ? 1 : 0], operation)
        guard address.space != .local, address.space != .parameter else { throw operation.unsupported }
        var move = Instruction(isLoad ? TensorHandlers.loadFragment : TensorHandlers.storeFragment)
        let access = Access(space: address.space, sizeShift: 0, isSigned: false, isWide: false, countShift: 0)
        move.flags = access.bits | address.flags
        move.immediate = address.offset
        move.a = address.register
        move.b =
            operands.count > 2
            ? try source(operands[2], .b32) : constant(UInt64(isColumnMajor ? rows : columns), wide: false)
        move.c = layout.bits
        move.d = fragmentPlace(3)
        move.e = constant(~0, wide: false)
        if !isLoad { try collect(parts, at: move.d) }
        emit(move)
        if isLoad { try distribute(parts, from: move.d) }
    }
}
