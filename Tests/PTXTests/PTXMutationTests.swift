import Testing

@testable import PTX

/// A small generator with a seed, so that a failing mutation can be repeated.
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int {
        bound > 0 ? Int(next() % UInt64(bound)) : 0
    }
}

/// Damages PTX text the way a broken compiler, a cut transfer or an attacker would.
struct PTXMutator {
    var random: SplitMix64

    private static let insertions: [String] = [
        "99999999999999999999", "0xFFFFFFFFFFFFFFFF", "-9223372036854775808", "%r<2147483647>", "{", "}", "(", ")",
        "[", "]", ";", ".reg .b64 %x<250000>;", "/*", "\"", ".align 9223372036854775808", "[4611686018427387904]",
        "$L__BB0_1:", ".section", ".loc", "@", "|", "\u{0}", "\u{ff}", "-", "0f", "1.e", "%", "::", ".v4",
    ]

    mutating func mutate(_ text: [UInt8]) -> [UInt8] {
        var text = text
        for _ in 0...random.below(3) { step(&text) }
        return text
    }

    private mutating func step(_ text: inout [UInt8]) {
        guard !text.isEmpty else { return }
        switch random.below(7) {
        case 0:
            text[random.below(text.count)] ^= UInt8(truncatingIfNeeded: 1 << random.below(8))
        case 1:
            text.removeLast(random.below(text.count))
        case 2:
            text.removeSubrange(token(in: text))
        case 3:
            let range = token(in: text)
            text.insert(contentsOf: Array(text[range]), at: range.upperBound)
        case 4:
            let (first, second) = (token(in: text), token(in: text))
            let moved = Array(text[second])
            text.replaceSubrange(first, with: moved)
        default:
            let word = Self.insertions[random.below(Self.insertions.count)]
            text.insert(contentsOf: Array(word.utf8), at: token(in: text).lowerBound)
        }
    }

    /// A word or one byte somewhere in the text.
    private mutating func token(in text: [UInt8]) -> Range<Int> {
        let start = random.below(text.count)
        guard start < text.count, text[start].isPTXWord else { return start..<min(text.count, start + 1) }
        var range = start..<(start + 1)
        while range.lowerBound > 0, text[range.lowerBound - 1].isPTXWord {
            range = (range.lowerBound - 1)..<range.upperBound
        }
        while range.upperBound < text.count, text[range.upperBound].isPTXWord {
            range = range.lowerBound..<(range.upperBound + 1)
        }
        return range
    }
}

@Suite("PTX mutations")
struct PTXMutationTests {
    @Test("a thousand damaged modules are parsed or refused, within bounds", arguments: 0..<4)
    func mutations(_ part: Int) throws {
        let texts = try PTXFixtures.names.map(PTXFixtures.text).filter { $0.count < 8000 }
        try #require(texts.count > 20)
        var (parsed, refused) = (0, 0)
        for seed in 0..<250 {
            var mutator = PTXMutator(random: SplitMix64(seed: UInt64(part * 250 + seed)))
            let text = mutator.mutate(texts[mutator.random.below(texts.count)])
            do throws(PTXError) {
                let module = try PTXModule(parsing: text)
                for function in module.functions where function.bodyRange != nil {
                    let body = try module.body(of: function)
                    #expect(body.registers.count <= PTXLimits.registersPerBody)
                    #expect(body.variables.count <= PTXLimits.variablesPerBody)
                    #expect(body.statements.count <= text.count)
                }
                parsed += 1
            } catch {
                #expect(error.position.line >= 1 && error.position.column >= 1, "seed \(part * 250 + seed): \(error)")
                #expect(!error.message.isEmpty && error.message.utf8.count < 300)
                refused += 1
            }
        }
        // Both must happen, or the mutations are too weak or too strong to say anything.
        #expect(parsed > 10 && refused > 10)
    }
}
