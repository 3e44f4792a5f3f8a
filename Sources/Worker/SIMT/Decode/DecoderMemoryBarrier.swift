internal import PTX

extension Decoder {
    /// `mbarrier.op`. A cluster is one block here, so a barrier of the cluster is the block's own.
    mutating func decodeMemoryBarrier(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        if operation.has("pending_count") {
            try emit(Form(.b32, [.b64], MemoryBarrierHandlers.pendingCount), operands)
            return
        }
        if operation.has("init") || operation.has("inval") {
            guard let place = operands.first else { throw syntax("mbarrier takes an address") }
            let handler = operation.has("init") ? MemoryBarrierHandlers.initialize : MemoryBarrierHandlers.invalidate
            try emitBarrier(handler, operation, place, count: operands.count > 1 ? operands[1] : nil, result: nil)
            return
        }
        guard operands.count >= 2 else { throw syntax("mbarrier takes a result and an address") }
        let isArrival = operation.has("arrive") || operation.has("arrive_drop")
        if operation.has("complete_tx") || (operation.has("expect_tx") && !isArrival) {
            let handler =
                operation.has("expect_tx") ? MemoryBarrierHandlers.expect : MemoryBarrierHandlers.complete
            try emitBarrier(handler, operation, operands[0], count: operands[1], result: nil)
            return
        }
        if isArrival {
            let drops = operation.has("arrive_drop")
            let handler =
                operation.has("expect_tx")
                ? (drops ? MemoryBarrierHandlers.expectArriveAndDrop : MemoryBarrierHandlers.expectAndArrive)
                : (drops ? MemoryBarrierHandlers.arriveAndDrop : MemoryBarrierHandlers.arrive)
            try emitBarrier(
                handler, operation, operands[1], count: operands.count > 2 ? operands[2] : nil, result: operands[0])
            return
        }
        guard operation.has("test_wait") || operation.has("try_wait"), operands.count >= 3 else {
            throw operation.unsupported
        }
        let isParity = operation.has("parity")
        var test = Instruction(isParity ? MemoryBarrierHandlers.testParity : MemoryBarrierHandlers.test)
        try setPlace(&test, operands[1], operation)
        test.b = try source(operands[2], isParity ? .b32 : .b64)
        test.d = try destination(operands[0], .predicate).offset
        emit(test)
    }

    private mutating func setPlace(
        _ instruction: inout Instruction, _ operand: PTXOperand, _ operation: Operation
    ) throws(PTXError) {
        let address = try address(operand, operation)
        guard address.space == .shared || address.space == .generic else { throw operation.unsupported }
        let access = Access(space: address.space, sizeShift: 3, isSigned: false, isWide: true, countShift: 0)
        instruction.flags = access.bits | address.flags
        instruction.a = address.register
        instruction.immediate = address.offset
    }

    private mutating func emitBarrier(
        _ handler: @escaping Handler, _ operation: Operation, _ place: PTXOperand, count: PTXOperand?,
        result: PTXOperand?
    ) throws(PTXError) {
        var update = Instruction(handler)
        try setPlace(&update, place, operation)
        if let count { update.b = try source(count, .b32) } else { update.b = constant(1, wide: false) }
        guard let result else {
            update.d = wideTemporary()
            emit(update)
            return
        }
        let target = try destination(result, .b64)
        update.d = target.offset
        emit(update)
        finish(target)
    }

    /// `cp.async.mbarrier.arrive{.noinc}.b64 [a]`: copies are complete, so only the form without `noinc` is nothing.
    mutating func decodeCopyArrival(_ operation: Operation) throws(PTXError) {
        guard operation.has("noinc"), let place = operation.instruction.operands.first else { return }
        try emitBarrier(MemoryBarrierHandlers.arrive, operation, place, count: nil, result: nil)
    }
}
