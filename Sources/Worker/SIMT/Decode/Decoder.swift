internal import PTX

/// Turns the body of one function into instructions.
struct Decoder {
    let program: LoadedProgram
    let reference: LoadedProgram.FunctionReference
    let body: PTXBody
    /// Offsets in shared memory of what this kernel uses.
    let shared: SharedLayout
    let functionIndex: Int

    var parts: Function.Parts
    var labels: [String: Int] = [:]
    var fixups: [(instruction: Int, label: String, position: PTXPosition)] = []
    var tableFixups: [(table: Int, labels: [String], position: PTXPosition)] = []
    var registerOffsets: [Int] = []
    var variableOffsets: [Int: Int] = [:]
    var formalOffsets: [String: Function.Formal] = [:]
    var entryParameters: [String: Int] = [:]
    var constantOffsets: [ConstantKey: UInt32] = [:]
    var narrowTemporaries: [UInt32] = []
    var wideTemporaries: [UInt32] = []
    var usedNarrow = 0
    var usedWide = 0
    /// Places of prepared shared addresses, by the register that they come from, in the current run of code.
    var preparedAddresses: [UInt32: UInt32] = [:]
    var preparedPlaces: [UInt32] = []
    var usedPrepared = 0
    /// Where fragments of matrices are put side by side.
    var fragmentPlaces: UInt32?
    /// Where coordinates and results of textures are put side by side.
    var texturePlaces: UInt32?
    var prototypes: [String: (results: [PTXVariable], parameters: [PTXVariable])] = [:]
    var branchTargets: [String: [String]] = [:]
    var current: PTXInstruction?

    struct ConstantKey: Hashable {
        var isWide: Bool
        var bits: UInt64
    }

    /// Bytes of one warp's registers and constants, far beyond what a compiler needs.
    private static let registerByteCountMax = 64 << 20

    /// The offset of the carry flag, a predicate, in every register file.
    static let carryOffset: UInt32 = 0

    init(
        _ program: LoadedProgram, functionIndex: Int, body: PTXBody, shared: SharedLayout
    ) {
        self.program = program
        self.functionIndex = functionIndex
        reference = program.functions[functionIndex]
        self.body = body
        self.shared = shared
        parts = Function.Parts(name: reference.function.name)
        parts.registerByteCount = 64
    }

    mutating func decode() throws(PTXError) -> Function {
        layOutRegisters()
        try layOutLocals()
        for case .callPrototype(let name, let results, let parameters) in body.statements {
            prototypes[name] = (results, parameters)
        }
        for case .branchTargets(let name, let labels) in body.statements { branchTargets[name] = labels }
        for statement in body.statements {
            switch statement {
            case .label(let name):
                labels[name] = parts.code.count
                forgetPrepared()
            case .instruction(let instruction):
                if usedPrepared > 24 { forgetPrepared() }
                try decode(instruction)
                forgetWritten(instruction)
                guard parts.registerByteCount <= Self.registerByteCountMax else {
                    throw PTXError(.limit, at: instruction.position, "too many registers and constants")
                }
            case .callPrototype, .branchTargets: break
            }
        }
        // A body may end without `ret`.
        emit(Instruction(ControlHandlers.ret))
        try resolveLabels()
        return Function(parts)
    }

    private mutating func forgetPrepared() {
        preparedAddresses.removeAll(keepingCapacity: true)
        usedPrepared = 0
    }

    /// What an instruction may have written is no longer what was prepared.
    private mutating func forgetWritten(_ instruction: PTXInstruction) {
        if preparedAddresses.isEmpty || instruction.opcode == "st" || instruction.opcode == "bra" { return }
        guard let first = instruction.operands.first else { return }
        for register in RegisterAccess.registers(of: first) {
            if body.registers[register].vectorWidth > 1 { forgetPrepared() }
            preparedAddresses[UInt32(registerOffsets[register])] = nil
        }
    }

    private mutating func resolveLabels() throws(PTXError) {
        let stride = MemoryLayout<Instruction>.stride
        for fixup in fixups {
            guard let target = labels[fixup.label] else {
                throw PTXError(.name, at: fixup.position, "no label \(fixup.label)")
            }
            let delta = (target - fixup.instruction) * stride
            parts.code[fixup.instruction].immediate = UInt64(bitPattern: Int64(delta))
        }
        for fixup in tableFixups {
            for (index, label) in fixup.labels.enumerated() {
                guard let target = labels[label] else {
                    throw PTXError(.name, at: fixup.position, "no label \(label)")
                }
                parts.branchTables[fixup.table][index] = target
            }
        }
    }

    // MARK: Layout

    /// Takes room in the register file.
    mutating func reserve(_ byteCount: Int) -> Int {
        let offset = parts.registerByteCount
        parts.registerByteCount += (byteCount + 63) & ~63
        return offset
    }

    private mutating func layOutRegisters() {
        let allocation = RegisterAllocation(body)
        registerOffsets = allocation.offsets.map { $0 + parts.registerByteCount }
        parts.registerByteCount += allocation.byteCount
        parts.registerCount = allocation.registerCount
    }

