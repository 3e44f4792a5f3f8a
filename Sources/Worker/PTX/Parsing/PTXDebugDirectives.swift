extension PTXCursor {
    /// Skips `.file`, `.loc`, `.pragma` or `.section` with all it governs; returns false at anything else.
    mutating func skipDebugDirective() throws(PTXError) -> Bool {
        if isAt(word: ".loc") {
            try advance()
            try skipLocation()
        } else if isAt(word: ".file") {
            try advance()
            while token.kind == .number || token.kind == .string || isAt(",") { try advance() }
        } else if isAt(word: ".pragma") {
            try skipStatement()
        } else if isAt(word: ".section") {
            while !isAt("{") {
                if isAtEnd || isAt(";") { throw unexpected("'{' after '.section'") }
                try advance()
            }
            _ = try takeBraces()
        } else {
            return false
        }
        return true
    }

    /// The operands of `.loc`, which no semicolon ends.
    private mutating func skipLocation() throws(PTXError) {
        while token.kind == .number { try advance() }
        while try take(",") {
            let namesFunction = isAt(word: "function_name")
            _ = try expectIdentifier("'function_name' or 'inlined_at' in '.loc'")
            if namesFunction {
                _ = try expectIdentifier("a label after 'function_name'")
                if try take("+") { _ = try expectLiteral("an offset after '+' in '.loc'") }
            }
            while token.kind == .number { try advance() }
        }
    }
}
