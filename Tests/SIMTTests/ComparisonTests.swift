import SIMT
import Testing

@Suite("Comparisons and selections")
struct ComparisonTests {
    private let a = Samples.integers(9)
    /// Often equal to `a`.
    private let b = zip(Samples.integers(9), Samples.integers(10)).enumerated().map { $0 % 3 == 0 ? $1.0 : $1.1 }
    private let x = Samples.floats(4)
    private let y = zip(Samples.floats(4), Samples.floats(5)).enumerated().map { $0 % 3 == 0 ? $1.0 : $1.1 }

    private func check(
        _ comparison: String, _ type: String, _ width: String, _ sources: [[UInt64]], on machine: Machine,
        _ reference: (UInt64, UInt64) -> Bool
    ) throws {
        let text = "{ .reg .pred %t; setp.\(comparison).\(type) %t, $a, $b; selp.u32 $d, 7, 9, %t; }"
        try OperationTable(text, "b32", width, width, isBlock: true).check(sources, on: machine) {
            reference($0[0], $0[1]) ? 7 : 9
        }
    }

    @Test("Integers compare with and without sign in all widths")
    func integers() throws {
        let machine = try Machine()
        let signed: [(String, (Int64, Int64) -> Bool)] = [
            ("eq", { $0 == $1 }), ("ne", { $0 != $1 }), ("lt", { $0 < $1 }), ("le", { $0 <= $1 }), ("gt", { $0 > $1 }),
            ("ge", { $0 >= $1 }),
        ]
        for (name, holds) in signed {
            try check(name, "s32", "b32", [a, b], on: machine) { holds(Int64($0.s32), Int64($1.s32)) }
            try check(name, "s64", "b64", [a, b], on: machine) { holds($0.s64, $1.s64) }
            try check(name, "s16", "b16", [a, b], on: machine) { holds(Int64($0.s16), Int64($1.s16)) }
            try check(name, "u16", "b16", [a, b], on: machine) { holds(Int64($0.u16), Int64($1.u16)) }
            try check(name, "u32", "b32", [a, b], on: machine) { holds(Int64($0.u32), Int64($1.u32)) }
        }
        let unsigned: [(String, (UInt64, UInt64) -> Bool)] = [
            ("lo", { $0 < $1 }), ("ls", { $0 <= $1 }), ("hi", { $0 > $1 }), ("hs", { $0 >= $1 }), ("eq", { $0 == $1 }),
        ]
        for (name, holds) in unsigned {
            try check(name, "u64", "b64", [a, b], on: machine) { holds($0, $1) }
        }
    }

    @Test("Floats compare ordered and unordered")
    func floats() throws {
        let machine = try Machine()
        let table: [(String, (Float, Float) -> Bool)] = [
            ("eq", { $0 == $1 }), ("ne", { $0 < $1 || $0 > $1 }), ("lt", { $0 < $1 }), ("le", { $0 <= $1 }),
            ("gt", { $0 > $1 }), ("ge", { $0 >= $1 }), ("equ", { !($0 < $1 || $0 > $1) }), ("neu", { $0 != $1 }),
            ("ltu", { !($0 >= $1) }), ("leu", { !($0 > $1) }), ("gtu", { !($0 <= $1) }), ("geu", { !($0 < $1) }),
            ("num", { !$0.isNaN && !$1.isNaN }), ("nan", { $0.isNaN || $1.isNaN }),
        ]
        for (name, holds) in table {
            try check(name, "f32", "b32", [x, y], on: machine) { holds($0.f32, $1.f32) }
            let wide = [x, y].map { $0.map { Double($0.f32).bitPattern } }
            try check(name, "f64", "b64", wide, on: machine) { holds(Float($0.f64), Float($1.f64)) }
            let half = [x, y].map { $0.map { UInt64(Float16($0.f32).bitPattern) } }
            try check(name, "f16", "b16", half, on: machine) {
                holds(Float(Float16(bitPattern: $0.u16)), Float(Float16(bitPattern: $1.u16)))
            }
        }
    }

    @Test("setp combines with a predicate and gives the inverse too")
    func combined() throws {
        let machine = try Machine()
        let text = """
            { .reg .pred %s, %t, %u; .reg .b32 %v;
            setp.gt.u32 %s, $a, 100;
            setp.lt.and.s32 %t|%u, $a, $b, %s;
            selp.u32 $d, 1, 0, %t; selp.u32 %v, 2, 0, %u; or.b32 $d, $d, %v; }
            """
        try OperationTable(text, "b32", "b32", "b32", isBlock: true).check([a, b], on: machine) {
            let (less, flag) = ($0[0].s32 < $0[1].s32, $0[0].u32 > 100)
            return (less && flag ? 1 : 0) | (!less && flag ? 2 : 0)
        }
    }

    @Test("set gives all ones or 1.0, slct goes by sign")
    func values() throws {
        let machine = try Machine()
        try OperationTable("set.lt.u32.s32 $d, $a, $b;", "b32", "b32", "b32").check([a, b], on: machine) {
            $0[0].s32 < $0[1].s32 ? 0xffff_ffff : 0
        }
        try OperationTable("set.ge.f32.f32 $d, $a, $b;", "b32", "b32", "b32").check([x, y], on: machine) {
            $0[0].f32 >= $0[1].f32 ? UInt64(Float(1).bitPattern) : 0
        }
        try OperationTable("slct.b64.s32 $d, $a, $b, $c;", "b64", "b64", "b64", "b32").check([a, b, a], on: machine) {
            $0[2].s32 >= 0 ? $0[0] : $0[1]
        }
        try OperationTable("slct.b32.f32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32").check([a, b, x], on: machine) {
            $0[2].f32 >= 0 ? UInt64($0[0].u32) : UInt64($0[1].u32)
        }
    }

    @Test("testp tells the classes of floats apart")
    func classes() throws {
        let machine = try Machine()
        let table: [(String, (Float) -> Bool)] = [
            ("finite", { $0.isFinite }), ("infinite", { $0.isInfinite }), ("number", { !$0.isNaN }),
            ("notanumber", { $0.isNaN }), ("normal", { $0.isNormal }), ("subnormal", { $0.isSubnormal }),
        ]
        for (name, holds) in table {
            let text = "{ .reg .pred %t; testp.\(name).f32 %t, $a; selp.u32 $d, 1, 0, %t; }"
            try OperationTable(text, "b32", "b32", isBlock: true).check([x], on: machine) { holds($0[0].f32) ? 1 : 0 }
        }
    }

    @Test("Packed comparisons give a value for each half")
    func packed() throws {
        let machine = try Machine()
        let pairs = [x, y].map {
            $0.indices.map { [values = $0] i -> UInt64 in
                let low = Float16(values[i].f32).bitPattern
                return UInt64(low) | UInt64(Float16(values[(i + 7) % values.count].f32).bitPattern) << 16
            }
        }
        try OperationTable("set.gt.f16x2.f16x2 $d, $a, $b;", "b32", "b32", "b32").check(pairs, on: machine) { o in
            (0..<2).reduce(0) { result, half in
                let shift = UInt64(half * 16)
                let holds = Float16(bitPattern: (o[0] >> shift).u16) > Float16(bitPattern: (o[1] >> shift).u16)
                return result | (holds ? 0x3c00 << shift : 0)
            }
        }
    }
}
