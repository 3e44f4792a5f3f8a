internal import PTX

extension Decoder {
    /// Where an instruction puts its result, and how it gets from there to a register of another width.
    struct Target {
        var offset: UInt32
        /// The register that the result moves to, when it isn't computed there.
        var final: UInt32?
        var widens = false
    }

    // MARK: Temporaries and constants

    /// A 32-bit vector that lives until the end of the PTX instruction.
    mutating func narrowTemporary() -> UInt32 {
        if usedNarrow == narrowTemporaries.count { narrowTemporaries.append(UInt32(reserve(128))) }
        usedNarrow += 1
        return narrowTemporaries[usedNarrow - 1]
    }

    /// A 64-bit vector that lives until the end of the PTX instruction.
    mutating func wideTemporary() -> UInt32 {
        if usedWide == wideTemporaries.count { wideTemporaries.append(UInt32(reserve(256))) }
        usedWide += 1
        return wideTemporaries[usedWide - 1]
    }

    mutating func constant(_ bits: UInt64, wide: Bool) -> UInt32 {
        let key = ConstantKey(isWide: wide, bits: wide ? bits : bits & 0xffff_ffff)
        if let offset = constantOffsets[key] { return offset }
        let offset = reserve(wide ? 256 : 128)
        parts.constants.append(Function.Constant(offset: offset, isWide: wide, bits: key.bits))
        constantOffsets[key] = UInt32(offset)
        return UInt32(offset)
    }

    // MARK: Registers

    func registerKind(_ register: Int) -> OperandKind? {
        register < body.registers.count ? OperandKind(body.registers[register].type) : nil
    }

    /// The offset and kind of a register or a component of a vector register.
    func register(_ operand: PTXOperand) throws(PTXError) -> (offset: UInt32, kind: OperandKind)? {
        switch operand {
        case .register(let index):
            guard let kind = registerKind(index) else { throw syntax("a 128-bit register") }
            return (UInt32(registerOffsets[index]), kind)
        case .component(let index, let component):
            guard let kind = registerKind(index), component < body.registers[index].vectorWidth else {
                throw syntax("a component that the register doesn't have")
            }
            return (UInt32(registerOffsets[index] + component * (kind.isWide ? 256 : 128)), kind)
        default: return nil
        }
    }

    // MARK: Sources

    /// The offset of a vector that holds an operand, as `kind` wants it.
    mutating func source(_ operand: PTXOperand, _ kind: OperandKind) throws(PTXError) -> UInt32 {
        if let found = try register(operand) {
            if (found.kind == .predicate) != (kind == .predicate) { throw syntax("a predicate and a value mixed") }
            if found.kind == .predicate || found.kind.isWide == kind.isWide { return found.offset }
            var move = Instruction(kind.isWide ? MoveHandlers.zeroExtend : MoveHandlers.truncate)
            move.a = found.offset
            move.d = kind.isWide ? wideTemporary() : narrowTemporary()
            emit(move)
            return move.d
        }
        switch operand {
        case .negated(let index):
            let offset = UInt32(registerOffsets[index])
            guard registerKind(index) == .predicate, kind == .predicate else { throw syntax("a negated value") }
            var not = Instruction(MoveHandlers.notPredicate)
            not.a = offset
            not.d = narrowTemporary()
            emit(not)
            return not.d
        case .special(let name, let component): return try special(name, component, kind)
        case .integer, .float, .double: return try literal(operand, kind)
        case .variable(let index, let offset): return try variableAddress(index, offset, wide: kind.isWide)
        case .symbol(let name, let offset): return try symbolAddress(name, offset, wide: kind.isWide)
        default: throw syntax("an operand that \(currentText) doesn't take")
        }
    }

    private mutating func literal(_ operand: PTXOperand, _ kind: OperandKind) throws(PTXError) -> UInt32 {
        switch (operand, kind) {
        case (.integer(let value), .predicate): return constant(value == 0 ? 0 : ~0, wide: false)
        case (.integer(let value), .b32): return constant(value, wide: false)
        case (.integer(let value), .b64): return constant(value, wide: true)
        case (.float(let bits), .b32), (.float(let bits), .f32): return constant(UInt64(bits), wide: false)
        case (.float(let bits), .b64): return constant(UInt64(bits), wide: true)
        case (.double(let bits), .b64), (.double(let bits), .f64): return constant(bits, wide: true)
        default: break
        }
        let value: Double
        switch operand {
        case .integer(let bits): value = Double(Int64(bitPattern: bits))
        case .float(let bits): value = Double(Float(bitPattern: bits))
        case .double(let bits): value = Double(bitPattern: bits)
        default: throw syntax("a constant that \(currentText) doesn't take")
        }
        switch kind {
        case .f64: return constant(value.bitPattern, wide: true)
        case .f16: return constant(UInt64(Float16(value).bitPattern), wide: false)
        case .bf16: return constant(UInt64(bfloat16(Float(value))), wide: false)
        case .f32, .b32: return constant(UInt64(Float(value).bitPattern), wide: false)
        default: throw syntax("a constant that \(currentText) doesn't take")
        }
    }

