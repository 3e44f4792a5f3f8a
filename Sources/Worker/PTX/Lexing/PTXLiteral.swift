/// The value of a numeric token.
enum PTXLiteral: Equatable {
    case integer(UInt64, isUnsigned: Bool)
    case float(UInt32)
    case double(UInt64)
}

extension PTXLiteral {
    /// Reads a number token; returns nil where it is malformed or does not fit 64 bits.
    init?(_ digits: UnsafeBufferPointer<UInt8>.SubSequence) {
        let word = UnsafeBufferPointer(rebasing: digits)
        guard let first = word.first else { return nil }
        guard first == UInt8(ascii: "0"), word.count > 1 else {
            self.init(decimal: word)
            return
        }
        switch word[1] | 0x20 {
        case UInt8(ascii: "x"):
            self.init(word, from: 2, radix: 16)
        case UInt8(ascii: "b"):
            self.init(word, from: 2, radix: 2)
        case UInt8(ascii: "f"):
            guard word.count == 10, let bits = Self.bits(word) else { return nil }
            self = .float(UInt32(truncatingIfNeeded: bits))
        case UInt8(ascii: "d"):
            guard word.count == 18, let bits = Self.bits(word) else { return nil }
            self = .double(bits)
        case UInt8(ascii: "."), UInt8(ascii: "e"):
            self.init(decimal: word)
        default:
            self.init(word, from: 1, radix: 8)
        }
    }

    /// The bits of `0f…` and `0d…`.
    private static func bits(_ word: UnsafeBufferPointer<UInt8>) -> UInt64? {
        var bits: UInt64 = 0
        for byte in word.dropFirst(2) {
            guard let digit = byte.hexadecimalValue else { return nil }
            bits = bits << 4 | digit
        }
        return bits
    }

    private init?(decimal word: UnsafeBufferPointer<UInt8>) {
        let isReal = word.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
        guard isReal else {
            self.init(word, from: 0, radix: 10)
            return
        }
        // The standard library's parser is slow on very long input, and no compiler writes more digits.
        guard word.count <= 64, let value = Double(String(decoding: word, as: UTF8.self)) else { return nil }
        self = .double(value.bitPattern)
    }

    private init?(_ word: UnsafeBufferPointer<UInt8>, from start: Int, radix: UInt64) {
        var end = word.count
        let isUnsigned = end > start && word[end - 1] | 0x20 == UInt8(ascii: "u")
        if isUnsigned { end -= 1 }
        guard end > start || radix == 8 else { return nil }
        var value: UInt64 = 0
        for index in start..<max(start, end) {
            guard let digit = word[index].hexadecimalValue, digit < radix else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: radix)
            let (sum, carry) = product.addingReportingOverflow(digit)
            if overflow || carry { return nil }
            value = sum
        }
        self = .integer(value, isUnsigned: isUnsigned || value > UInt64(Int64.max))
    }
}
