import SIMT
import Testing

@Suite("Bits and fields")
struct BitTests {
    private let a = Samples.integers(4)
    private let b = Samples.integers(5)
    private let c = Samples.integers(6)
    /// Counts and positions around the widths of registers.
    private let n = Samples.integers(7).map { $0 % 70 }
    private let m = Samples.integers(8).map { $0 % 70 }

    @Test("Counting and finding bits")
    func counting() throws {
        let machine = try Machine()
        let table: [(String, (UInt32) -> UInt32)] = [
            ("popc.b32", { UInt32($0.nonzeroBitCount) }), ("clz.b32", { UInt32($0.leadingZeroBitCount) }),
            ("not.b32", { ~$0 }), ("cnot.b32", { $0 == 0 ? 1 : 0 }),
            ("brev.b32", { x in (0..<32).reduce(0) { $0 | ((x >> UInt32($1)) & 1) << UInt32(31 - $1) } }),
            ("bfind.u32", { $0 == 0 ? ~0 : UInt32(31 - $0.leadingZeroBitCount) }),
            ("bfind.shiftamt.u32", { $0 == 0 ? ~0 : UInt32($0.leadingZeroBitCount) }),
            (
                "bfind.s32",
                { x in
                    let y = Int32(bitPattern: x) < 0 ? ~x : x
                    return y == 0 ? ~0 : UInt32(31 - y.leadingZeroBitCount)
                }
            ),
        ]
        for (name, reference) in table {
            try OperationTable("\(name) $d, $a;", "b32", "b32").check([a], on: machine) {
                UInt64(reference($0[0].u32))
            }
        }
        let longs: [(String, (UInt64) -> UInt32)] = [
            ("popc.b64", { UInt32($0.nonzeroBitCount) }), ("clz.b64", { UInt32($0.leadingZeroBitCount) }),
            ("bfind.u64", { $0 == 0 ? ~0 : UInt32(63 - $0.leadingZeroBitCount) }),
        ]
        for (name, reference) in longs {
            try OperationTable("\(name) $d, $a;", "b32", "b64").check([a], on: machine) { UInt64(reference($0[0])) }
        }
        try OperationTable("brev.b64 $d, $a;", "b64", "b64").check([a], on: machine) { operands in
            (0..<64).reduce(0) { $0 | ((operands[0] >> UInt64($1)) & 1) << UInt64(63 - $1) }
        }
    }

    /// PTX's own definition of `bfe`, bit by bit.
    private func extract(_ a: UInt64, _ start: UInt64, _ length: UInt64, top: Int, signed: Bool) -> UInt64 {
        func bit(_ index: Int) -> UInt64 { (a >> UInt64(index)) & 1 }
        let position = Int(start & 255)
        let count = Int(length & 255)
        let sign = !signed || count == 0 ? 0 : bit(min(position + count - 1, top))
        return (0...top).reduce(0) { result, index in
            let isInside = index < count && position + index <= top
            return result | (isInside ? bit(position + index) : sign) << UInt64(index)
        }
    }

    private func insert(_ a: UInt64, _ b: UInt64, _ start: UInt64, _ length: UInt64, top: Int) -> UInt64 {
        let position = Int(start & 255)
        var result = b
        for index in 0..<Int(length & 255) where position + index <= top {
            let mask: UInt64 = 1 << UInt64(position + index)
            result = (result & ~mask) | (index <= 63 ? ((a >> UInt64(index)) & 1) << UInt64(position + index) : 0)
        }
        return result
    }

    @Test("Fields are cut out and put in as PTX defines it")
    func fields() throws {
        let machine = try Machine()
        for signed in [false, true] {
            let type = signed ? "s" : "u"
            try OperationTable("bfe.\(type)32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32")
                .check([a, n, m], on: machine) {
                    extract(UInt64($0[0].u32), $0[1], $0[2], top: 31, signed: signed)
                }
            try OperationTable("bfe.\(type)64 $d, $a, $b, $c;", "b64", "b64", "b32", "b32")
                .check([a, n, m], on: machine) { extract($0[0], $0[1], $0[2], top: 63, signed: signed) }
        }
        try OperationTable("bfi.b32 $d, $a, $b, $c, $e;", "b32", "b32", "b32", "b32", "b32")
            .check([a, b, n, m], on: machine) {
                insert(UInt64($0[0].u32), UInt64($0[1].u32), $0[2], $0[3], top: 31)
            }
        try OperationTable("bfi.b64 $d, $a, $b, $c, $e;", "b64", "b64", "b64", "b32", "b32")
            .check([a, b, n, m], on: machine) { insert($0[0], $0[1], $0[2], $0[3], top: 63) }
        try OperationTable("bmsk.clamp.b32 $d, $a, $b;", "b32", "b32", "b32").check([n, m], on: machine) {
            $0[0] > 31 ? 0 : (($0[1] > 31 ? 0xffff_ffff : (1 << $0[1]) - 1) << $0[0])
        }
    }

