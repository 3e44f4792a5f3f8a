extension PTXBodyParser {
    /// Reads an instruction, with its opcode at hand.
    mutating func instruction(predicate: PTXInstruction.Guard?, at position: PTXPosition) throws(PTXError) {
        let opcode = cursor.text
        try cursor.advance()
        var modifiers: [String] = []
        while cursor.token.kind == .directive {
            guard modifiers.count < PTXLimits.modifiersPerInstruction else {
                throw PTXError(.limit, at: cursor.position, "'\(opcode)' has too many modifiers")
            }
            modifiers.append(cursor.directiveName)
            try cursor.advance()
        }
        var operands: [PTXOperand] = []
        if !cursor.isAt(";") {
            let isCall = opcode == "call"
            repeat {
                guard operands.count < PTXLimits.operandsPerList else {
                    throw PTXError(.limit, at: cursor.position, "'\(opcode)' has too many operands")
                }
                if isCall, cursor.isAt("(") {
                    operands.append(.list(try operandList(upTo: ")", depth: 0)))
                } else {
                    operands.append(try operand(depth: 0))
                }
            } while try cursor.take(",")
        }
        guard try cursor.take(";") else { throw cursor.unexpected("',' or ';' in the operands of '\(opcode)'") }
        statements.append(
            .instruction(
                PTXInstruction(
                    position: position, predicate: predicate, opcode: opcode, modifiers: modifiers,
                    operands: operands)))
    }

    /// Reads `(…)`, `{…}` or `[…]`, with its first punctuation at hand.
    private mutating func operandList(upTo closing: Unicode.Scalar, depth: Int) throws(PTXError) -> [PTXOperand] {
        try checkDepth(depth)
        try cursor.advance()
        var operands: [PTXOperand] = []
        while !cursor.isAt(closing) {
            guard operands.count < PTXLimits.operandsPerList else {
                throw PTXError(.limit, at: cursor.position, "a list of operands is too long")
            }
            operands.append(try operand(depth: depth + 1))
            guard try cursor.take(",") else { break }
        }
        guard try cursor.take(closing) else { throw cursor.unexpected("',' or '\(closing)' in a list of operands") }
        return operands
    }

    private func checkDepth(_ depth: Int) throws(PTXError) {
        guard depth < PTXLimits.operandDepth else {
            throw PTXError(.limit, at: cursor.position, "operands may nest at most \(PTXLimits.operandDepth) deep")
        }
    }

    private mutating func operand(depth: Int) throws(PTXError) -> PTXOperand {
        let first: PTXOperand
        switch cursor.token.kind {
        case .identifier:
            first = try named()
        case .punctuation where cursor.isAt("{"):
            return .vector(try operandList(upTo: "}", depth: depth))
        case .punctuation where cursor.isAt("["):
            return try address(depth: depth)
        default:
            return try constant()
        }
        guard cursor.isAt("|") else { return first }
        try cursor.advance()
        guard cursor.token.kind == .identifier else { throw cursor.unexpected("a register after '|'") }
        return .pair(first, try named())
    }

    // MARK: - Addresses

    private mutating func address(depth: Int) throws(PTXError) -> PTXOperand {
        var parts = try bracketed(depth: depth)
        guard parts.count == 1 else { return .address(.list(parts), offset: 0) }
        switch parts.removeLast() {
        case .variable(let index, let offset): return .address(.variable(index, offset: 0), offset: offset)
        case .symbol(let name, let offset): return .address(.symbol(name, offset: 0), offset: offset)
        case .address(let base, let offset): return .address(base, offset: offset)
        case let base: return .address(base, offset: 0)
        }
    }

    /// Reads `[a]` or `[a, b, …]`; a register with an offset comes back as an address.
    private mutating func bracketed(depth: Int) throws(PTXError) -> [PTXOperand] {
        try checkDepth(depth)
        let start = cursor.position
        try cursor.advance()
        var parts: [PTXOperand] = []
        repeat {
            guard parts.count < PTXLimits.operandDepth else {
                throw PTXError(.limit, at: cursor.position, "an address has too many parts")
            }
            let part = try operand(depth: depth + 1)
            switch part {
            case .register, .component:
                let offset = try cursor.optionalOffset()
                parts.append(offset == 0 ? part : .address(part, offset: offset))
            case .integer, .variable, .symbol, .vector:
                parts.append(part)
            case .address where parts.count > 0:
                parts.append(part)
            default:
                throw PTXError(.syntax, at: start, "expected a register, a name or a number as an address")
            }
        } while try cursor.take(",")
        guard try cursor.take("]") else { throw cursor.unexpected("']' after an address") }
        return parts
    }

    // MARK: - Constants

    private mutating func constant() throws(PTXError) -> PTXOperand {
        var ahead = cursor
        let isNegative = try ahead.take("-")
        let isComplement = isNegative ? false : try ahead.take("!")
        if isNegative || isComplement, ahead.token.kind == .identifier, !ahead.isAt(word: "WARP_SZ") {
            cursor = ahead
            guard case .register(let register) = try named() else {
                throw cursor.unexpected("a register behind a sign")
            }
            return .negated(register)
        }
        if ahead.token.kind == .number {
            switch try ahead.expectLiteral("a number") {
            case .float(let bits):
                cursor = ahead
                return .float(bits ^ (isNegative ? 1 << 31 : 0))
            case .double(let bits):
                cursor = ahead
                return .double(bits ^ (isNegative ? 1 << 63 : 0))
            case .integer(let bits, let isUnsigned) where !isNegative && !isComplement:
                cursor = ahead
                return .integer(try cursor.continueExpression(PTXConstant(bits: bits, isUnsigned: isUnsigned)).bits)
            case .integer:
                break
            }
        }
        return .integer(try cursor.expectInteger("an operand"))
    }

    // MARK: - Names

    /// Reads a register, a variable, a symbol, a label, a special register, `_` or `WARP_SZ`.
    private mutating func named() throws(PTXError) -> PTXOperand {
        switch lookUp() {
        case .register(let index):
            try cursor.advance()
            return try component(of: index)
        case .variable(let index):
            try cursor.advance()
            return .variable(index, offset: try cursor.optionalOffset())
        case nil:
            break
        }
        let position = cursor.position
        if cursor.isAt(word: "_") {
            try cursor.advance()
            return .sink
        }
        if cursor.isAt(word: "WARP_SZ") { return .integer(try cursor.expectInteger("WARP_SZ")) }
        if cursor.lexer.byte(at: cursor.token.start) == UInt8(ascii: "%") { return try special() }
        let name = cursor.text
        let excerpt = cursor.found
        try cursor.advance()
        if let label = label(named: name) { return .symbol(label, offset: 0) }
        guard parameterNames.contains(name) || module.symbols[name] != nil else {
            throw PTXError(.name, at: position, "nothing declares \(excerpt)")
        }
        return .symbol(name, offset: try cursor.optionalOffset())
    }

    private mutating func special() throws(PTXError) -> PTXOperand {
        let name = String(cursor.text.dropFirst())
        guard PTXSpecialRegisters.contains(name) else {
            throw PTXError(.name, at: cursor.position, "the register \(cursor.found) is not declared")
        }
        try cursor.advance()
        guard cursor.token.kind == .directive else { return .special(name: name, component: "") }
        let component = cursor.directiveName
        try cursor.advance()
        return .special(name: name, component: component)
    }

    private mutating func component(of register: Int) throws(PTXError) -> PTXOperand {
        guard cursor.token.kind == .directive else { return .register(register) }
        let index: Int
        switch cursor.directiveName {
        case "x", "r": index = 0
        case "y", "g": index = 1
        case "z", "b": index = 2
        case "w", "a": index = 3
        default:
            throw PTXError(
                .unsupported, at: cursor.position, "the selector \(cursor.found) of a register is not supported")
        }
        let width = registers.indices.contains(register) ? registers[register].vectorWidth : 0
        guard width > 1, index < width else {
            throw PTXError(
                .name, at: cursor.position, "\(cursor.found) is behind a register that has no such component")
        }
        try cursor.advance()
        return .component(register, index)
    }
}
