/// A lexer with one token read ahead, and the words in which a parser asks for what it expects.
struct PTXCursor {
    private(set) var lexer: PTXLexer
    private(set) var token: PTXToken

    init(_ lexer: PTXLexer) throws(PTXError) {
        var lexer = lexer
        token = try lexer.next()
        self.lexer = lexer
    }

    var position: PTXPosition { token.position }
    var isAtEnd: Bool { token.kind == .end }

    mutating func advance() throws(PTXError) {
        token = try lexer.next()
    }

    // MARK: - Looking at the token

    func isAt(_ punctuation: Unicode.Scalar) -> Bool {
        token.kind == .punctuation && token.byte == UInt8(ascii: punctuation)
    }

    /// Whether the token's text is `word`.
    func isAt(word: StaticString) -> Bool {
        let count = token.end - token.start
        guard count == word.utf8CodeUnitCount else { return false }
        for offset in 0..<count where lexer.bytes[token.start + offset] != word.utf8Start[offset] { return false }
        return true
    }

    /// Whether the identifier at hand is followed by a single colon.
    func isAtLabel() -> Bool {
        guard token.kind == .identifier else { return false }
        var ahead = lexer
        if ahead.byte(at: ahead.index) == UInt8(ascii: ".") { return false }
        guard let next = try? ahead.next() else { return false }
        return next.kind == .punctuation && next.byte == UInt8(ascii: ":")
    }

    /// The token's text.
    var text: String { text(from: token.start) }

    /// The text of a directive without its dot.
    var directiveName: String { text(from: token.start + 1) }

    private func text(from start: Int) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: lexer.bytes[start..<max(start, token.end)]), as: UTF8.self)
    }

    // MARK: - Taking tokens

    /// Takes `punctuation` if it is next.
    mutating func take(_ punctuation: Unicode.Scalar) throws(PTXError) -> Bool {
        guard isAt(punctuation) else { return false }
        try advance()
        return true
    }

    mutating func expect(_ punctuation: Unicode.Scalar, _ context: @autoclosure () -> String) throws(PTXError) {
        guard try take(punctuation) else { throw unexpected("'\(punctuation)' \(context())") }
    }

    mutating func expectIdentifier(_ what: @autoclosure () -> String) throws(PTXError) -> String {
        guard token.kind == .identifier else { throw unexpected(what()) }
        let name = text
        try advance()
        return name
    }

    /// Reads the number at hand.
    mutating func expectLiteral(_ what: @autoclosure () -> String) throws(PTXError) -> PTXLiteral {
        guard token.kind == .number else { throw unexpected(what()) }
        guard let literal = PTXLiteral(lexer.bytes[token.start..<token.end]) else {
            throw PTXError(.syntax, at: position, "expected a number of at most 64 bits, found \(found)")
        }
        try advance()
        return literal
    }

    /// With a `{` at hand: takes everything up to its `}`, and returns the range between the braces.
    mutating func takeBraces() throws(PTXError) -> (range: Range<Int>, position: PTXPosition) {
        guard isAt("{") else { throw unexpected("'{'") }
        let start = lexer.position
        let range = try lexer.skipBraces()
        try advance()
        return (range, start)
    }

    /// With a `(` at hand: takes everything up to its `)`.
    mutating func skipParentheses() throws(PTXError) {
        let start = position
        var depth = 0
        repeat {
            if isAt("(") { depth += 1 }
            if isAt(")") { depth -= 1 }
            guard !isAtEnd else {
                throw PTXError(.syntax, at: start, "expected ')' to close this '(', found the end of the text")
            }
            try advance()
        } while depth > 0
    }

    mutating func skipLine() throws(PTXError) {
        lexer.skipLine()
        try advance()
    }

    /// Takes everything up to and with the next `;`.
    mutating func skipStatement() throws(PTXError) {
        while !isAtEnd {
            if try take(";") { return }
            try advance()
        }
    }

    // MARK: - Errors

    /// The token in quotes, shortened and with unprintable bytes replaced, for a message.
    var found: String {
        if token.kind == .end { return "the end of the text" }
        let limit = min(token.end, token.start + PTXLimits.excerptBytes)
        let printable = lexer.bytes[token.start..<limit].map { $0 >= 0x20 && $0 < 0x7f ? $0 : UInt8(ascii: "?") }
        return "'" + String(decoding: printable, as: UTF8.self) + (limit < token.end ? "…'" : "'")
    }

    func unexpected(_ expected: String) -> PTXError {
        PTXError(.syntax, at: position, "expected \(expected), found \(found)")
    }
}
