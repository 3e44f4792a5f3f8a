import SIMT
import Testing

@Suite("Conversions")
struct ConversionTests {
    private let integers = Samples.integers(11)
    private let floats = Samples.floats(6)
    private let doubles = Samples.doubles(6)

    @Test("Integers extend and truncate")
    func integerWidths() throws {
        let machine = try Machine()
        let table: [(String, String, String, (UInt64) -> UInt64)] = [
            ("cvt.u64.u32", "b64", "b32", { UInt64($0.u32) }),
            ("cvt.s64.s32", "b64", "b32", { UInt64(signed: $0.s32) }),
            ("cvt.u32.u64", "b32", "b64", { $0 }), ("cvt.u16.u32", "b16", "b32", { $0 }),
            ("cvt.u32.u16", "b32", "b16", { UInt64($0.u16) }),
            ("cvt.s32.s16", "b32", "b16", { UInt64(signed: $0.s16) }),
            ("cvt.s32.s8", "b32", "b32", { UInt64(signed: Int8(truncatingIfNeeded: $0)) }),
            ("cvt.u32.u8", "b32", "b32", { $0 & 0xff }),
            ("cvt.s64.s8", "b64", "b32", { UInt64(signed: Int8(truncatingIfNeeded: $0)) }),
            ("cvt.u64.u16", "b64", "b16", { UInt64($0.u16) }), ("cvt.u16.u64", "b16", "b64", { $0 }),
            ("cvt.sat.u8.s32", "b32", "b32", { UInt64(UInt8(clamping: $0.s32)) }),
            ("cvt.sat.s16.s32", "b32", "b32", { UInt64(signed: Int16(clamping: $0.s32)) }),
            ("cvt.sat.s32.u64", "b32", "b64", { UInt64(Int32(clamping: $0)) }),
            ("cvt.sat.u32.s64", "b32", "b64", { UInt64(UInt32(clamping: $0.s64)) }),
        ]
        for (name, result, source, reference) in table {
            try OperationTable("\(name) $d, $a;", result, source).check([integers], on: machine) { reference($0[0]) }
        }
    }

    @Test("Integers become floats, rounded once")
    func integersToFloats() throws {
        let machine = try Machine()
        let table: [(String, String, String, (UInt64) -> UInt64)] = [
            ("cvt.rn.f32.s32", "b32", "b32", { UInt64(Float($0.s32).bitPattern) }),
            ("cvt.rn.f32.u32", "b32", "b32", { UInt64(Float($0.u32).bitPattern) }),
            ("cvt.rn.f32.u64", "b32", "b64", { UInt64(Float($0).bitPattern) }),
            ("cvt.rn.f32.s64", "b32", "b64", { UInt64(Float($0.s64).bitPattern) }),
            ("cvt.rn.f64.s64", "b64", "b64", { Double($0.s64).bitPattern }),
            ("cvt.rn.f64.u64", "b64", "b64", { Double($0).bitPattern }),
            ("cvt.rn.f64.u32", "b64", "b32", { Double($0.u32).bitPattern }),
            ("cvt.rn.f32.s16", "b32", "b16", { UInt64(Float($0.s16).bitPattern) }),
            ("cvt.rn.f16.s32", "b16", "b32", { UInt64(Float16(Double($0.s32)).bitPattern) }),
        ]
        for (name, result, source, reference) in table {
            try OperationTable("\(name) $d, $a;", result, source).check([integers], on: machine) { reference($0[0]) }
        }
        let down = try OperationTable("cvt.rz.f32.u64 $d, $a;", "b32", "b64").run([integers], on: machine)
        let up = try OperationTable("cvt.rp.f32.u64 $d, $a;", "b32", "b64").run([integers], on: machine)
        for (row, value) in integers.enumerated() {
            #expect(Float(value) == down.full[row].f32 || Float(value).nextDown == down.full[row].f32)
            #expect(UInt64(exactly: down.full[row].f32).map { $0 <= value } ?? false)
            #expect(up.full[row].f32 >= down.full[row].f32)
        }
    }

    private func clamp(_ value: Double, _ low: Double, _ high: Double) -> Double {
        value.isNaN ? 0 : Swift.min(Swift.max(value, low), high)
    }

