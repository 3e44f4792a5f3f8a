import SIMT
import Testing

@Suite("16-bit floats")
struct HalfTests {
    private let a = Samples.floats(7).map { UInt64(Float16($0.f32).bitPattern) }
    private let b = Samples.floats(8).map { UInt64(Float16($0.f32).bitPattern) }
    private let c = Samples.floats(9).map { UInt64(Float16($0.f32).bitPattern) }

    private static func same(_ found: UInt64, _ expected: Float16) -> Bool {
        expected.isNaN ? Float16(bitPattern: found.u16).isNaN : found.u16 == expected.bitPattern
    }

    private func check(
        _ name: String, _ sources: [[UInt64]], on machine: Machine, _ reference: ([Float16]) -> Float16
    ) throws {
        let letters = ["$a", "$b", "$c"].prefix(sources.count).joined(separator: ", ")
        let types = ["b16"] + sources.map { _ in "b16" }
        let single = try OperationTable(types: types, instruction: "\(name).f16 $d, \(letters);")
            .run(sources, on: machine)
        // The same values in both halves, the high one from the next row.
        let pairs = sources.map { column in
            column.indices.map { column[$0] | column[($0 + 1) % column.count] << 16 }
        }
        let wide = types.map { _ in "b32" }
        let packed = try OperationTable(types: wide, instruction: "\(name).f16x2 $d, \(letters);")
            .run(pairs, on: machine)
        for row in sources[0].indices {
            let expected = reference(sources.map { Float16(bitPattern: $0[row].u16) })
            let next = reference(sources.map { Float16(bitPattern: $0[(row + 1) % $0.count].u16) })
            try #require(Self.same(single.full[row], expected), "\(name) row \(row)")
            try #require(Self.same(packed.full[row], expected), "\(name) low, row \(row)")
            try #require(Self.same(packed.full[row] >> 16, next), "\(name) high, row \(row)")
        }
    }

    @Test("f16 and its pairs round to nearest")
    func arithmetic() throws {
        let machine = try Machine()
        try check("add", [a, b], on: machine) { $0[0] + $0[1] }
        try check("sub", [a, b], on: machine) { $0[0] - $0[1] }
        try check("mul", [a, b], on: machine) { $0[0] * $0[1] }
        try check("neg", [a], on: machine) { -$0[0] }
        try check("abs", [a], on: machine) { Float16(bitPattern: $0[0].bitPattern & 0x7fff) }
        try check("min.NaN", [a, b], on: machine) {
            $0[0].isNaN || $0[1].isNaN
                ? .nan
                : $0[0] == $0[1]
                    ? ($0[0].sign == .minus ? $0[0] : $0[1]) : Swift.min($0[0], $0[1])
        }
        try check("max", [a, b], on: machine) {
            $0[0].isNaN
                ? $0[1]
                : $0[1].isNaN
                    ? $0[0]
                    : $0[0] == $0[1]
                        ? ($0[0].sign == .plus ? $0[0] : $0[1]) : Swift.max($0[0], $0[1])
        }
    }

    @Test("fma rounds once: the reference adds exact products in a wider format")
    func fused() throws {
        let machine = try Machine()
        // Values whose exact sums fit in Double, so that it needs no rounding of its own.
        let small = [a, b, c].map { $0.map { UInt64(Float16(bitPattern: $0.u16 & 0xc3ff | 0x3000).bitPattern) } }
        try check("fma.rn", small, on: machine) { Float16(Double($0[0]) * Double($0[1]) + Double($0[2])) }
    }

    @Test("bf16 rounds to nearest, ties to even")
    func brain() throws {
        let machine = try Machine()
        let x = Samples.floats(10).map { UInt64($0.u32 >> 16) }.filter { !Float(bitPattern: $0.u32 << 16).isNaN }
        let y = Array(x.reversed())
        func round(_ value: Float) -> UInt64 {
            let bits = value.bitPattern
            return UInt64((bits &+ 0x7fff &+ (bits >> 16) & 1) >> 16)
        }
        let outcome = try OperationTable("add.bf16 $d, $a, $b;", "b16", "b16", "b16").run([x, y], on: machine)
        for row in x.indices {
            let sum = Float(bitPattern: x[row].u32 << 16) + Float(bitPattern: y[row].u32 << 16)
            if sum.isNaN { continue }
            #expect(outcome.full[row] == round(sum))
        }
    }
}
