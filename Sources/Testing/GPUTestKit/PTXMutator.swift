public import Primitives

/// Damages PTX text the way a broken compiler, a cut transfer or an attacker would.
public struct PTXMutator {
    /// Where the choices come from.
    public var random: SplitMix64

    private static let insertions: [String] = [
        "99999999999999999999", "0xFFFFFFFFFFFFFFFF", "-9223372036854775808", "%r<2147483647>", "{", "}", "(", ")",
        "[", "]", ";", ".reg .b64 %x<250000>;", "/*", "\"", ".align 9223372036854775808", "[4611686018427387904]",
        "$L__BB0_1:", ".section", ".loc", "@", "|", "\u{0}", "\u{ff}", "-", "0f", "1.e", "%", "::", ".v4",
        "@%p1 ", "bar.sync 1, 64;", "exit;", "bar.warp.sync -1;", "%tid.x", "%rd1", "%r1", "%p1",
    ]

    private static let numbers: [String] = [
        "0", "1", "3", "7", "15", "32", "33", "64", "255", "1024", "4096", "65536", "262144", "1048576", "2147483647",
        "4294967295", "4294967296", "-1", "-8", "9223372036854775804", "-9223372036854775808", "0x1FFFFFFFF",
        "0x300000000", "0x500000010", "0x600000000000", "18446744073709551612",
    ]

    /// A mutator whose seed repeats what it does.
    public init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    /// A number from 0 up to, but not, `bound`.
    public mutating func below(_ bound: Int) -> Int {
        bound > 0 ? Int(random.next() % UInt64(bound)) : 0
    }

    /// The text with a few damages.
    public mutating func mutate(_ text: [UInt8]) -> [UInt8] {
        var text = text
        for _ in 0...below(3) { step(&text) }
        return text
    }

    private mutating func step(_ text: inout [UInt8]) {
        guard !text.isEmpty else { return }
        switch below(10) {
        case 0:
            text[below(text.count)] ^= UInt8(truncatingIfNeeded: 1 << below(8))
        case 1:
            text.removeLast(below(text.count))
        case 2:
            text.removeSubrange(token(in: text))
        case 3:
            let range = token(in: text)
            text.insert(contentsOf: Array(text[range]), at: range.upperBound)
        case 4, 5:
            let (first, second) = (token(in: text), token(in: text))
            let moved = Array(text[second])
            text.replaceSubrange(first, with: moved)
        case 6, 7:
            let number = Self.numbers[below(Self.numbers.count)]
            text.replaceSubrange(digits(in: text), with: Array(number.utf8))
        default:
            let word = Self.insertions[below(Self.insertions.count)]
            text.insert(contentsOf: Array(word.utf8), at: token(in: text).lowerBound)
        }
    }

    /// A word or one byte somewhere in the text.
    private mutating func token(in text: [UInt8]) -> Range<Int> {
        run(in: text, from: below(text.count)) { byte in
            Self.isDigit(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "$") || byte == UInt8(ascii: "%")
        }
    }

    /// The digits behind some place of the text, or nothing at its end.
    private mutating func digits(in text: [UInt8]) -> Range<Int> {
        let start = below(text.count)
        guard let first = text[start...].firstIndex(where: Self.isDigit) else { return text.count..<text.count }
        return run(in: text, from: first, Self.isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private func run(in text: [UInt8], from start: Int, _ belongs: (UInt8) -> Bool) -> Range<Int> {
        guard start < text.count, belongs(text[start]) else { return start..<min(text.count, start + 1) }
        let before = text[..<start].lastIndex { !belongs($0) }.map { $0 + 1 } ?? 0
        let after = text[start...].firstIndex { !belongs($0) } ?? text.count
        return before..<after
    }
}
