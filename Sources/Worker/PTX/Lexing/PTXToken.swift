/// A lexical unit of PTX text: of what kind it is, and where it stands.
struct PTXToken {
    enum Kind: UInt8 {
        case end, identifier
        /// `.word`, with `::` inside (`.shared::cta`).
        case directive
        case number, string, punctuation
    }

    var kind: Kind
    /// The byte of a punctuation; 0 for other kinds.
    var byte: UInt8
    var start: Int
    var end: Int
    var line: Int
    /// Index of the first byte of the token's line.
    var lineStart: Int

    var position: PTXPosition { PTXPosition(line: line, column: start - lineStart + 1) }
}

extension UInt8 {
    var isPTXLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }
    var isPTXDigit: Bool { self &- UInt8(ascii: "0") < 10 }
    /// Whether the byte may stand in an identifier after its first byte.
    var isPTXWord: Bool {
        isPTXLetter || isPTXDigit || self == UInt8(ascii: "_") || self == UInt8(ascii: "$")
    }
    /// The value of a hexadecimal digit, or nil.
    var hexadecimalValue: UInt64? {
        if isPTXDigit { return UInt64(self &- UInt8(ascii: "0")) }
        let letter = (self | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? UInt64(letter) + 10 : nil
    }
}
