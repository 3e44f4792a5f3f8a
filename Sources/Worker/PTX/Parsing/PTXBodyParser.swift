extension PTXModule {
    /// Parses the body of a function of this module.
    public func body(of function: PTXFunction) throws(PTXError) -> PTXBody {
        guard let range = function.bodyRange, range.lowerBound >= 0, range.upperBound <= text.count else {
            throw PTXError(.name, at: function.position, "the function '\(function.name)' has no body")
        }
        return try text.withUnsafeBufferPointer { (bytes) throws(PTXError) -> PTXBody in
            let lexer = PTXLexer(bytes, range: range, position: function.bodyPosition)
            var parser = try PTXBodyParser(module: self, function: function, cursor: PTXCursor(lexer))
            try parser.parse()
            return PTXBody(
                registers: parser.registers, variables: parser.variables, statements: parser.statements)
        }
    }
}

/// Reads the statements of one body.
struct PTXBodyParser {
    let module: PTXModule
    let parameterNames: Set<String>
    var cursor: PTXCursor
    var registers: [PTXRegister] = []
    var variables: [PTXVariable] = []
    var statements: [PTXStatement] = []
    private(set) var scopes: [PTXScope]
    private let labels: PTXScopedLabels
    private var openedScopes = 1

    init(module: PTXModule, function: PTXFunction, cursor: PTXCursor) throws(PTXError) {
        self.module = module
        self.cursor = cursor
        labels = try PTXScopedLabels(cursor)
        scopes = [PTXScope(labels: 0)]
        var names: Set<String> = []
        for parameter in function.returnParameters + function.parameters {
            if parameter.space == .reg {
                // A parameter in a register is a register of the body with the same name.
                scopes[0].names[parameter.name] = .register(registers.count)
                registers.append(
                    PTXRegister(
                        name: parameter.name, type: parameter.type, vectorWidth: parameter.vectorWidth))
            } else {
                names.insert(parameter.name)
            }
        }
        parameterNames = names
    }

    mutating func parse() throws(PTXError) {
        while !cursor.isAtEnd { try statement() }
        guard scopes.count == 1 else { throw cursor.unexpected("'}' to close a block") }
    }

    // MARK: - Statements

    private mutating func statement() throws(PTXError) {
        switch cursor.token.kind {
        case .punctuation:
            try punctuation()
        case .directive:
            try directive()
        case .identifier:
            if cursor.isAtLabel() {
                try label()
            } else {
                try instruction(predicate: nil, at: cursor.position)
            }
        default:
            throw cursor.unexpected("an instruction, a label or a directive")
        }
    }

    private mutating func punctuation() throws(PTXError) {
        if try cursor.take(";") { return }
        if cursor.isAt("@") {
            try guarded()
        } else if cursor.isAt("{") {
            scopes.append(PTXScope(labels: openedScopes))
            openedScopes += 1
            guard scopes.count <= PTXLimits.scopeDepth else {
                throw PTXError(.limit, at: cursor.position, "blocks may nest at most \(PTXLimits.scopeDepth) deep")
            }
            try cursor.advance()
        } else if cursor.isAt("}"), scopes.count > 1 {
            scopes.removeLast()
            try cursor.advance()
        } else {
            throw cursor.unexpected("an instruction, a label or a directive")
        }
    }

    private mutating func guarded() throws(PTXError) {
        let start = cursor.position
        try cursor.advance()
        if cursor.isAt("@") {
            try cursor.skipLine()
            return
        }
        let isNegated = try cursor.take("!")
        guard cursor.token.kind == .identifier else { throw cursor.unexpected("a predicate after '@'") }
        guard case .register(let register)? = lookUp() else {
            throw PTXError(.name, at: cursor.position, "the predicate \(cursor.found) is not a declared register")
        }
        try cursor.advance()
        guard cursor.token.kind == .identifier else { throw cursor.unexpected("an instruction after its predicate") }
        try instruction(predicate: .init(register: register, isNegated: isNegated), at: start)
    }

    private mutating func label() throws(PTXError) {
        let name = cursor.text
        let unique = scopes.last.flatMap { labels.uniqueName(name, in: $0.labels) } ?? name
        try cursor.advance()
        try cursor.expect(":", "after a label")
        if cursor.isAt(word: ".callprototype") {
            try callPrototype(unique)
        } else if cursor.isAt(word: ".branchtargets") {
            try cursor.advance()
            statements.append(.branchTargets(name: unique, labels: try labelList()))
        } else if cursor.isAt(word: ".calltargets") {
            // A list of what an indirect call may reach: it only helps an optimizer.
            try cursor.skipStatement()
        } else {
            statements.append(.label(unique))
        }
    }

    private mutating func callPrototype(_ name: String) throws(PTXError) {
        try cursor.advance()
        let returns = cursor.isAt("(") ? try cursor.parameterList() : []
        _ = try cursor.expectIdentifier("'_' in '.callprototype'")
        let parameters = cursor.isAt("(") ? try cursor.parameterList() : []
        // `.noreturn` and the ABI directives do not change how the call is made.
        while cursor.token.kind == .directive || cursor.token.kind == .number { try cursor.advance() }
        try cursor.expect(";", "after '.callprototype'")
        statements.append(.callPrototype(name: name, returnParameters: returns, parameters: parameters))
    }

