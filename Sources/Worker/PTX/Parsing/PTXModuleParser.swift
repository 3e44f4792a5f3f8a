extension PTXModule {
    /// Reads the directives, variables and signatures of `text`; bodies are only delimited. A NUL ends the text.
    public init(parsing text: [UInt8]) throws(PTXError) {
        guard text.count <= PTXLimits.textBytes else {
            throw PTXError(
                .limit, at: PTXPosition(line: 1, column: 1), "a module may have at most \(PTXLimits.textBytes) bytes")
        }
        self = try text.withUnsafeBufferPointer { (bytes) throws(PTXError) -> PTXModule in
            let end = bytes.firstIndex(of: 0) ?? bytes.count
            let lexer = PTXLexer(bytes, range: 0..<end, position: PTXPosition(line: 1, column: 1))
            var parser = try PTXModuleParser(PTXCursor(lexer))
            try parser.parse()
            return parser.module
        }
        self.text = text
    }

    /// The function that a name stands for, through `.alias` directives; nil where none has it.
    public func function(named name: String) -> PTXFunction? {
        switch symbols[name] {
        case .function(let index): functions[index]
        case .alias(let target): if case .function(let index) = symbols[target] { functions[index] } else { nil }
        default: nil
        }
    }
}

/// Reads the top level of a module.
struct PTXModuleParser {
    var cursor: PTXCursor
    var module = PTXModule(
        version: 0, target: 0, addressSize: 64, variables: [], functions: [], text: [], targetSuffix: "", symbols: [:])

    init(_ cursor: PTXCursor) {
        self.cursor = cursor
    }

    mutating func parse() throws(PTXError) {
        guard cursor.isAt(word: ".version") else { throw cursor.unexpected("'.version' at the start of a module") }
        while !cursor.isAtEnd { try item() }
        guard module.target > 0 else { throw cursor.unexpected("a '.target' directive in the module") }
    }

    private mutating func item() throws(PTXError) {
        if cursor.isAt("@") || cursor.isAt(";") {
            // `@@DWARF` lines of old compilers.
            if cursor.isAt("@") { try cursor.skipLine() } else { try cursor.advance() }
            return
        }
        guard cursor.token.kind == .directive else { throw cursor.unexpected("a directive") }
        if try cursor.skipDebugDirective() { return }
        switch cursor.directiveName {
        case "version": try version()
        case "target": try target()
        case "address_size": try addressSize()
        case "alias": try alias()
        default: try declaration()
        }
    }

    // MARK: - Header

    private mutating func version() throws(PTXError) {
        try cursor.advance()
        let digits = cursor.text.split(separator: ".").map { Int($0) }
        guard cursor.token.kind == .number, digits.count == 2, let major = digits[0], let minor = digits[1],
            (1...99).contains(major), (0...99).contains(minor)
        else { throw cursor.unexpected("a version such as 8.5") }
        module.version = major * 10 + minor
        try cursor.advance()
    }

    private mutating func target() throws(PTXError) {
        try cursor.advance()
        let name = cursor.text
        guard cursor.token.kind == .identifier, name.hasPrefix("sm_") else {
            throw cursor.unexpected("a target such as sm_80")
        }
        let digits = name.dropFirst(3).prefix { $0.isNumber }
        guard let number = Int(digits), number > 0, number < 10_000 else {
            throw cursor.unexpected("a target such as sm_80")
        }
        module.target = number
        module.targetSuffix = String(name.dropFirst(3 + digits.count))
        try cursor.advance()
        while try cursor.take(",") { _ = try cursor.expectIdentifier("a target option") }
    }

    private mutating func addressSize() throws(PTXError) {
        try cursor.advance()
        let start = cursor.position
        let size = try cursor.expectCount("an address size", maximum: 64)
        guard size == 64 else {
            throw PTXError(.unsupported, at: start, "'.address_size \(size)' is not supported, only 64")
        }
        module.addressSize = size
    }

    private mutating func alias() throws(PTXError) {
        try cursor.advance()
        let start = cursor.position
        let name = try cursor.expectIdentifier("a name after '.alias'")
        try cursor.expect(",", "after the name in '.alias'")
        let target = try cursor.expectIdentifier("a function in '.alias'")
        try cursor.expect(";", "after '.alias'")
        guard case .function = module.symbols[target] else {
            throw PTXError(.name, at: start, "'.alias' names '\(target)', which is no function declared before")
        }
        module.symbols[name] = .alias(of: target)
    }

    // MARK: - Declarations

    private mutating func declaration() throws(PTXError) {
        var linkage = PTXFunction.Linkage.none
        while cursor.token.kind == .directive, let word = PTXFunction.Linkage(word: cursor.directiveName) {
            linkage = word
            try cursor.advance()
        }
        guard cursor.token.kind == .directive else { throw cursor.unexpected("a declaration") }
        switch cursor.directiveName {
        case "entry", "func":
            let isEntry = cursor.isAt(word: ".entry")
            try cursor.advance()
            var reader = PTXSignatureReader(linkage: linkage, isEntry: isEntry)
            try add(reader.function(&cursor))
        case "global", "const", "shared", "local", "tex":
            try variables(linkage)
        default:
            throw cursor.unexpected("a directive of a module")
        }
    }

    private mutating func variables(_ linkage: PTXFunction.Linkage) throws(PTXError) {
        let head = try cursor.declarationHead(linkage: linkage)
        repeat {
            for variable in try cursor.declarator(head, limit: PTXLimits.variablesPerBody) { try add(variable) }
        } while try cursor.take(",")
        try cursor.expect(";", "after the declaration of a variable")
    }

    private mutating func add(_ variable: PTXVariable) throws(PTXError) {
        switch module.symbols[variable.name] {
        case nil:
            module.symbols[variable.name] = .variable(module.variables.count)
            module.variables.append(variable)
        case .variable(let index) where module.variables[index].linkage == .extern:
            if variable.linkage != .extern { module.variables[index] = variable }
        case .variable where variable.linkage == .extern:
            break
        default:
            throw PTXError(.name, at: variable.position, "'\(variable.name)' is declared twice in the module")
        }
    }

    /// Adds a function; of several declarations the one with a body stays.
    private mutating func add(_ function: PTXFunction) throws(PTXError) {
        switch module.symbols[function.name] {
        case nil:
            module.symbols[function.name] = .function(module.functions.count)
            module.functions.append(function)
        case .function(let index) where module.functions[index].bodyRange == nil:
            if function.bodyRange != nil { module.functions[index] = function }
        case .function where function.bodyRange == nil:
            break
        default:
            throw PTXError(.name, at: function.position, "'\(function.name)' is declared twice in the module")
        }
    }
}
