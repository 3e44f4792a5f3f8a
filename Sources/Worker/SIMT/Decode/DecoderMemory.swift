internal import PTX

extension Decoder {
    /// The address of a memory instruction, decoded.
    struct Address {
        var space: AccessSpace
        /// The register-file offset of the address vector; 0 when the address is frame-relative.
        var register: UInt32 = 0
        var offset: UInt64 = 0
        var flags: UInt32 = 0
        /// A constant offset in the launch's parameters.
        var parameterOffset: Int?
    }

    private static func space(of operation: Operation) -> PTXStateSpace {
        for modifier in operation.modifiers {
            if let space = PTXStateSpace(word: modifier), space != .reg, space != .sreg, space != .tex {
                return space
            }
        }
        return .generic
    }

    mutating func address(_ operand: PTXOperand, _ operation: Operation) throws(PTXError) -> Address {
        guard case .address(let base, let offset) = operand else { throw syntax("an address in brackets") }
        let isEntry = reference.function.isEntry
        var address: Address
        switch Self.space(of: operation) {
        case .global, .const: address = Address(space: .global)
        case .shared: address = Address(space: .shared)
        case .local: address = Address(space: .local)
        case .param: address = Address(space: isEntry ? .parameter : .local)
        default: address = Address(space: .generic)
        }
        address.offset = UInt64(bitPattern: offset)
        if let found = try register(base) {
            guard found.kind != .predicate else { throw syntax("an address in a predicate") }
            address.register = found.offset
            if !found.kind.isWide { address.flags = Access.narrowAddress }
            return try normalized(address, base)
        }
        switch base {
        case .variable, .symbol: try resolve(base, &address)
        case .integer(let value): setConstant(&address, value)
        default: throw syntax("an address of this form")
        }
        return address
    }

    /// Brings the register to the width that fast handlers expect: 32 bits in shared memory, 64 in global.
    private mutating func normalized(_ address: Address, _ base: PTXOperand) throws(PTXError) -> Address {
        var address = address
        let isNarrow = address.flags & Access.narrowAddress != 0
        switch address.space {
        case .shared:
            address.register = preparedAddress(address.register, isWide: !isNarrow)
            address.flags |= Access.narrowAddress
        case .global, .generic:
            if isNarrow { address.register = try source(base, .b64) }
            address.flags &= ~Access.narrowAddress
        case .local, .parameter: break
        }
        return address
    }

    /// The place of addresses in shared memory with what is known of them; computed once in a straight run of code.
    private mutating func preparedAddress(_ register: UInt32, isWide: Bool) -> UInt32 {
        if let place = preparedAddresses[register] { return place }
        var prepare = Instruction(isWide ? SharedHandlers.prepare64 : SharedHandlers.prepare32)
        prepare.a = register
        if usedPrepared == preparedPlaces.count { preparedPlaces.append(UInt32(reserve(SharedAddresses.byteCount))) }
        prepare.d = preparedPlaces[usedPrepared]
        usedPrepared += 1
        emit(prepare)
        // Under a guard only some lanes have it.
        if current?.predicate == nil { preparedAddresses[register] = prepare.d }
        return prepare.d
    }

    private mutating func setConstant(_ address: inout Address, _ value: UInt64) {
        let isNarrow = address.space == .shared
        let place = constant(value &+ address.offset, wide: !isNarrow)
        address.register = isNarrow ? preparedAddress(place, isWide: false) : place
        address.flags = isNarrow ? Access.narrowAddress : 0
        address.offset = 0
    }

    private mutating func resolve(_ base: PTXOperand, _ address: inout Address) throws(PTXError) {
        switch try place(of: base) {
        case .global(let value):
            guard address.space == .global || address.space == .generic else { throw syntax("a global name here") }
            setConstant(&address, value)
        case .shared(let offset):
            guard address.space == .shared || address.space == .generic else { throw syntax("a shared name here") }
            let high = address.space == .generic ? Warp.Window.shared << 32 : 0
            setConstant(&address, high &+ UInt64(bitPattern: Int64(offset)))
        case .local(let offset):
            address.space = .local
            address.flags = Access.frameRelative
            address.offset &+= UInt64(bitPattern: Int64(offset))
        case .parameter(let offset):
            address.space = .parameter
            let sum = offset &+ Int(truncatingIfNeeded: Int64(bitPattern: address.offset))
            address.parameterOffset = sum
            setConstant(&address, UInt64(bitPattern: Int64(offset)))
        }
    }

    /// The element type and vector width of an access.
    private func shape(of operation: Operation) throws(PTXError) -> (type: PTXType, countShift: Int) {
        guard let type = operation.type, type != .pred else { throw operation.unsupported }
        if operation.has("v8") { throw operation.unsupported }
        return (type, operation.has("v4") ? 2 : operation.has("v2") ? 1 : 0)
    }

    // MARK: ld

