/// What a declaration says before the first name: space, type, vector width, alignment, attributes.
struct PTXDeclarationHead {
    var space: PTXStateSpace
    var type = PTXType.b32
    var reference: PTXVariable.Reference?
    var vectorWidth = 1
    var alignment: Int?
    var linkage = PTXFunction.Linkage.none
    var isManaged = false
    var pointerSpace: PTXStateSpace?

    /// Bytes that one element takes, and its natural alignment.
    var elementByteCount: Int { vectorWidth * type.byteCount }

    func variable(_ name: String, at position: PTXPosition) -> PTXVariable {
        PTXVariable(
            name: name, space: space, type: type, vectorWidth: vectorWidth, elementCount: 1,
            alignment: max(alignment ?? 1, elementByteCount), linkage: linkage, initializers: [],
            isManaged: isManaged, position: position, reference: reference, pointerSpace: pointerSpace)
    }
}

extension PTXCursor {
    /// Reads everything up to the first name, with the state space's directive at hand.
    mutating func declarationHead(linkage: PTXFunction.Linkage) throws(PTXError) -> PTXDeclarationHead {
        guard let space = PTXStateSpace(word: directiveName) else { throw unexpected("a state space") }
        try advance()
        var head = PTXDeclarationHead(space: space, linkage: linkage)
        var hasType = false
        while token.kind == .directive {
            let word = directiveName
            if let type = PTXType(word: word) {
                guard !hasType else { throw unexpected("one type in a declaration") }
                (head.type, hasType) = (type, true)
                try advance()
            } else if let reference = PTXVariable.Reference(word: word) {
                (head.type, head.reference, hasType) = (.b64, reference, true)
                try advance()
            } else {
                try attribute(word, of: &head)
            }
        }
        guard hasType else { throw unexpected("a type in the declaration") }
        return head
    }

    private mutating func attribute(_ word: String, of head: inout PTXDeclarationHead) throws(PTXError) {
        switch word {
        case "v2", "v4", "v8":
            head.vectorWidth = word == "v2" ? 2 : word == "v4" ? 4 : 8
            try advance()
        case "align":
            try advance()
            head.alignment = try alignment()
        case "ptr":
            try advance()
            if token.kind == .directive, let space = PTXStateSpace(word: directiveName) {
                head.pointerSpace = space
                try advance()
            }
            // The alignment behind `.ptr` is that of what the pointer points to.
            if isAt(word: ".align") {
                try advance()
                _ = try alignment()
            }
        case "attribute":
            try advance()
            guard isAt("(") else { throw unexpected("'(' after '.attribute'") }
            head.isManaged = head.isManaged || lexerSeesManaged
            try skipParentheses()
        default:
            throw unexpected("a type or an attribute in the declaration")
        }
    }

    /// Whether `.managed` is the first word of the attribute list at hand.
    private var lexerSeesManaged: Bool {
        var ahead = self
        guard (try? ahead.advance()) != nil else { return false }
        return ahead.isAt(word: ".managed")
    }

    private mutating func alignment() throws(PTXError) -> Int {
        let start = position
        let value = try expectCount("an alignment", maximum: PTXLimits.alignment)
        guard value > 0, value & (value - 1) == 0 else {
            throw PTXError(.syntax, at: start, "an alignment must be a power of two, found \(value)")
        }
        return value
    }

    /// Reads one name with its dimensions and initializer. `name<n>` gives `n` variables.
    mutating func declarator(_ head: PTXDeclarationHead, limit: Int) throws(PTXError) -> [PTXVariable] {
        let start = position
        let name = try expectIdentifier("the name of a \(head.space) variable")
        var variable = head.variable(name, at: start)
        if isAt("<") {
            let count = try rangeCount(limit: limit)
            return (0..<count).map { index in
                variable.name = name + String(index)
                return variable
            }
        }
        let dimensions = try self.dimensions(head, of: name)
        variable.elementCount = dimensions.reduce(1, *)
        if try take("=") {
            var reader = PTXInitializerReader(head: head, dimensions: dimensions)
            try reader.read(&self)
            variable.initializers = reader.values
            if dimensions.first == 0 {
                variable.elementCount = (reader.values.count + head.vectorWidth - 1) / head.vectorWidth
            }
        }
        return [variable]
    }

    /// Reads `<n>`.
    mutating func rangeCount(limit: Int) throws(PTXError) -> Int {
        try expect("<", "before a count")
        let start = position
        guard case .integer(let count, _) = try expectLiteral("a count after '<'") else {
            throw PTXError(.syntax, at: start, "expected an integer count after '<'")
        }
        guard count <= UInt64(max(0, limit)) else {
            throw PTXError(.limit, at: start, "a function may declare at most \(limit) more here, found \(count)")
        }
        try expect(">", "after a count")
        return Int(count)
    }

    private mutating func dimensions(_ head: PTXDeclarationHead, of name: String) throws(PTXError) -> [Int] {
        var dimensions: [Int] = []
        var total = 1
        while isAt("[") {
            let start = position
            try advance()
            if isAt("]"), dimensions.isEmpty {
                dimensions.append(0)
            } else {
                let count = try expectCount("the size of '\(name)'", maximum: UInt64(PTXLimits.variableBytes))
                let (product, overflow) = total.multipliedReportingOverflow(by: count)
                let (bytes, overflowBytes) = product.multipliedReportingOverflow(by: head.elementByteCount)
                guard !overflow, !overflowBytes, bytes <= PTXLimits.variableBytes else {
                    throw PTXError(
                        .limit, at: start, "'\(name)' would take more than \(PTXLimits.variableBytes) bytes")
                }
                total = product
                dimensions.append(count)
            }
            try expect("]", "after the size of '\(name)'")
            guard dimensions.count <= PTXLimits.arrayDimensions else {
                throw PTXError(
                    .limit, at: start, "'\(name)' has more than \(PTXLimits.arrayDimensions) dimensions")
            }
        }
        return dimensions
    }
}

extension PTXVariable.Reference {
    init?(word: String) {
        switch word {
        case "texref": self = .texture
        case "samplerref": self = .sampler
        case "surfref": self = .surface
        default: return nil
        }
    }
}
