internal import PTX

extension Decoder {
    mutating func decodeControl(_ operation: Operation) throws(PTXError) {
        let operands = operation.instruction.operands
        switch operation.opcode {
        case "bra": try decodeBranch(operation, operands)
        case "brx": try decodeBranchTable(operation, operands)
        case "ret": emit(Instruction(ControlHandlers.ret))
        case "exit": emit(Instruction(ControlHandlers.exit))
        case "trap", "brkpt": emit(Instruction(ControlHandlers.trap))
        case "call": try decodeCall(operation, operands)
        case "bar", "barrier": try decodeBarrier(operation, operands)
        case "nanosleep": emit(Instruction(ControlHandlers.yield))
        case "membar", "fence": emit(Instruction(AtomicHandlers.fence))
        case "createpolicy":
            guard let first = operands.first else { throw operation.unsupported }
            var move = Instruction(MoveHandlers.copy64)
            move.a = constant(0, wide: true)
            move.d = try destination(first, .b64).offset
            emit(move)
        default: emit(Instruction(ControlHandlers.nop))
        }
    }

    private mutating func decodeBranch(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count == 1, case .symbol(let label, _) = operands[0] else {
            throw syntax("bra takes a label")
        }
        guard let predicate = operation.instruction.predicate else {
            try emitBranch(Instruction(ControlHandlers.branch), to: label)
            return
        }
        var branch = Instruction(predicate.isNegated ? ControlHandlers.branchUnless : ControlHandlers.branchIf)
        branch.a = UInt32(registerOffsets[predicate.register])
        try emitBranch(branch, to: label)
    }

    private mutating func decodeBranchTable(
        _ operation: Operation, _ operands: [PTXOperand]
    ) throws(PTXError) {
        guard operands.count == 2, case .symbol(let name, _) = operands[1], let labels = branchTargets[name] else {
            throw syntax("brx.idx takes an index and a list of targets")
        }
        var branch = Instruction(ControlHandlers.branchTable)
        branch.a = try source(operands[0], .b32)
        branch.immediate = UInt64(parts.branchTables.count)
        tableFixups.append((parts.branchTables.count, labels, operation.instruction.position))
        parts.branchTables.append(Array(repeating: 0, count: labels.count))
        emit(branch)
    }

    // MARK: Barriers

    private mutating func decodeBarrier(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        if operation.has("cluster") {
            // A cluster is one block here, so only the block waits; arrive alone has nothing to do.
            if operation.has("arrive") { return }
            var wait = Instruction(BarrierHandlers.block)
            wait.a = constant(0, wide: false)
            wait.b = constant(0, wide: false)
            wait.flags = BarrierForm.wait.rawValue
            emit(wait)
            return
        }
        if operation.has("warp") {
            guard operands.count == 1 else { throw syntax("bar.warp.sync takes a mask") }
            var wait = Instruction(BarrierHandlers.warp)
            wait.a = try source(operands[0], .b32)
            emit(wait)
            return
        }
        if operation.has("red") {
            try decodeReducingBarrier(operation, operands)
            return
        }
        guard operands.count == 1 || operands.count == 2 else { throw syntax("a barrier and a count") }
        var barrier = Instruction(BarrierHandlers.block)
        barrier.a = try source(operands[0], .b32)
        barrier.b = operands.count == 2 ? try source(operands[1], .b32) : constant(0, wide: false)
        barrier.flags = (operation.has("arrive") ? BarrierForm.arrive : .wait).rawValue
        emit(barrier)
    }

    private mutating func decodeReducingBarrier(
        _ operation: Operation, _ operands: [PTXOperand]
    ) throws(PTXError) {
        guard operands.count == 3 || operands.count == 4, let last = operands.last else {
            throw syntax("bar.red takes a result, a barrier and a predicate")
        }
        var barrier = Instruction(BarrierHandlers.block)
        let form: BarrierForm = operation.has("popc") ? .count : operation.has("and") ? .and : .or
        barrier.flags = form.rawValue
        barrier.a = try source(operands[1], .b32)
        barrier.b = operands.count == 4 ? try source(operands[2], .b32) : constant(0, wide: false)
        barrier.c = try source(last, .predicate)
        let target = try destination(operands[0], form == .count ? .b32 : .predicate)
        barrier.d = target.offset
        emit(barrier)
        finish(target)
    }

    // MARK: Calls

    /// `call (results), callee, (arguments){, prototype}`.
    private mutating func decodeCall(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        var rest = operands[...]
        var results: [PTXOperand] = []
        if case .list(let items)? = rest.first {
            results = items
            rest = rest.dropFirst()
        }
        guard let target = rest.popFirst() else { throw syntax("call without a callee") }
        var arguments: [PTXOperand] = []
        if case .list(let items)? = rest.first { arguments = items }
        var site = Function.CallSite(callee: .builtin(.free), arguments: [], results: [])
        for result in results { site.results.append(try localVariable(result)) }
        for argument in arguments { site.arguments.append(try localVariable(argument)) }
        site.callee = try callee(target)
        var call = Instruction(CallHandlers.call)
        call.immediate = UInt64(parts.callSites.count)
        parts.callSites.append(site)
        emit(call)
    }

    private func localVariable(_ operand: PTXOperand) throws(PTXError) -> (offset: Int, byteCount: Int) {
        guard case .variable(let index, let delta) = operand, let offset = variableOffsets[index] else {
            if case .symbol(let name, 0) = operand, let formal = formalOffsets[name] {
                return (formal.offset, formal.byteCount)
            }
            throw PTXError(
                .unsupported, at: current?.position ?? reference.function.position,
                "a call whose arguments are no .param variables")
        }
        // Calls copy these bytes without another check.
        guard delta == 0 else { throw syntax("a call whose argument is a part of a variable") }
        return (offset, body.variables[index].byteCount)
    }

    private mutating func callee(_ operand: PTXOperand) throws(PTXError) -> Function.CallSite.Callee {
        guard case .symbol(let name, _) = operand else {
            return .indirect(register: try source(operand, .b64))
        }
        if case .function(let index) = program.symbol(name, in: reference.module) { return .function(index: index) }
        if let builtin = Builtin(rawValue: name) { return .builtin(builtin) }
        throw PTXError(
            .unsupported, at: current?.position ?? reference.function.position, "call of \(name), which has no body")
    }
}