    mutating func decodeLoad(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count >= 2 else { throw syntax("ld takes two operands") }
        let (type, countShift) = try shape(of: operation)
        let address = try address(operands[1], operation)
        let results: [PTXOperand]
        if case .vector(let parts) = operands[0] { results = parts } else { results = [operands[0]] }
        if type == .b128 { throw operation.unsupported }
        guard results.count == 1 << countShift else { throw syntax("a vector of \(results.count)") }
        var isWide = type.byteCount == 8
        for result in results {
            guard let kind = try register(result)?.kind else { continue }
            guard kind != .predicate, kind.isWide || !isWide else { throw syntax("a load into a narrow register") }
            isWide = kind.isWide
        }
        let access = Access(
            space: address.space, sizeShift: type.byteCount.trailingZeroBitCount, isSigned: type.isSigned,
            isWide: isWide, countShift: countShift)
        var load = Instruction(loadHandler(address, type, isWide: isWide, count: results.count))
        load.flags = access.bits | address.flags
        load.a = address.register
        load.immediate = address.offset
        var targets: [Target] = []
        for result in results { targets.append(try destination(result, isWide ? .b64 : .b32)) }
        load.d = targets[0].offset
        if targets.count > 1 { load.b = targets[1].offset }
        if targets.count > 2 { load.c = targets[2].offset }
        if targets.count > 3 { load.e = targets[3].offset }
        if let offset = address.parameterOffset {
            try emitParameterLoad(load, targets, offset, type)
            return
        }
        emit(load)
        for target in targets { finish(target, signed: type.isSigned) }
    }

    private func loadHandler(_ address: Address, _ type: PTXType, isWide: Bool, count: Int) -> Handler {
        guard type.byteCount == (isWide ? 8 : 4) else { return LoadHandlers.any }
        switch (address.space, count, isWide) {
        case (.generic, 1, false), (.global, 1, false): return LoadHandlers.global32
        case (.generic, 1, true), (.global, 1, true): return LoadHandlers.global64
        case (.generic, 2, false), (.global, 2, false): return LoadHandlers.globalPair32
        case (.generic, 2, true), (.global, 2, true): return LoadHandlers.globalPair64
        case (.generic, 4, false), (.global, 4, false): return LoadHandlers.globalQuad32
        case (.shared, 1, false): return SharedHandlers.load32
        case (.shared, 1, true): return SharedHandlers.load64
        case (.shared, 2, false): return SharedHandlers.loadPair32
        case (.shared, 2, true): return SharedHandlers.loadPair64
        case (.shared, 4, false): return SharedHandlers.loadQuad32
        case (.local, 1, false): return LocalHandlers.load32
        case (.local, 1, true): return LocalHandlers.load64
        default: return LoadHandlers.any
        }
    }

    /// A kernel parameter at a constant offset is one value for all lanes.
    private mutating func emitParameterLoad(
        _ load: Instruction, _ targets: [Target], _ offset: Int, _ type: PTXType
    ) throws(PTXError) {
        let access = Access(bits: load.flags)
        let size = type.byteCount
        let limit = min(reference.function.totalParameterBytes, 1 << 16)
        guard offset >= 0, offset <= limit - targets.count * size else {
            throw syntax("a parameter access outside of the parameters")
        }
        guard offset % size == 0 else { throw syntax("a misaligned parameter access") }
        for (index, target) in targets.enumerated() {
            var fill = load
            fill.handler = access.isWide ? LoadHandlers.parameter64 : LoadHandlers.parameter32
            fill.d = target.offset
            fill.immediate = UInt64(offset + index * size)
            emit(fill)
            finish(target, signed: type.isSigned)
        }
    }

    // MARK: st

    mutating func decodeStore(_ operation: Operation, _ operands: [PTXOperand]) throws(PTXError) {
        guard operands.count >= 2 else { throw syntax("st takes two operands") }
        let (type, countShift) = try shape(of: operation)
        if type == .b128 { throw operation.unsupported }
        let address = try address(operands[0], operation)
        if address.space == .parameter { throw operation.unsupported }
        let values: [PTXOperand]
        if case .vector(let parts) = operands[1] { values = parts } else { values = [operands[1]] }
        guard values.count == 1 << countShift else { throw syntax("a vector of \(values.count)") }
        let isWide = type.byteCount == 8
        let kind = OperandKind(type) ?? .b32
        let access = Access(
            space: address.space, sizeShift: type.byteCount.trailingZeroBitCount, isSigned: false, isWide: isWide,
            countShift: countShift)
        var store = Instruction(storeHandler(address, type, count: values.count))
        store.flags = access.bits | address.flags
        store.a = address.register
        store.immediate = address.offset
        for (index, value) in values.enumerated() {
            let offset = try source(value, kind == .f16 || kind == .bf16 ? .b32 : kind)
            switch index {
            case 0: store.d = offset
            case 1: store.b = offset
            case 2: store.c = offset
            default: store.e = offset
            }
        }
        emit(store)
    }

    private func storeHandler(_ address: Address, _ type: PTXType, count: Int) -> Handler {
        guard type.byteCount >= 4 else { return StoreHandlers.any }
        switch (address.space, count, type.byteCount == 8) {
        case (.generic, 1, false), (.global, 1, false): return StoreHandlers.global32
        case (.generic, 1, true), (.global, 1, true): return StoreHandlers.global64
        case (.generic, 2, false), (.global, 2, false): return StoreHandlers.globalPair32
        case (.generic, 2, true), (.global, 2, true): return StoreHandlers.globalPair64
        case (.generic, 4, false), (.global, 4, false): return StoreHandlers.globalQuad32
        case (.shared, 1, false): return SharedHandlers.store32
        case (.shared, 1, true): return SharedHandlers.store64
        case (.shared, 2, false): return SharedHandlers.storePair32
        case (.shared, 2, true): return SharedHandlers.storePair64
        case (.shared, 4, false): return SharedHandlers.storeQuad32
        case (.local, 1, false): return LocalHandlers.store32
        case (.local, 1, true): return LocalHandlers.store64
        default: return StoreHandlers.any
        }
    }
}
