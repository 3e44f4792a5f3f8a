import SIMT
import Testing

@Suite("Integer arithmetic")
struct IntegerTests {
    private let a = Samples.integers(1)
    private let b = Samples.integers(2)
    private let c = Samples.integers(3)

    @Test("32-bit operations wrap, clamp and never trap")
    func words() throws {
        let machine = try Machine()
        let table: [(String, (UInt32, UInt32) -> UInt32)] = [
            ("add.s32", { $0 &+ $1 }), ("sub.u32", { $0 &- $1 }), ("mul.lo.s32", { $0 &* $1 }),
            ("mul.hi.u32", { UInt32((UInt64($0) * UInt64($1)) >> 32) }),
            (
                "mul.hi.s32",
                { x, y in
                    UInt32(truncatingIfNeeded: (Int64(Int32(bitPattern: x)) * Int64(Int32(bitPattern: y))) >> 32)
                }
            ),
            ("div.u32", { $1 == 0 ? ~0 : $0 / $1 }), ("rem.u32", { $1 == 0 ? $0 : $0 % $1 }),
            (
                "div.s32",
                { x, y in
                    let (p, q) = (Int32(bitPattern: x), Int32(bitPattern: y))
                    return q == 0 ? ~0 : UInt32(bitPattern: p.dividedReportingOverflow(by: q).partialValue)
                }
            ),
            (
                "rem.s32",
                { x, y in
                    let (p, q) = (Int32(bitPattern: x), Int32(bitPattern: y))
                    return q == 0 ? x : UInt32(bitPattern: p.remainderReportingOverflow(dividingBy: q).partialValue)
                }
            ),
            ("min.u32", { Swift.min($0, $1) }), ("max.u32", { Swift.max($0, $1) }),
            ("min.s32", { UInt32(bitPattern: Swift.min(Int32(bitPattern: $0), Int32(bitPattern: $1))) }),
            ("max.s32", { UInt32(bitPattern: Swift.max(Int32(bitPattern: $0), Int32(bitPattern: $1))) }),
            ("and.b32", { $0 & $1 }), ("or.b32", { $0 | $1 }), ("xor.b32", { $0 ^ $1 }),
            ("shl.b32", { $1 > 31 ? 0 : $0 << $1 }), ("shr.u32", { $1 > 31 ? 0 : $0 >> $1 }),
            ("shr.s32", { UInt32(bitPattern: Int32(bitPattern: $0) >> Int32(Swift.min($1, 31))) }),
            (
                "add.sat.s32",
                { x, y in
                    let sum = Int64(Int32(bitPattern: x)) + Int64(Int32(bitPattern: y))
                    return UInt32(bitPattern: Int32(clamping: sum))
                }
            ),
            (
                "sub.sat.s32",
                { x, y in
                    let sum = Int64(Int32(bitPattern: x)) - Int64(Int32(bitPattern: y))
                    return UInt32(bitPattern: Int32(clamping: sum))
                }
            ),
        ]
        for (name, reference) in table {
            try OperationTable("\(name) $d, $a, $b;", "b32", "b32", "b32").check([a, b], on: machine) {
                UInt64(reference($0[0].u32, $0[1].u32))
            }
        }
    }

    @Test("64-bit operations wrap, clamp and never trap")
    func longs() throws {
        let machine = try Machine()
        let table: [(String, (UInt64, UInt64) -> UInt64)] = [
            ("add.s64", { $0 &+ $1 }), ("sub.s64", { $0 &- $1 }), ("mul.lo.u64", { $0 &* $1 }),
            ("mul.hi.u64", { $0.multipliedFullWidth(by: $1).high }),
            ("mul.hi.s64", { UInt64(bitPattern: $0.s64.multipliedFullWidth(by: $1.s64).high) }),
            ("div.u64", { $1 == 0 ? ~0 : $0 / $1 }), ("rem.u64", { $1 == 0 ? $0 : $0 % $1 }),
            (
                "div.s64",
                { x, y in
                    y == 0 ? ~0 : UInt64(bitPattern: x.s64.dividedReportingOverflow(by: y.s64).partialValue)
                }
            ),
            (
                "rem.s64",
                { x, y in
                    y == 0 ? x : UInt64(bitPattern: x.s64.remainderReportingOverflow(dividingBy: y.s64).partialValue)
                }
            ),
            ("min.u64", { Swift.min($0, $1) }), ("max.s64", { UInt64(bitPattern: Swift.max($0.s64, $1.s64)) }),
            ("and.b64", { $0 & $1 }), ("or.b64", { $0 | $1 }), ("xor.b64", { $0 ^ $1 }),
        ]
        for (name, reference) in table {
            try OperationTable("\(name) $d, $a, $b;", "b64", "b64", "b64").check([a, b], on: machine) {
                reference($0[0], $0[1])
            }
        }
        let shifts: [(String, (UInt64, UInt32) -> UInt64)] = [
            ("shl.b64", { $1 > 63 ? 0 : $0 << UInt64($1) }), ("shr.u64", { $1 > 63 ? 0 : $0 >> UInt64($1) }),
            ("shr.s64", { UInt64(bitPattern: $0.s64 >> Int64(Swift.min($1, 63))) }),
        ]
        for (name, reference) in shifts {
            try OperationTable("\(name) $d, $a, $b;", "b64", "b64", "b32").check([a, b], on: machine) {
                reference($0[0], $0[1].u32)
            }
        }
    }

