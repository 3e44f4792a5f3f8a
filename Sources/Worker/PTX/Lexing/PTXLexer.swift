/// Splits PTX text into tokens, on bytes: no string is made for a token.
///
/// The text stays borrowed for as long as the lexer lives, so a lexer never leaves a `withUnsafeBufferPointer` block.
struct PTXLexer {
    let bytes: UnsafeBufferPointer<UInt8>
    /// Index behind the last byte to read; at most `bytes.count`.
    let end: Int
    private(set) var index: Int
    private(set) var line: Int
    private(set) var lineStart: Int

    /// Reads `range` of the text, whose first byte stands at `position`.
    init(_ bytes: UnsafeBufferPointer<UInt8>, range: Range<Int>, position: PTXPosition) {
        self.bytes = bytes
        end = min(range.upperBound, bytes.count)
        index = max(0, min(range.lowerBound, end))
        line = position.line
        lineStart = index - (position.column - 1)
    }

    /// The byte at `offset`, or 0 outside the text.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        offset < end ? bytes[offset] : 0
    }

    var position: PTXPosition { PTXPosition(line: line, column: index - lineStart + 1) }

    mutating func next() throws(PTXError) -> PTXToken {
        try skipSpace()
        var token = PTXToken(
            kind: .end, byte: 0, start: index, end: index, line: line, lineStart: lineStart)
        guard index < end else { return token }
        let first = bytes[index]
        if first.isPTXLetter || first == UInt8(ascii: "_") || first == UInt8(ascii: "$")
            || (first == UInt8(ascii: "%") && byte(at: index + 1).isPTXWord)
        {
            token.kind = .identifier
            index += 1
            while index < end, bytes[index].isPTXWord { index += 1 }
        } else if first.isPTXDigit {
            token.kind = .number
            skipNumber()
        } else if first == UInt8(ascii: "."), byte(at: index + 1).isPTXWord {
            token.kind = .directive
            skipDirective()
        } else if first == UInt8(ascii: "\"") {
            token.kind = .string
            try skipString()
        } else {
            guard first > 0x20, first < 0x7f else {
                throw PTXError(.syntax, at: position, "found the byte \(first), which PTX does not use here")
            }
            token.kind = .punctuation
            token.byte = first
            index += 1
        }
        token.end = index
        return token
    }

    /// Skips to behind the `}` that closes a `{` already read, and returns the range between them.
    mutating func skipBraces() throws(PTXError) -> Range<Int> {
        let start = index
        let startPosition = position
        var depth = 1
        while index < end {
            switch bytes[index] {
            case UInt8(ascii: "{"):
                depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 {
                    index += 1
                    return start..<(index - 1)
                }
            case UInt8(ascii: "\n"):
                line += 1
                lineStart = index + 1
            case UInt8(ascii: "\""):
                try skipString()
                continue
            case UInt8(ascii: "/"):
                if try skipComment() { continue }
            default:
                break
            }
            index += 1
        }
        throw PTXError(.syntax, at: startPosition, "expected '}' to close this '{', found the end of the text")
    }

    /// Skips the rest of the line, for line-oriented leftovers of old assemblers.
    mutating func skipLine() {
        while index < end, bytes[index] != UInt8(ascii: "\n") { index += 1 }
    }

    private mutating func skipSpace() throws(PTXError) {
        while index < end {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\n") {
                index += 1
                line += 1
                lineStart = index
            } else if byte == 0x20 || (byte >= 9 && byte <= 13) {
                index += 1
            } else if byte == UInt8(ascii: "/") {
                if try !skipComment() { return }
            } else {
                return
            }
        }
    }

    /// Skips a comment that starts here; returns false where none does.
    private mutating func skipComment() throws(PTXError) -> Bool {
        switch byte(at: index + 1) {
        case UInt8(ascii: "/"):
            skipLine()
            return true
        case UInt8(ascii: "*"):
            let start = position
            index += 2
            while index < end {
                let byte = bytes[index]
                if byte == UInt8(ascii: "*"), self.byte(at: index + 1) == UInt8(ascii: "/") {
                    index += 2
                    return true
                }
                index += 1
                if byte == UInt8(ascii: "\n") {
                    line += 1
                    lineStart = index
                }
            }
            throw PTXError(.syntax, at: start, "expected '*/' to close this comment, found the end of the text")
        default:
            return false
        }
    }

    private mutating func skipString() throws(PTXError) {
        let start = position
        index += 1
        while index < end {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return }
            if byte == UInt8(ascii: "\\"), index < end, bytes[index] != UInt8(ascii: "\n") { index += 1 }
            if byte == UInt8(ascii: "\n") {
                line += 1
                lineStart = index
            }
        }
        throw PTXError(.syntax, at: start, "expected '\"' to close this string, found the end of the text")
    }

    private mutating func skipDirective() {
        index += 1
        while index < end {
            if bytes[index].isPTXWord {
                index += 1
            } else if bytes[index] == UInt8(ascii: ":"), byte(at: index + 1) == UInt8(ascii: ":"),
                byte(at: index + 2).isPTXWord
            {
                index += 2
            } else {
                return
            }
        }
    }

    /// Skips digits, prefixes, suffixes, and the fraction and exponent of a decimal number.
    private mutating func skipNumber() {
        var isDecimal = true
        while index < end {
            let byte = bytes[index]
            if byte.isPTXWord {
                let isExponent = isDecimal && byte | 0x20 == UInt8(ascii: "e")
                if !byte.isPTXDigit { isDecimal = isExponent }
                index += 1
                let sign = self.byte(at: index)
                if isExponent, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
                    self.byte(at: index + 1).isPTXDigit
                {
                    index += 1
                }
            } else if byte == UInt8(ascii: "."), isDecimal, !self.byte(at: index + 1).isPTXLetter {
                index += 1
            } else {
                return
            }
        }
    }
}
