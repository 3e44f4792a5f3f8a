import SIMT
import Testing

@Suite("Floating point")
struct FloatTests {
    private let a = Samples.floats(1)
    private let b = Samples.floats(2)
    private let c = Samples.floats(3)
    private let x = Samples.doubles(1)
    private let y = Samples.doubles(2)
    private let z = Samples.doubles(3)

    /// Equal bits, or both NaN.
    private static func same(_ p: Float, _ q: Float) -> Bool { p.bitPattern == q.bitPattern || (p.isNaN && q.isNaN) }
    private static func same(_ p: Double, _ q: Double) -> Bool {
        p.bitPattern == q.bitPattern || (p.isNaN && q.isNaN)
    }

    private func check32(
        _ name: String, _ sources: [[UInt64]], on machine: Machine, _ reference: ([Float]) -> Float
    ) throws {
        let letters = ["$a", "$b", "$c"].prefix(sources.count).joined(separator: ", ")
        let table = OperationTable(
            types: ["b32"] + sources.map { _ in "b32" }, instruction: "\(name) $d, \(letters);")
        let outcome = try table.run(sources, on: machine)
        for row in sources[0].indices {
            let operands = sources.map { $0[row].f32 }
            let expected = reference(operands)
            try #require(Self.same(outcome.full[row].f32, expected), "\(name) \(operands): \(outcome.full[row].f32)")
            let isGuarded = (OperationTable.guardMask >> UInt32(row % 32)) & 1 == 1
            let guarded = outcome.guarded[row]
            let kept = OperationTable.sentinel & 0xffff_ffff
            try #require(isGuarded ? Self.same(guarded.f32, expected) : guarded == kept)
        }
    }

    private func check64(
        _ name: String, _ sources: [[UInt64]], on machine: Machine, _ reference: ([Double]) -> Double
    ) throws {
        let letters = ["$a", "$b", "$c"].prefix(sources.count).joined(separator: ", ")
        let table = OperationTable(
            types: ["b64"] + sources.map { _ in "b64" }, instruction: "\(name) $d, \(letters);")
        let outcome = try table.run(sources, on: machine)
        for row in sources[0].indices {
            let operands = sources.map { $0[row].f64 }
            try #require(Self.same(outcome.full[row].f64, reference(operands)), "\(name) \(operands)")
        }
    }

    private func flushed(_ value: Float) -> Float {
        value.isSubnormal ? Float(sign: value.sign, exponent: 0, significand: 0) : value
    }

    @Test("f32 rounds to nearest, and fma rounds once")
    func nearest() throws {
        let machine = try Machine()
        try check32("add.f32", [a, b], on: machine) { $0[0] + $0[1] }
        try check32("sub.rn.f32", [a, b], on: machine) { $0[0] - $0[1] }
        try check32("mul.f32", [a, b], on: machine) { $0[0] * $0[1] }
        try check32("div.rn.f32", [a, b], on: machine) { $0[0] / $0[1] }
        try check32("fma.rn.f32", [a, b, c], on: machine) { $0[2].addingProduct($0[0], $0[1]) }
        try check32("sqrt.rn.f32", [a], on: machine) { $0[0].squareRoot() }
        try check32("rcp.rn.f32", [a], on: machine) { 1 / $0[0] }
        try check32("neg.f32", [a], on: machine) { -$0[0] }
        try check32("abs.f32", [a], on: machine) { Float(bitPattern: $0[0].bitPattern & 0x7fff_ffff) }
        try check32("copysign.f32", [a, b], on: machine) { Float(signOf: $0[0], magnitudeOf: $0[1]) }
    }

    @Test("A number wins over NaN in min and max, and -0 is less than 0")
    func extremes() throws {
        let machine = try Machine()
        func least(_ p: Float, _ q: Float) -> Float {
            p.isNaN ? q : q.isNaN ? p : p == q ? (p.sign == .minus ? p : q) : Swift.min(p, q)
        }
        func greatest(_ p: Float, _ q: Float) -> Float {
            p.isNaN ? q : q.isNaN ? p : p == q ? (p.sign == .plus ? p : q) : Swift.max(p, q)
        }
        try check32("min.f32", [a, b], on: machine) { least($0[0], $0[1]) }
        try check32("max.f32", [a, b], on: machine) { greatest($0[0], $0[1]) }
        try check32("max.NaN.f32", [a, b], on: machine) {
            $0[0].isNaN || $0[1].isNaN ? .nan : greatest($0[0], $0[1])
        }
    }