    @Test("16-bit operations use only 16 bits")
    func halves() throws {
        let machine = try Machine()
        let table: [(String, (UInt16, UInt16) -> UInt16)] = [
            ("add.s16", { $0 &+ $1 }), ("sub.s16", { $0 &- $1 }), ("mul.lo.s16", { $0 &* $1 }),
            ("mul.hi.u16", { UInt16((UInt32($0) * UInt32($1)) >> 16) }),
            ("div.u16", { $1 == 0 ? ~0 : $0 / $1 }),
            (
                "div.s16",
                { x, y in
                    let (p, q) = (Int16(bitPattern: x), Int16(bitPattern: y))
                    return q == 0 ? ~0 : UInt16(bitPattern: p.dividedReportingOverflow(by: q).partialValue)
                }
            ),
            ("min.s16", { UInt16(bitPattern: Swift.min(Int16(bitPattern: $0), Int16(bitPattern: $1))) }),
            ("max.u16", { Swift.max($0, $1) }), ("and.b16", { $0 & $1 }), ("xor.b16", { $0 ^ $1 }),
        ]
        for (name, reference) in table {
            try OperationTable("\(name) $d, $a, $b;", "b16", "b16", "b16").check([a, b], on: machine) {
                UInt64(reference($0[0].u16, $0[1].u16))
            }
        }
        try OperationTable("shr.s16 $d, $a, $b;", "b16", "b16", "b32").check([a, b], on: machine) {
            UInt64(signed: $0[0].s16 >> Int16(Swift.min($0[1].u32, 15)))
        }
        try OperationTable("shr.u16 $d, $a, $b;", "b16", "b16", "b32").check([a, b], on: machine) {
            $0[1].u32 > 15 ? 0 : UInt64($0[0].u16 >> UInt16($0[1].u32))
        }
        try OperationTable("mul.wide.s16 $d, $a, $b;", "b32", "b16", "b16").check([a, b], on: machine) {
            UInt64(signed: Int32($0[0].s16) * Int32($0[1].s16))
        }
    }

    @Test("Products widen and add")
    func products() throws {
        let machine = try Machine()
        try OperationTable("mul.wide.u32 $d, $a, $b;", "b64", "b32", "b32").check([a, b], on: machine) {
            UInt64($0[0].u32) * UInt64($0[1].u32)
        }
        try OperationTable("mul.wide.s32 $d, $a, $b;", "b64", "b32", "b32").check([a, b], on: machine) {
            UInt64(bitPattern: Int64($0[0].s32) * Int64($0[1].s32))
        }
        try OperationTable("mad.wide.s32 $d, $a, $b, $c;", "b64", "b32", "b32", "b64").check([a, b, c], on: machine) {
            UInt64(bitPattern: Int64($0[0].s32) * Int64($0[1].s32)) &+ $0[2]
        }
        try OperationTable("mad.lo.s32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32").check([a, b, c], on: machine) {
            UInt64($0[0].u32 &* $0[1].u32 &+ $0[2].u32)
        }
        try OperationTable("mad.hi.u32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32").check([a, b, c], on: machine) {
            UInt64(UInt32((UInt64($0[0].u32) * UInt64($0[1].u32)) >> 32) &+ $0[2].u32)
        }
        try OperationTable("mul24.lo.u32 $d, $a, $b;", "b32", "b32", "b32").check([a, b], on: machine) {
            UInt64(UInt32($0[0].u32 & 0xffffff) &* ($0[1].u32 & 0xffffff))
        }
        try OperationTable("sad.s32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32").check([a, b, c], on: machine) {
            let difference = abs(Int64($0[0].s32) - Int64($0[1].s32))
            return UInt64($0[2].u32 &+ UInt32(truncatingIfNeeded: difference))
        }
        try OperationTable("neg.s32 $d, $a;", "b32", "b32").check([a], on: machine) { UInt64(0 &- $0[0].u32) }
        try OperationTable("abs.s32 $d, $a;", "b32", "b32").check([a], on: machine) {
            UInt64(signed: $0[0].s32 < 0 ? 0 &- $0[0].s32 : $0[0].s32)
        }
        try OperationTable("abs.s64 $d, $a;", "b64", "b64").check([a], on: machine) {
            UInt64(bitPattern: $0[0].s64 < 0 ? 0 &- $0[0].s64 : $0[0].s64)
        }
    }

