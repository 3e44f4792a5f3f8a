internal import PTX

extension Decoder {
    mutating func decodeCollective(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        switch operation.opcode {
        case "atom", "red": try decodeAtomic(operation, operands)
        case "shfl": try decodeShuffle(operation, operands)
        case "vote": try decodeVote(operation, operands)
        case "match": try decodeMatch(operation, operands)
        case "redux": try decodeReduction(operation, operands)
        case "activemask":
            guard operands.count == 1 else { throw syntax("activemask takes a result") }
            var read = Instruction(WarpHandlers.activeMask)
            let target = try destination(operands[0], .b32)
            read.d = target.offset
            emit(read)
            finish(target)
        case "elect": try decodeElect(operation, operands)
        case "cp": try decodeAsyncCopy(operation, operands)
        default: throw operation.unsupported
        }
    }

    /// The member mask of a `.sync` instruction; older forms without it gather all lanes of the fragment.
    private mutating func members(_ operand: PTXOperand?) throws(PTXError) -> UInt32 {
        guard let operand else { return constant(0, wide: false) }
        return try source(operand, .b32)
    }

    /// `shfl.sync.mode.b32 d{|p}, a, b, c, members`.
    private mutating func decodeShuffle(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        let isSync = operation.has("sync")
        guard operands.count == (isSync ? 5 : 4) else { throw syntax("shfl takes a value, a lane and a clamp") }
        let modes: [(String, Handler)] = [
            ("up", WarpHandlers.shuffleUp), ("down", WarpHandlers.shuffleDown),
            ("bfly", WarpHandlers.shuffleButterfly), ("idx", WarpHandlers.shuffleIndex),
        ]
        guard let handler = modes.first(where: { operation.has($0.0) })?.1 else { throw operation.unsupported }
        var shuffle = Instruction(handler)
        var value = operands[0]
        var valid = PTXOperand.sink
        if case .pair(let first, let second) = operands[0] {
            value = first
            valid = second
        }
        shuffle.a = try source(operands[1], .b32)
        shuffle.b = try source(operands[2], .b32)
        shuffle.c = try source(operands[3], .b32)
        shuffle.e = try members(isSync ? operands[4] : nil)
        let target = try destination(value, .b32)
        shuffle.d = target.offset
        shuffle.immediate = UInt64(try destination(valid, .predicate).offset)
        emit(shuffle)
        finish(target)
    }

    /// `vote.sync.mode d, p, members`.
    private mutating func decodeVote(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        let isSync = operation.has("sync")
        guard operands.count == (isSync ? 3 : 2) else { throw syntax("vote takes a predicate") }
        var vote = Instruction(WarpHandlers.vote)
        let isBallot = operation.has("ballot")
        let form: WarpHandlers.Vote =
            isBallot ? .ballot : operation.has("all") ? .all : operation.has("any") ? .any : .uniform
        vote.flags = form.rawValue
        vote.a = try source(operands[1], .predicate)
        vote.e = try members(isSync ? operands[2] : nil)
        let target = try destination(operands[0], isBallot ? .b32 : .predicate)
        vote.d = target.offset
        emit(vote)
        finish(target)
    }

    /// `match.any.sync.type d, a, members` and `match.all.sync.type d{|p}, a, members`.
    private mutating func decodeMatch(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count == 3, let type = operation.type else { throw syntax("match takes a value and a mask") }
        let isWide = type.byteCount == 8
        var match = Instruction(isWide ? WarpHandlers.match64 : WarpHandlers.match32)
        var value = operands[0]
        var flag = PTXOperand.sink
        if case .pair(let first, let second) = operands[0] {
            value = first
            flag = second
        }
        match.flags = operation.has("all") ? 1 : 0
        match.a = try source(operands[1], isWide ? .b64 : .b32)
        match.e = try members(operands[2])
        let target = try destination(value, .b32)
        match.d = target.offset
        match.immediate = UInt64(try destination(flag, .predicate).offset)
        emit(match)
        finish(target)
    }

    private mutating func decodeReduction(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count == 3, let type = operation.type else { throw syntax("redux takes a value and a mask") }
        let names: [(String, WarpHandlers.Reduction)] = [
            ("add", .add), ("and", .and), ("or", .or), ("xor", .xor),
            ("min", type == .s32 ? .signedLeast : .least), ("max", type == .s32 ? .signedGreatest : .greatest),
        ]
        guard type != .f32, let form = names.first(where: { operation.has($0.0) })?.1 else {
            throw operation.unsupported
        }
        var reduce = Instruction(WarpHandlers.reduce)
        reduce.flags = form.rawValue
        reduce.a = try source(operands[1], .b32)
        reduce.e = try members(operands[2])
        let target = try destination(operands[0], .b32)
        reduce.d = target.offset
        emit(reduce)
        finish(target)
    }

    /// `elect.sync d|p, members`.
    private mutating func decodeElect(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count == 2, case .pair(let lane, let flag) = operands[0] else {
            throw syntax("elect takes a lane and a predicate")
        }
        var elect = Instruction(WarpHandlers.elect)
        elect.e = try members(operands[1])
        let target = try destination(lane, .b32)
        elect.d = target.offset
        elect.immediate = UInt64(try destination(flag, .predicate).offset)
        emit(elect)
        finish(target)
    }

    // MARK: cp.async

    /// `cp.async` copies at once, so groups of it are always complete.
    private mutating func decodeAsyncCopy(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operation.has("async") else { throw operation.unsupported }
        if operation.has("bulk") {
            try decodeBulk(operation, operands)
            return
        }
        if operation.opcode == "cp", operation.instruction.modifiers.contains(where: { $0.hasPrefix("mbarrier") }) {
            try decodeCopyArrival(operation)
            return
        }
        if operation.has("commit_group") || operation.has("wait_group") || operation.has("wait_all") { return }
        guard operands.count >= 3, case .integer(let size) = operands[2], [4, 8, 16].contains(size),
            case .address(let to, let toOffset) = operands[0], case .address(let from, let fromOffset) = operands[1]
        else { throw operation.unsupported }
        var copy = Instruction(CopyHandlers.copy)
        copy.flags = UInt32(size)
        copy.a = try addressValue(to, toOffset, space: .shared)
        copy.b = try addressValue(from, fromOffset, space: .global)
        copy.c = constant(size, wide: false)
        if operands.count > 3 {
            switch operands[3] {
            case .register(let index) where registerKind(index) == .predicate: throw operation.unsupported
            case .register(let index) where registerKind(index) == .b64: break
            default: copy.c = try source(operands[3], .b32)
            }
        }
        emit(copy)
    }

    /// An address with its offset added, as a 64-bit vector; shared ones become generic.
    mutating func addressValue(
        _ base: PTXOperand, _ offset: Int64, space: PTXStateSpace
    ) throws(PTXError) -> UInt32 {
        var value: UInt32
        switch base {
        case .variable, .symbol: value = try source(base, .b64)
        default: value = try source(base, .b64)
        }
        let window = space == .shared ? Warp.Window.shared << 32 : 0
        let sum = UInt64(bitPattern: offset) &+ window
        if sum != 0 {
            var add = Instruction(MoveHandlers.addWindow)
            add.immediate = sum
            add.a = value
            add.d = wideTemporary()
            emit(add)
            value = add.d
        }
        return value
    }
}