    private mutating func layOutLocals() throws(PTXError) {
        var end = 0
        func place(_ variable: PTXVariable) throws(PTXError) -> Int {
            let alignment = max(1, variable.alignment)
            let size = variable.elementCount.multipliedReportingOverflow(
                by: variable.vectorWidth * variable.type.byteCount)
            guard !size.overflow, size.partialValue <= 1 << 24, end <= 1 << 24, alignment <= 4096 else {
                throw PTXError(.limit, at: variable.position, "\(variable.name) is too large")
            }
            end = (end + alignment - 1) / alignment * alignment
            defer { end += size.partialValue }
            return end
        }
        if reference.function.isEntry {
            for (parameter, layout) in zip(reference.function.parameters, reference.function.parameterLayout) {
                entryParameters[parameter.name] = layout.offset
            }
        } else {
            for result in reference.function.returnParameters {
                let formal = Function.Formal(offset: try place(result), byteCount: result.byteCount)
                formalOffsets[result.name] = formal
                parts.results.append(formal)
            }
            for parameter in reference.function.parameters {
                let formal = Function.Formal(offset: try place(parameter), byteCount: parameter.byteCount)
                formalOffsets[parameter.name] = formal
                parts.parameters.append(formal)
            }
        }
        for (index, variable) in body.variables.enumerated() {
            switch variable.space {
            case .local, .param: variableOffsets[index] = try place(variable)
            case .shared: break
            default:
                throw PTXError(.unsupported, at: variable.position, "a \(variable.space) variable in a body")
            }
        }
        parts.localByteCount = (end + 15) & ~15
    }

    // MARK: Emission

    @discardableResult
    mutating func emit(_ instruction: Instruction) -> Int {
        parts.code.append(instruction)
        let position = current?.position ?? reference.function.position
        parts.origins.append(Function.Origin(position: position, opcode: currentText))
        return parts.code.count - 1
    }

    var currentText: String {
        guard let current else { return "" }
        return ([current.opcode] + current.modifiers).joined(separator: ".")
    }

    mutating func emitBranch(_ instruction: Instruction, to label: String) throws(PTXError) {
        let index = emit(instruction)
        fixups.append((index, label, current?.position ?? reference.function.position))
    }

    private mutating func decode(_ instruction: PTXInstruction) throws(PTXError) {
        current = instruction
        usedNarrow = 0
        usedWide = 0
        let operation = Operation(instruction)
        guard let predicate = instruction.predicate, instruction.opcode != "bra" else {
            try dispatch(operation)
            return
        }
        let register = UInt32(registerOffsets[predicate.register])
        if Self.isControl(instruction.opcode) {
            // Handlers of control instructions stop the warp, so other lanes go around them.
            var skip = Instruction(predicate.isNegated ? ControlHandlers.branchIf : ControlHandlers.branchUnless)
            skip.a = register
            let index = emit(skip)
            try dispatch(operation)
            let delta = (parts.code.count - index) * MemoryLayout<Instruction>.stride
            parts.code[index].immediate = UInt64(delta)
            return
        }
        var header = Instruction(predicate.isNegated ? ControlHandlers.unless : ControlHandlers.when)
        header.a = register
        let index = emit(header)
        try dispatch(operation)
        parts.code[index].immediate = UInt64(parts.code.count - index - 1)
    }

    private static func isControl(_ opcode: String) -> Bool {
        switch opcode {
        case "ret", "exit", "call", "bar", "barrier", "brx", "trap", "nanosleep", "shfl", "vote", "match", "redux",
            "elect", "ldmatrix", "mma", "stmatrix", "wmma", "brkpt":
            true
        default: false
        }
    }

    private mutating func dispatch(_ operation: Operation) throws(PTXError) {
        switch operation.opcode {
        case "bra", "brx", "ret", "exit", "call", "trap", "brkpt", "bar", "barrier", "nanosleep", "membar", "fence",
            "griddepcontrol", "pmevent", "prefetch", "prefetchu", "discard", "applypriority", "createpolicy",
            "setmaxnreg":
            try decodeControl(operation)
        case "mov", "ld", "ldu", "st", "cvta", "isspacep", "cvt", "selp", "slct", "setp", "set", "testp":
            try decodeMovement(operation)
        case "atom", "red", "shfl", "vote", "match", "redux", "activemask", "elect", "cp":
            try decodeCollective(operation)
        case "mbarrier": try decodeMemoryBarrier(operation)
        case "tex", "tld4", "txq", "suq", "suld", "sust", "sured": try decodeTexture(operation)
        case "mma", "wmma", "ldmatrix", "stmatrix": try decodeTensor(operation)
        default:
            guard let form = try Forms.find(operation) else { throw operation.unsupported }
            try emit(form, operation.instruction.operands)
        }
    }

    /// Emits an instruction whose operands are d followed by the form's sources.
    mutating func emit(_ form: Form, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count == form.sources.count + 1 else {
            throw syntax("\(operands.count) operands for \(currentText)")
        }
        var instruction = Instruction(form.handler)
        instruction.flags = form.flags
        for (index, kind) in form.sources.enumerated() {
            let offset = try source(operands[index + 1], kind)
            switch index {
            case 0: instruction.a = offset
            case 1: instruction.b = offset
            case 2: instruction.c = offset
            default: instruction.e = offset
            }
        }
        let target = try destination(operands[0], form.result)
        instruction.d = target.offset
        emit(instruction)
        if let finish = form.finish {
            var last = Instruction(finish)
            last.d = target.offset
            last.a = target.offset
            emit(last)
        }
        finish(target)
    }

    func syntax(_ message: String) -> PTXError {
        PTXError(.syntax, at: current?.position ?? reference.function.position, message)
    }
}