    private mutating func localAddress(_ offset: Int, wide: Bool) -> UInt32 {
        var move = Instruction(wide ? MoveHandlers.localAddress64 : MoveHandlers.localAddress32)
        move.immediate = UInt64(bitPattern: Int64(offset))
        move.d = wide ? wideTemporary() : narrowTemporary()
        emit(move)
        return move.d
    }

    private mutating func variableAddress(_ index: Int, _ offset: Int64, wide: Bool) throws(PTXError) -> UInt32 {
        switch try place(of: .variable(index, offset: offset)) {
        case .local(let offset): return localAddress(offset, wide: wide)
        case .shared(let offset): return constant(UInt64(bitPattern: Int64(offset)), wide: wide)
        default: throw syntax("the address of \(body.variables[index].name)")
        }
    }

    private mutating func symbolAddress(_ name: String, _ offset: Int64, wide: Bool) throws(PTXError) -> UInt32 {
        switch try place(of: .symbol(name, offset: offset)) {
        case .local(let offset): return localAddress(offset, wide: wide)
        case .shared(let offset): return constant(UInt64(bitPattern: Int64(offset)), wide: wide)
        case .parameter(let offset): return constant(UInt64(bitPattern: Int64(offset)), wide: wide)
        case .global(let address): return constant(address, wide: wide)
        }
    }

    /// What a name is the address of.
    enum Place {
        case local(Int)
        case shared(Int)
        /// An offset in the launch's parameters.
        case parameter(Int)
        case global(UInt64)
    }

    /// Resolves a variable or a symbol.
    func place(of operand: PTXOperand) throws(PTXError) -> Place {
        switch operand {
        case .variable(let index, let offset):
            if let local = variableOffsets[index] { return .local(local &+ Int(truncatingIfNeeded: offset)) }
            guard let start = shared.offset(function: functionIndex, variable: index) else {
                throw syntax("a variable without a place")
            }
            return .shared(start &+ Int(truncatingIfNeeded: offset))
        case .symbol(let name, let offset):
            let delta = Int(truncatingIfNeeded: offset)
            if let start = entryParameters[name] { return .parameter(start &+ delta) }
            if let formal = formalOffsets[name] { return .local(formal.offset &+ delta) }
            switch program.symbol(name, in: reference.module) {
            case .variable(let address): return .global(address &+ UInt64(bitPattern: offset))
            case .function(let index): return .global(LoadedProgram.address(ofFunction: index))
            case .shared(let index):
                guard let start = shared.offset(module: reference.module, variable: index) else {
                    throw syntax("a variable without a place")
                }
                return .shared(start &+ delta)
            case .dynamicShared: return .shared(shared.dynamicOffset &+ delta)
            case .unresolved, nil:
                throw PTXError(.name, at: current?.position ?? reference.function.position, "no symbol \(name)")
            }
        default: throw syntax("an operand that is no name")
        }
    }

    // MARK: Results

    /// Where a result of `kind` goes; call ``finish(_:)`` after the instruction is emitted.
    mutating func destination(_ operand: PTXOperand, _ kind: OperandKind) throws(PTXError) -> Target {
        if case .sink = operand { return Target(offset: kind.isWide ? wideTemporary() : narrowTemporary()) }
        guard let found = try register(operand) else { throw syntax("a result that is no register") }
        if (found.kind == .predicate) != (kind == .predicate) { throw syntax("a predicate and a value mixed") }
        if kind == .predicate || found.kind.isWide == kind.isWide { return Target(offset: found.offset) }
        return Target(
            offset: kind.isWide ? wideTemporary() : narrowTemporary(), final: found.offset, widens: !kind.isWide)
    }

    /// Emits what moves a result from a temporary to its register.
    mutating func finish(_ target: Target, signed: Bool = false) {
        guard let final = target.final else { return }
        let extend = signed ? MoveHandlers.signExtend : MoveHandlers.zeroExtend
        var move = Instruction(target.widens ? extend : MoveHandlers.truncate)
        move.a = target.offset
        move.d = final
        emit(move)
    }
}