    @Test("Carries travel through chains of additions, subtractions and products")
    func carries() throws {
        let machine = try Machine()
        let add = "{ .reg .b32 %lo; add.cc.u32 %lo, $a, $b; addc.u32 $d, 0, 0; }"
        try OperationTable(add, "b32", "b32", "b32", isBlock: true).check([a, b], on: machine) {
            $0[0].u32.addingReportingOverflow($0[1].u32).overflow ? 1 : 0
        }
        let subtract = "{ .reg .b64 %lo; sub.cc.s64 %lo, $a, $b; subc.s64 $d, 0, 0; }"
        try OperationTable(subtract, "b64", "b64", "b64", isBlock: true).check([a, b], on: machine) {
            $0[0] < $0[1] ? ~0 : 0
        }
        let multiply = """
            { .reg .b32 %lo; mad.lo.cc.u32 %lo, $a, $b, $c; madc.hi.u32 $d, $a, $b, 0; }
            """
        try OperationTable(multiply, "b32", "b32", "b32", "b32", isBlock: true).check([a, b, c], on: machine) {
            (UInt64($0[0].u32) * UInt64($0[1].u32) + UInt64($0[2].u32)) >> 32
        }
    }

    @Test("Two halfwords of a register are added and compared each for itself")
    func halfwords() throws {
        let machine = try Machine()
        let operations: [(String, (Int32, Int32) -> Int32)] = [
            ("add", { $0 &+ $1 }), ("min", { Swift.min($0, $1) }), ("max", { Swift.max($0, $1) }),
            ("min.relu", { Swift.max(Swift.min($0, $1), 0) }), ("max.relu", { Swift.max($0, $1, 0) }),
        ]
        for (name, reference) in operations {
            try OperationTable("\(name).s16x2 $d, $a, $b;", "b32", "b32", "b32").check([a, b], on: machine) { row in
                let low = reference(Int32(Int16(truncatingIfNeeded: row[0])), Int32(Int16(truncatingIfNeeded: row[1])))
                let high = reference(
                    Int32(Int16(truncatingIfNeeded: row[0] >> 16)), Int32(Int16(truncatingIfNeeded: row[1] >> 16)))
                return UInt64(UInt16(truncatingIfNeeded: low)) | UInt64(UInt16(truncatingIfNeeded: high)) << 16
            }
            guard !name.hasSuffix("relu") else { continue }
            try OperationTable("\(name).u16x2 $d, $a, $b;", "b32", "b32", "b32").check([a, b], on: machine) { row in
                let low = reference(Int32(row[0].u16), Int32(row[1].u16))
                let high = reference(Int32((row[0] >> 16).u16), Int32((row[1] >> 16).u16))
                return UInt64(UInt16(truncatingIfNeeded: low)) | UInt64(UInt16(truncatingIfNeeded: high)) << 16
            }
        }
    }

    @Test("min and max with relu are never negative")
    func relu() throws {
        let machine = try Machine()
        let operations: [(String, (Int32, Int32) -> Int32)] = [
            ("min.relu.s32", { Swift.max(Swift.min($0, $1), 0) }), ("max.relu.s32", { Swift.max($0, $1, 0) }),
        ]
        for (name, reference) in operations {
            try OperationTable("\(name) $d, $a, $b;", "b32", "b32", "b32").check([a, b], on: machine) {
                UInt64(UInt32(bitPattern: reference(Int32(bitPattern: $0[0].u32), Int32(bitPattern: $0[1].u32))))
            }
        }
    }
}