    @Test("Floats become integers, clamped, and NaN is 0")
    func floatsToIntegers() throws {
        let machine = try Machine()
        let modes: [(String, FloatingPointRoundingRule)] = [
            ("rzi", .towardZero), ("rni", .toNearestOrEven), ("rmi", .down), ("rpi", .up),
        ]
        for (mode, rule) in modes {
            try OperationTable("cvt.\(mode).s32.f32 $d, $a;", "b32", "b32").check([floats], on: machine) {
                UInt64(signed: Int64(clamp(Double($0[0].f32).rounded(rule), -2147483648, 2147483647)))
            }
            try OperationTable("cvt.\(mode).u32.f32 $d, $a;", "b32", "b32").check([floats], on: machine) {
                UInt64(clamp(Double($0[0].f32).rounded(rule), 0, 4294967295))
            }
            try OperationTable("cvt.\(mode).s32.f64 $d, $a;", "b32", "b64").check([doubles], on: machine) {
                UInt64(signed: Int64(clamp($0[0].f64.rounded(rule), -2147483648, 2147483647)))
            }
            try OperationTable("cvt.\(mode).u8.f32 $d, $a;", "b32", "b32").check([floats], on: machine) {
                UInt64(clamp(Double($0[0].f32).rounded(rule), 0, 255))
            }
            try OperationTable("cvt.\(mode).f32.f32 $d, $a;", "b32", "b32")
                .check([floats.filter { !$0.f32.isNaN }], on: machine) {
                    UInt64($0[0].f32.rounded(rule).bitPattern)
                }
            try OperationTable("cvt.\(mode).f64.f64 $d, $a;", "b64", "b64")
                .check([doubles.filter { !$0.f64.isNaN }], on: machine) { $0[0].f64.rounded(rule).bitPattern }
        }
        let finite = doubles.filter { $0.f64.isFinite && abs($0.f64) < 9e18 }
        try OperationTable("cvt.rzi.s64.f64 $d, $a;", "b64", "b64").check([finite], on: machine) {
            UInt64(bitPattern: Int64($0[0].f64))
        }
    }

    @Test("Floats change their formats")
    func formats() throws {
        let machine = try Machine()
        let real = floats.filter { !$0.f32.isNaN }
        let wide = doubles.filter { !$0.f64.isNaN }
        try OperationTable("cvt.f64.f32 $d, $a;", "b64", "b32").check([real], on: machine) {
            Double($0[0].f32).bitPattern
        }
        try OperationTable("cvt.rn.f32.f64 $d, $a;", "b32", "b64").check([wide], on: machine) {
            UInt64(Float($0[0].f64).bitPattern)
        }
        try OperationTable("cvt.rn.f16.f32 $d, $a;", "b16", "b32").check([real], on: machine) {
            UInt64(Float16($0[0].f32).bitPattern)
        }
        try OperationTable("cvt.rn.f16.f64 $d, $a;", "b16", "b64").check([wide], on: machine) {
            UInt64(Float16($0[0].f64).bitPattern)
        }
        try OperationTable("cvt.f32.bf16 $d, $a;", "b32", "b16").check([real], on: machine) {
            UInt64($0[0].u16) << 16
        }
        try OperationTable("cvt.rz.bf16.f32 $d, $a;", "b16", "b32").check([real], on: machine) {
            UInt64($0[0].u32 >> 16)
        }
        try OperationTable("cvt.rn.f16x2.f32 $d, $a, $b;", "b32", "b32", "b32")
            .check([real, real.reversed()], on: machine) {
                UInt64(Float16($0[0].f32).bitPattern) << 16 | UInt64(Float16($0[1].f32).bitPattern)
            }
        try OperationTable("cvt.sat.f32.f32 $d, $a;", "b32", "b32").check([floats], on: machine) {
            let value = $0[0].f32
            return UInt64((value > 0 ? (value < 1 ? value : 1) : Float(0)).bitPattern)
        }
    }

    @Test("Every half converts to float and back")
    func allHalves() throws {
        let machine = try Machine()
        for start in stride(from: 0, to: 65536, by: 1024) {
            let bits = (start..<start + 1024).map { UInt64($0) }.filter { !Float16(bitPattern: $0.u16).isNaN }
            if bits.isEmpty { continue }
            let text = "{ .reg .f32 %s; cvt.f32.f16 %s, $a; cvt.rn.f16.f32 $d, %s; }"
            try OperationTable(text, "b16", "b16", isBlock: true).check([bits], on: machine) { $0[0] }
        }
    }

