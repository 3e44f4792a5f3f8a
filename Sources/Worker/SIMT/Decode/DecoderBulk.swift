internal import PTX

extension Decoder {
    /// `cp.async.bulk…` and `cp.reduce.async.bulk…`. Copies are done at once, so groups of them are always
    /// complete, and what only warms a cache is nothing.
    mutating func decodeBulk(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        if operation.has("commit_group") || operation.has("wait_group") || operation.has("prefetch") { return }
        // Parts of a copy, and forms of newer devices that move rows by index or along the width alone.
        let newer = ["cp_mask", "ignore_oob", "im2col::w", "im2col::w::128", "cta_group::2"]
        guard operation.modifiers.isDisjoint(with: newer),
            !operation.instruction.modifiers.contains(where: { $0.hasPrefix("tile::") }), operands.count >= 2
        else { throw operation.unsupported }
        if operation.has("tensor"), operands.count >= 2 {
            try decodeTensorCopy(operation, operands)
            return
        }
        guard operands.count >= 3, case .address(let to, let toOffset) = operands[0],
            case .address(let from, let fromOffset) = operands[1]
        else { throw syntax("a copy takes two addresses") }
        let spaces = operation.instruction.modifiers.compactMap { PTXStateSpace(word: $0) }
        guard spaces.count == 2 else { throw operation.unsupported }
        var copy = Instruction(BulkHandlers.copy)
        copy.flags = try reduction(operation)
        copy.a = try addressValue(to, toOffset, space: spaces[0])
        copy.b = try addressValue(from, fromOffset, space: spaces[1])
        copy.e = try source(operands[2], .b32)
        try addBarrier(&copy, operation, operands.dropFirst(3).first)
        try addBlocks(&copy, operation, operands.dropFirst(4).first)
        emit(copy)
    }

    /// `[map, {c0, c1}]` on one side, shared memory on the other; then a barrier, offsets of pixels, blocks.
    private mutating func decodeTensorCopy(
        _ operation: Operation, _ operands: [PTXOperand]
    ) throws(PTXError) {
        let isStore = !operation.instruction.modifiers.contains { $0.hasPrefix("mbarrier") }
        let mapOperand = operands[isStore ? 0 : 1]
        let placeOperand = operands[isStore ? 1 : 0]
        guard case .address(.list(let parts), 0) = mapOperand, parts.count == 2,
            case .vector(let coordinates) = parts[1], case .address(let place, let offset) = placeOperand
        else { throw syntax("a tensor copy takes a tensor map with coordinates") }
        guard let rank = (1...5).first(where: { operation.has("\($0)d") }) else { throw operation.unsupported }
        guard coordinates.count == rank else { throw syntax("\(coordinates.count) coordinates for \(rank)") }
        let hasPixels = operation.has(isStore ? "im2col_no_offs" : "im2col")
        guard !hasPixels || rank >= 3 else { throw syntax("pixels of a tensor of \(rank) dimensions") }
        var copy = Instruction(BulkHandlers.tensor)
        copy.flags = try reduction(operation) | (isStore ? BulkHandlers.stores : 0)
        copy.flags |= hasPixels ? BulkHandlers.hasPixels : 0
        copy.immediate = UInt64(rank)
        copy.a = try addressValue(place, offset, space: .shared)
        copy.b = try source(parts[0], .b64)
        copy.e = texturePlace(0)
        try line(up: coordinates, at: copy.e)
        if !isStore {
            var rest = operands.dropFirst(2)
            guard let barrier = rest.popFirst() else { throw syntax("a copy's barrier") }
            try addBarrier(&copy, operation, barrier)
            if hasPixels {
                guard case .vector(let offsets)? = rest.popFirst(), offsets.count == rank - 2 else {
                    throw syntax("\(rank - 2) offsets of pixels")
                }
                try line(up: offsets, at: texturePlace(Int(BulkHandlers.offsetPlace)))
            }
            try addBlocks(&copy, operation, rest.first)
        }
        emit(copy)
    }

    /// The blocks of the cluster that get the bytes.
    private mutating func addBlocks(
        _ copy: inout Instruction, _ operation: Operation, _ operand: PTXOperand?
    ) throws(PTXError) {
        guard operation.has("multicast::cluster") else { return }
        guard let operand else { throw syntax("the blocks of a copy") }
        copy.d = try source(operand, .b32)
        copy.flags |= BulkHandlers.multicasts
    }

    /// The barrier that counts the bytes of a copy to shared memory.
    private mutating func addBarrier(
        _ copy: inout Instruction, _ operation: Operation, _ operand: PTXOperand?
    ) throws(PTXError) {
        guard operation.instruction.modifiers.contains(where: { $0.hasPrefix("mbarrier") }) else { return }
        guard let operand, case .address(let base, let offset) = operand else { throw syntax("a copy's barrier") }
        copy.c = try addressValue(base, offset, space: .shared)
        copy.flags |= BulkHandlers.completes
    }

    private func reduction(_ operation: Operation) throws(PTXError) -> UInt32 {
        guard operation.has("reduce") else { return 0 }
        let operations: [(String, BulkReduction.Operation)] = [
            ("add", .add), ("min", .min), ("max", .max), ("and", .and), ("or", .or), ("xor", .xor),
            ("inc", .increment), ("dec", .decrement),
        ]
        guard let found = operations.first(where: { operation.has($0.0) })?.1 else { throw operation.unsupported }
        // Tensor copies take the element from the map; its type is that of the reduction in all but name.
        let element: BulkElement
        switch operation.type {
        case nil where operation.has("tensor"): element = .u32
        case .u32: element = .u32
        case .s32: element = .s32
        case .u64: element = .u64
        case .s64: element = .s64
        case .f16: element = .f16
        case .bf16: element = .bf16
        case .f32: element = .f32
        case .f64: element = .f64
        case .b32: element = .b32
        case .b64: element = .b64
        default: throw operation.unsupported
        }
        // What a map's elements allow shows when it is read.
        guard operation.has("tensor") || BulkReduction(element: element, operation: found).isKnown else {
            throw operation.unsupported
        }
        return BulkReduction.flags(element, found)
    }
}