    @Test("Funnel shifts clamp and wrap")
    func funnels() throws {
        let machine = try Machine()
        for wraps in [false, true] {
            let mode = wraps ? "wrap" : "clamp"
            let table = OperationTable("shf.l.\(mode).b32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32")
            try table.check([a, b, n], on: machine) {
                let count = wraps ? $0[2] & 31 : min($0[2], 32)
                let pair = UInt64($0[1].u32) << 32 | UInt64($0[0].u32)
                return count == 32 ? UInt64($0[0].u32) : (pair << count) >> 32
            }
            try OperationTable("shf.r.\(mode).b32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32")
                .check([a, b, n], on: machine) {
                    let count = wraps ? $0[2] & 31 : min($0[2], 32)
                    return (UInt64($0[1].u32) << 32 | UInt64($0[0].u32)) >> count
                }
        }
    }

    @Test("prmt picks bytes and repeats signs")
    func permutes() throws {
        let machine = try Machine()
        try OperationTable("prmt.b32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32").check([a, b, c], on: machine) {
            let operands = $0
            let bytes = (0..<8).map { index in
                UInt8(truncatingIfNeeded: (index < 4 ? operands[0] : operands[1]) >> UInt64(index % 4 * 8))
            }
            return (0..<4).reduce(0) { result, index in
                let selector = Int((operands[2] >> UInt64(index * 4)) & 15)
                let byte = bytes[selector & 7]
                let value: UInt8 = selector & 8 == 0 ? byte : byte & 0x80 != 0 ? 0xff : 0
                return result | UInt64(value) << UInt64(index * 8)
            }
        }
        let modes: [(String, [UInt64])] = [
            ("f4e", [0x3210, 0x4321, 0x5432, 0x6543]), ("b4e", [0x5670, 0x6701, 0x7012, 0x0123]),
            ("rc8", [0x0000, 0x1111, 0x2222, 0x3333]), ("ecl", [0x3210, 0x3211, 0x3222, 0x3333]),
            ("ecr", [0x0000, 0x1110, 0x2210, 0x3210]), ("rc16", [0x1010, 0x3232, 0x1010, 0x3232]),
        ]
        for (mode, selectors) in modes {
            try OperationTable("prmt.b32.\(mode) $d, $a, $b, $c;", "b32", "b32", "b32", "b32")
                .check([a, b, c], on: machine) { operands in
                    let pair = UInt64(operands[1].u32) << 32 | UInt64(operands[0].u32)
                    let selector = selectors[Int(operands[2] & 3)]
                    return (0..<4).reduce(0) { result, index in
                        let byte = (pair >> ((selector >> UInt64(index * 4) & 7) * 8)) & 255
                        return result | byte << UInt64(index * 8)
                    }
                }
        }
    }

    @Test("lop3 looks up every combination", arguments: [0x00, 0x1e, 0x96, 0xe8, 0xca, 0xfe, 0xff])
    func lookup(table: Int) throws {
        let machine = try Machine()
        try OperationTable("lop3.b32 $d, $a, $b, $c, \(table);", "b32", "b32", "b32", "b32")
            .check([a, b, c], on: machine) { operands in
                (0..<32).reduce(0) { result, bit in
                    let index = (0..<3).reduce(0) { $0 << 1 | Int((operands[$1] >> UInt64(bit)) & 1) }
                    return result | UInt64((table >> index) & 1) << UInt64(bit)
                }
            }
    }

    @Test("Dot products of bytes take signs as told")
    func dots() throws {
        let machine = try Machine()
        try OperationTable("dp4a.s32.u32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32").check([a, b, c], on: machine) {
            operands in
            (0..<4).reduce(operands[2]) { sum, index in
                let x = Int64(Int8(truncatingIfNeeded: operands[0] >> UInt64(index * 8)))
                let y = Int64(UInt8(truncatingIfNeeded: operands[1] >> UInt64(index * 8)))
                return sum &+ UInt64(bitPattern: x * y)
            }
        }
        try OperationTable("dp2a.hi.u32.s32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32")
            .check([a, b, c], on: machine) { operands in
                (0..<2).reduce(operands[2]) { sum, index in
                    let x = Int64(UInt16(truncatingIfNeeded: operands[0] >> UInt64(index * 16)))
                    let y = Int64(Int8(truncatingIfNeeded: operands[1] >> UInt64(16 + index * 8)))
                    return sum &+ UInt64(bitPattern: x * y)
                }
            }
    }
}