    private mutating func labelList() throws(PTXError) -> [String] {
        var names: [String] = []
        repeat {
            let start = cursor.position
            let name = try cursor.expectIdentifier("a label in '.branchtargets'")
            guard let unique = label(named: name) else {
                throw PTXError(.name, at: start, "the label '\(name)' is not declared")
            }
            names.append(unique)
        } while try cursor.take(",")
        try cursor.expect(";", "after '.branchtargets'")
        return names
    }

    // MARK: - Declarations

    private mutating func directive() throws(PTXError) {
        if try cursor.skipDebugDirective() { return }
        let linkage: PTXFunction.Linkage = cursor.isAt(word: ".extern") ? .extern : .none
        if linkage == .extern { try cursor.advance() }
        switch cursor.token.kind == .directive ? cursor.directiveName : "" {
        case "reg":
            try registerDeclaration()
        case "local", "shared", "param", "const", "global":
            let head = try cursor.declarationHead(linkage: linkage)
            repeat {
                let limit = PTXLimits.variablesPerBody - variables.count
                guard limit > 0 else {
                    throw PTXError(.limit, at: cursor.position, "a function may declare no more variables")
                }
                for variable in try cursor.declarator(head, limit: limit) {
                    try declare(variable.name, .variable(variables.count), at: variable.position)
                    variables.append(variable)
                }
            } while try cursor.take(",")
            try cursor.expect(";", "after the declaration of a variable")
        case "maxntid", "reqntid", "minnctapersm", "maxnreg":
            throw cursor.unexpected("this directive before the body")
        default:
            throw cursor.unexpected("an instruction, a label or a directive of a body")
        }
    }

    private mutating func registerDeclaration() throws(PTXError) {
        let head = try cursor.declarationHead(linkage: .none)
        repeat {
            let limit = PTXLimits.registersPerBody - registers.count
            guard limit > 0 else {
                throw PTXError(.limit, at: cursor.position, "a function may declare no more registers")
            }
            let start = cursor.token
            let name = try cursor.expectIdentifier("the name of a register")
            let count = cursor.isAt("<") ? try cursor.rangeCount(limit: limit) : nil
            try declareRegisters(name, count, head, at: start)
        } while try cursor.take(",")
        try cursor.expect(";", "after the declaration of registers")
    }

    private mutating func declareRegisters(
        _ name: String, _ count: Int?, _ head: PTXDeclarationHead, at token: PTXToken
    ) throws(PTXError) {
        let first = registers.count
        let register = PTXRegister(name: name, type: head.type, vectorWidth: head.vectorWidth)
        guard let count else {
            try declare(name, .register(first), at: token.position)
            registers.append(register)
            return
        }
        let range = PTXScope.RegisterRange(prefix: token.start..<token.end, first: first, count: count)
        for other in scopes[scopes.count - 1].ranges where sameText(other.prefix, range.prefix) {
            throw PTXError(.name, at: token.position, "'\(name)<\(count)>' is declared twice in one block")
        }
        scopes[scopes.count - 1].ranges.append(range)
        registers.reserveCapacity(first + count)
        for index in 0..<count {
            registers.append(
                PTXRegister(name: name + String(index), type: register.type, vectorWidth: register.vectorWidth))
        }
    }

    private mutating func declare(_ name: String, _ entity: PTXEntity, at position: PTXPosition) throws(PTXError) {
        guard scopes[scopes.count - 1].names.updateValue(entity, forKey: name) == nil else {
            throw PTXError(.name, at: position, "'\(name)' is declared twice in one block")
        }
    }

    // MARK: - Names

    /// What the identifier at hand stands for in the innermost block that declares it.
    func lookUp() -> PTXEntity? {
        let token = cursor.token
        var name: String?
        for scope in scopes.reversed() {
            for range in scope.ranges {
                if let index = index(of: token, in: range) { return .register(range.first + index) }
            }
            guard !scope.names.isEmpty else { continue }
            if name == nil { name = cursor.text }
            if let name, let entity = scope.names[name] { return entity }
        }
        return nil
    }

    /// The unique name of a label that is visible here.
    func label(named name: String) -> String? {
        for scope in scopes.reversed() {
            if let unique = labels.uniqueName(name, in: scope.labels) { return unique }
        }
        return nil
    }

    /// The number behind the prefix of `range`, if the token has that prefix and the number lies in the range.
    private func index(of token: PTXToken, in range: PTXScope.RegisterRange) -> Int? {
        let bytes = cursor.lexer.bytes
        let digits = token.end - token.start - range.prefix.count
        guard digits > 0, digits < 8 else { return nil }
        for offset in 0..<range.prefix.count
        where bytes[token.start + offset] != bytes[range.prefix.lowerBound + offset] { return nil }
        let start = token.end - digits
        guard digits == 1 || bytes[start] != UInt8(ascii: "0") else { return nil }
        var number = 0
        for offset in start..<token.end {
            guard bytes[offset].isPTXDigit else { return nil }
            number = number * 10 + Int(bytes[offset] &- UInt8(ascii: "0"))
        }
        return number < range.count ? number : nil
    }

    private func sameText(_ a: Range<Int>, _ b: Range<Int>) -> Bool {
        a.count == b.count
            && a.indices.allSatisfy { offset in
                cursor.lexer.bytes[offset] == cursor.lexer.bytes[b.lowerBound + (offset - a.lowerBound)]
            }
    }
}