    @Test("mov packs and unpacks vectors")
    func vectors() throws {
        let machine = try Machine()
        let text = "{ .reg .b32 %s, %t; mov.b64 {%s, %t}, $a; mov.b64 $d, {%t, %s}; }"
        try OperationTable(text, "b64", "b64", isBlock: true).check([integers], on: machine) {
            $0[0] << 32 | $0[0] >> 32
        }
        let halves = "{ .reg .b16 %s, %t; mov.b32 {%s, %t}, $a; mov.b32 $d, {%t, %s}; }"
        try OperationTable(halves, "b32", "b32", isBlock: true).check([integers], on: machine) {
            UInt64($0[0].u32 << 16 | $0[0].u32 >> 16)
        }
    }

    @Test("Pairs of floats of 8 bits are rounded to the nearest, end at the largest number, and come back")
    func byteFloats() throws {
        let machine = try Machine()
        // Every number of each format, by what its bits mean.
        func value(_ bits: Int, mantissa: Int, bias: Int) -> Double {
            let (exponent, rest) = (bits >> mantissa & (0x7f >> mantissa), Double(bits & (1 << mantissa - 1)))
            let scale = Double(sign: .plus, exponent: max(exponent, 1) - bias - mantissa, significand: 1)
            return (exponent == 0 ? rest : rest + Double(1 << mantissa)) * scale
        }
        for (name, mantissa, bias, last) in [("e4m3x2", 3, 7, 0x7e), ("e5m2x2", 2, 15, 0x7b)] {
            let numbers = (0...last).map { value($0, mantissa: mantissa, bias: bias) }
            func nearest(_ x: Float) -> UInt64 {
                if x.isNaN { return 0x7f }
                // Beyond all numbers, infinity among them, is the largest one.
                let magnitude = min(Double(x.magnitude), numbers[last])
                var best = 0
                for (index, number) in numbers.enumerated() {
                    let (old, new) = (abs(numbers[best] - magnitude), abs(number - magnitude))
                    if new < old || (new == old && index % 2 == 0) { best = index }
                }
                return UInt64(best) | (x.sign == .minus ? 0x80 : 0)
            }
            let samples =
                floats
                + [0.001, -0.0146, 0.07, 1.0625, 1.1875, -17.5, 460, -1e9, 57_000, 3e-5, -0.0]
                .map { UInt64(Float($0).bitPattern) }
            try OperationTable("cvt.rn.satfinite.\(name).f32 $d, $a, $b;", "b16", "b32", "b32")
                .check([samples, samples.reversed()], on: machine) { nearest($0[0].f32) << 8 | nearest($0[1].f32) }
            try OperationTable("cvt.rn.satfinite.relu.\(name).f32 $d, $a, $b;", "b16", "b32", "b32")
                .check([samples, samples], on: machine) { operands in
                    let clamped = operands.map { $0.f32 < 0 ? 0 : nearest($0.f32) }
                    return clamped[0] << 8 | clamped[1]
                }
            let bytes = (0...UInt64(last)).flatMap { [$0 << 8 | 0x80, $0 | 0x8100] }
            try OperationTable("cvt.rn.f16x2.\(name) $d, $a;", "b32", "b16").check([bytes], on: machine) { operands in
                func half(_ byte: UInt64) -> UInt64 {
                    let sign: UInt64 = byte & 0x80 != 0 ? 0x8000 : 0
                    return UInt64(Float16(numbers[Int(byte & 0x7f)]).bitPattern) | sign
                }
                return half(operands[0] >> 8) << 16 | half(operands[0] & 0xff)
            }
            // And through halves, which hold all of them, back again.
            let halves = (0...last).map { UInt64(Float16(numbers[$0]).bitPattern) << 16 | 0x8000 }
            try OperationTable("cvt.rn.satfinite.\(name).f16x2 $d, $a;", "b16", "b32").check([halves], on: machine) {
                nearest(Float(Float16(bitPattern: UInt16($0[0] >> 16)))) << 8 | 0x80
            }
        }
    }
}