    @Test("ftz flushes operands and results, sat clamps and turns NaN into 0")
    func modes() throws {
        let machine = try Machine()
        try check32("add.ftz.f32", [a, b], on: machine) { flushed(flushed($0[0]) + flushed($0[1])) }
        try check32("mul.ftz.f32", [a, b], on: machine) { flushed(flushed($0[0]) * flushed($0[1])) }
        try check32("fma.rn.ftz.f32", [a, b, c], on: machine) {
            flushed(flushed($0[2]).addingProduct(flushed($0[0]), flushed($0[1])))
        }
        try check32("mul.sat.f32", [a, b], on: machine) {
            let product = $0[0] * $0[1]
            return product.isNaN ? 0 : Swift.max(0, Swift.min(1, product)) + 0
        }
        try check32("neg.ftz.f32", [a], on: machine) { -flushed($0[0]) }
    }

    @Test("Directed rounding brackets the exact result")
    func directed() throws {
        let machine = try Machine()
        let cases: [(String, ([Float]) -> Double)] = [
            ("add", { Double($0[0]) + Double($0[1]) }), ("mul", { Double($0[0]) * Double($0[1]) }),
        ]
        for (name, exact) in cases {
            for mode in ["rz", "rm", "rp"] {
                let table = OperationTable("\(name).\(mode).f32 $d, $a, $b;", "b32", "b32", "b32")
                let outcome = try table.run([a, b], on: machine)
                for row in a.indices {
                    let value = exact([a[row].f32, b[row].f32])
                    let result = outcome.full[row].f32
                    // A sum that Double rounds is no reference.
                    let (p, q) = (Double(a[row].f32), Double(b[row].f32))
                    let isExact = name == "mul" || (value - p == q && value - q == p)
                    guard isExact, value.isFinite, value != 0, abs(value) < 1e38, abs(value) > 1e-37 else { continue }
                    if mode == "rm" || (mode == "rz" && value > 0) {
                        #expect(Double(result) <= value && Double(result.nextUp) > value, "\(name).\(mode) \(value)")
                    } else {
                        #expect(Double(result) >= value && Double(result.nextDown) < value, "\(name).\(mode) \(value)")
                    }
                }
            }
        }
    }

    @Test("f64 rounds to nearest")
    func doubles() throws {
        let machine = try Machine()
        try check64("add.f64", [x, y], on: machine) { $0[0] + $0[1] }
        try check64("sub.f64", [x, y], on: machine) { $0[0] - $0[1] }
        try check64("mul.f64", [x, y], on: machine) { $0[0] * $0[1] }
        try check64("div.rn.f64", [x, y], on: machine) { $0[0] / $0[1] }
        try check64("fma.rn.f64", [x, y, z], on: machine) { $0[2].addingProduct($0[0], $0[1]) }
        try check64("sqrt.rn.f64", [x], on: machine) { $0[0].squareRoot() }
        try check64("neg.f64", [x], on: machine) { -$0[0] }
        try check64("abs.f64", [x], on: machine) { Double(bitPattern: $0[0].bitPattern & ~(1 << 63)) }
    }

    @Test("Approximations are close")
    func approximations() throws {
        let machine = try Machine()
        let values: [Float] = (0..<64).map { Float($0) * 0.37 + 0.01 }
        let inputs = [values.map { UInt64($0.bitPattern) }]
        let table: [(String, (Double) -> Double)] = [
            (
                "ex2.approx.f32",
                { x in
                    (0..<60).reversed().reduce(1.0) { 1 + $0 * x * 0.6931471805599453 / Double($1 + 1) }
                }
            ),
            ("rsqrt.approx.f32", { 1 / $0.squareRoot() }), ("rcp.approx.f32", { 1 / $0 }),
            ("sqrt.approx.f32", { $0.squareRoot() }),
        ]
        for (name, reference) in table {
            let outcome = try OperationTable("\(name) $d, $a;", "b32", "b32").run(inputs, on: machine)
            for row in values.indices {
                let expected = reference(Double(values[row]))
                let error = abs(Double(outcome.full[row].f32) - expected) / abs(expected)
                #expect(error < 1e-6, "\(name) of \(values[row])")
            }
        }
        let squares = try OperationTable(
            "{ .reg .f32 %s, %t; sin.approx.f32 %s, $a; cos.approx.f32 %t, $a; mul.f32 %s, %s, %s; "
                + "fma.rn.f32 $d, %t, %t, %s; }", "b32", "b32", isBlock: true
        ).run(inputs, on: machine)
        for row in values.indices { #expect(abs(squares.full[row].f32 - 1) < 1e-5) }
        let tanh = try OperationTable("tanh.approx.f32 $d, $a;", "b32", "b32").run(inputs, on: machine)
        #expect(abs(tanh.full[63].f32 - 1) < 1e-5)
        let log = try OperationTable(
            "{ .reg .f32 %s; lg2.approx.f32 %s, $a; ex2.approx.f32 $d, %s; }", "b32", "b32", isBlock: true
        ).run(inputs, on: machine)
        for row in values.indices { #expect(abs(log.full[row].f32 / values[row] - 1) < 1e-5) }
    }
}

extension OperationTable {
    init(types: [String], instruction: String) {
        self.types = types
        self.instruction = instruction
        isBlock = false
    }
}
