/// Reads constant expressions: literals, unary and binary operators, parentheses and the casts `(.s64)` and `(.u64)`.
struct PTXConstant {
    var bits: UInt64
    var isUnsigned: Bool
}

extension PTXCursor {
    /// Reads an integer expression; wraps at 64 bits as PTX does.
    mutating func expectInteger(_ what: String) throws(PTXError) -> UInt64 {
        try expression(minimum: 0, depth: 0, what).bits
    }

    /// Reads an expression whose value lies in `0...maximum`.
    mutating func expectCount(_ what: String, maximum: UInt64) throws(PTXError) -> Int {
        let start = position
        let value = try expression(minimum: 0, depth: 0, what)
        guard value.bits <= maximum, value.bits <= UInt64(Int.max) else {
            throw PTXError(.limit, at: start, "\(what) must be at most \(maximum), found \(value.bits)")
        }
        return Int(value.bits)
    }

    /// Reads `+n` or `-n` behind a name or a register; 0 where none stands.
    mutating func optionalOffset() throws(PTXError) -> Int64 {
        if try take("+") {
            return Int64(bitPattern: try expectInteger("an offset after '+'"))
        }
        return isAt("-") ? Int64(bitPattern: try expectInteger("an offset")) : 0
    }

    /// Continues an expression whose first value was already read.
    mutating func continueExpression(_ first: PTXConstant) throws(PTXError) -> PTXConstant {
        try expression(from: first, minimum: 0, depth: 0, "a constant")
    }

    private mutating func expression(minimum: Int, depth: Int, _ what: String) throws(PTXError) -> PTXConstant {
        guard depth < PTXLimits.expressionDepth else {
            throw PTXError(.limit, at: position, "expressions may nest at most \(PTXLimits.expressionDepth) deep")
        }
        let first = try unary(depth: depth + 1, what)
        return try expression(from: first, minimum: minimum, depth: depth, what)
    }

    private mutating func expression(
        from first: PTXConstant, minimum: Int, depth: Int, _ what: String
    ) throws(PTXError) -> PTXConstant {
        var left = first
        while let precedence = operatorPrecedence, precedence > minimum {
            let start = token
            try advance()
            if precedence == 4 { try advance() }
            let right = try expression(minimum: precedence, depth: depth + 1, what)
            left = try Self.apply(start, left, right)
        }
        return left
    }

    /// The precedence of the binary operator at hand, or nil.
    private var operatorPrecedence: Int? {
        guard token.kind == .punctuation else { return nil }
        switch Unicode.Scalar(token.byte) {
        case "|": return 1
        case "^": return 2
        case "&": return 3
        case "<", ">": return lexer.byte(at: token.end) == token.byte ? 4 : nil
        case "+", "-": return 5
        case "*", "/", "%": return 6
        default: return nil
        }
    }

    private mutating func unary(depth: Int, _ what: String) throws(PTXError) -> PTXConstant {
        guard depth < PTXLimits.expressionDepth else {
            throw PTXError(.limit, at: position, "expressions may nest at most \(PTXLimits.expressionDepth) deep")
        }
        if try take("-") {
            let value = try unary(depth: depth + 1, what)
            return PTXConstant(bits: 0 &- value.bits, isUnsigned: value.isUnsigned)
        }
        if try take("+") { return try unary(depth: depth + 1, what) }
        if try take("~") {
            let value = try unary(depth: depth + 1, what)
            return PTXConstant(bits: ~value.bits, isUnsigned: value.isUnsigned)
        }
        if try take("!") {
            let value = try unary(depth: depth + 1, what)
            return PTXConstant(bits: value.bits == 0 ? 1 : 0, isUnsigned: false)
        }
        if try take("(") { return try parenthesized(depth: depth, what) }
        if isAt(word: "WARP_SZ") {
            try advance()
            return PTXConstant(bits: 32, isUnsigned: false)
        }
        let start = position
        switch try expectLiteral(what) {
        case .integer(let bits, let isUnsigned):
            return PTXConstant(bits: bits, isUnsigned: isUnsigned)
        case .float, .double:
            throw PTXError(.syntax, at: start, "expected \(what), found a floating-point constant")
        }
    }

    private mutating func parenthesized(depth: Int, _ what: String) throws(PTXError) -> PTXConstant {
        if isAt(word: ".s64") || isAt(word: ".u64") {
            let isUnsigned = isAt(word: ".u64")
            try advance()
            try expect(")", "after a cast")
            return PTXConstant(bits: try unary(depth: depth + 1, what).bits, isUnsigned: isUnsigned)
        }
        let value = try expression(minimum: 0, depth: depth + 1, what)
        try expect(")", "to close a constant expression")
        return value
    }

    private static func apply(
        _ token: PTXToken, _ left: PTXConstant, _ right: PTXConstant
    ) throws(PTXError) -> PTXConstant {
        let isUnsigned = left.isUnsigned || right.isUnsigned
        let (a, b) = (left.bits, right.bits)
        let (signedA, signedB) = (Int64(bitPattern: a), Int64(bitPattern: b))
        let bits: UInt64
        switch Unicode.Scalar(token.byte) {
        case "|": bits = a | b
        case "^": bits = a ^ b
        case "&": bits = a & b
        case "<": bits = b < 64 ? a << b : 0
        case ">": bits = left.isUnsigned ? (b < 64 ? a >> b : 0) : UInt64(bitPattern: signedA >> min(b, 63))
        case "+": bits = a &+ b
        case "-": bits = a &- b
        case "*": bits = a &* b
        default:
            guard b != 0 else { throw PTXError(.syntax, at: token.position, "a constant is divided by zero") }
            let isQuotient = token.byte == UInt8(ascii: "/")
            if isUnsigned {
                bits = isQuotient ? a / b : a % b
            } else if isQuotient {
                bits = UInt64(bitPattern: signedA.dividedReportingOverflow(by: signedB).partialValue)
            } else {
                bits = UInt64(bitPattern: signedA.remainderReportingOverflow(dividingBy: signedB).partialValue)
            }
        }
        return PTXConstant(bits: bits, isUnsigned: isUnsigned)
    }
}
