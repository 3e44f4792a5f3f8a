/// Reads a function from behind `.entry` or `.func` to the end of its body.
struct PTXSignatureReader {
    let linkage: PTXFunction.Linkage
    let isEntry: Bool

    mutating func function(_ cursor: inout PTXCursor) throws(PTXError) -> PTXFunction {
        var isNoReturn = false
        while cursor.token.kind == .directive {
            isNoReturn = isNoReturn || cursor.isAt(word: ".noreturn")
            try cursor.advance()
            if cursor.isAt("(") { try cursor.skipParentheses() }
        }
        let returns = !isEntry && cursor.isAt("(") ? try cursor.parameterList() : []
        let position = cursor.position
        let name = try cursor.expectIdentifier(isEntry ? "the name of a kernel" : "the name of a function")
        let parameters = cursor.isAt("(") ? try cursor.parameterList() : []
        var function = PTXFunction(
            name: name, isEntry: isEntry, linkage: linkage, position: position, returnParameters: returns,
            parameters: parameters, bodyRange: nil, bodyPosition: position, isNoReturn: isNoReturn)
        while !cursor.isAt("{"), !cursor.isAt(";") { try directive(&cursor, of: &function) }
        if cursor.isAt("{") {
            let body = try cursor.takeBraces()
            (function.bodyRange, function.bodyPosition) = (body.range, body.position)
        } else {
            try cursor.advance()
        }
        return function
    }

    /// Reads one directive between the signature and the body.
    private func directive(_ cursor: inout PTXCursor, of function: inout PTXFunction) throws(PTXError) {
        guard cursor.token.kind == .directive else {
            throw cursor.unexpected("'{', ';' or a directive after the signature of '\(function.name)'")
        }
        if try cursor.skipDebugDirective() { return }
        let word = cursor.directiveName
        try cursor.advance()
        switch word {
        case "maxntid": function.maxThreads = try dimensions(&cursor, word)
        case "reqntid": function.requiredThreads = try dimensions(&cursor, word)
        case "reqnctapercluster": function.requiredClusterBlocks = try dimensions(&cursor, word)
        case "minnctapersm":
            function.minBlocksPerMultiprocessor = try count(&cursor, word)
        case "maxnreg": function.maxRegisters = try count(&cursor, word)
        case "noreturn": function.isNoReturn = true
        default:
            // A hint that does not change what the function computes: skip its operands.
            while cursor.token.kind == .number || cursor.token.kind == .string || cursor.isAt(",") {
                try cursor.advance()
            }
            if cursor.isAt("(") { try cursor.skipParentheses() }
        }
    }

    private func count(_ cursor: inout PTXCursor, _ word: String) throws(PTXError) -> Int {
        try cursor.expectCount("the value of '.\(word)'", maximum: PTXLimits.threadsPerDimension)
    }

    private func dimensions(_ cursor: inout PTXCursor, _ word: String) throws(PTXError) -> (x: Int, y: Int, z: Int) {
        let x = try count(&cursor, word)
        let y = try cursor.take(",") ? try count(&cursor, word) : 1
        let z = try cursor.take(",") ? try count(&cursor, word) : 1
        return (x, y, z)
    }
}

extension PTXCursor {
    /// Reads `(.param .u64 a, .param .align 8 .b8 b[16])`.
    mutating func parameterList() throws(PTXError) -> [PTXVariable] {
        try expect("(", "before parameters")
        var parameters: [PTXVariable] = []
        while !isAt(")") {
            guard isAt(word: ".param") || isAt(word: ".reg") else { throw unexpected("'.param' in a parameter list") }
            guard parameters.count < PTXLimits.parameters else {
                throw PTXError(
                    .limit, at: position, "a function may have at most \(PTXLimits.parameters) parameters")
            }
            let head = try declarationHead(linkage: .none)
            let limit = PTXLimits.parameters - parameters.count
            if isAt(",") || isAt(")") {
                // Prototypes may leave names out.
                parameters.append(head.variable("_", at: position))
            } else {
                parameters += try declarator(head, limit: limit)
            }
            guard try take(",") else { break }
        }
        try expect(")", "after parameters")
        return parameters
    }
}
