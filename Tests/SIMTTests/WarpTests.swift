import SIMT
import Testing

@Suite("Warp-wide operations")
struct WarpTests {
    /// Runs text with the lane's index in %r0 and its value in %r1; stores %r2.
    private func run(
        _ body: String, values: [UInt32]? = nil, threads: Int = 32, on machine: Machine
    ) throws -> [UInt32] {
        let values = values ?? (0..<UInt32(threads)).map { $0 &* 2_654_435_761 }
        let input = try machine.upload(values)
        let output = try machine.upload([UInt32](repeating: 0xdead, count: threads))
        let text = kernelText(
            2,
            """
            mov.u32 %r0, %tid.x; mul.wide.u32 %d0, %r0, 4; add.s64 %d1, %p0, %d0; add.s64 %d2, %p1, %d0;
            ld.global.u32 %r1, [%d2]; mov.u32 %r2, 0;
            \(body)
            st.global.u32 [%d1], %r2;
            """)
        let result = try machine.run(
            machine.program(text), "k", block: Extent(UInt32(threads)), .u64(output), .u64(input))
        try #require(result.fault == .none, "\(result.message)")
        return try machine.download(output, UInt32.self, count: threads)
    }

    private let values = (0..<UInt32(32)).map { $0 &* 2_654_435_761 }

    @Test("Shuffles follow PTX's definition", arguments: ["up", "down", "bfly", "idx"])
    func shuffles(mode: String) throws {
        let machine = try Machine()
        for (clamp, b) in [(31, 1), (31, 5), (0x1c1f, 1), (0x181f, 3), (0x1807, 2), (0, 1), (0x1800, 9), (31, 40)] {
            let body = """
                { .reg .pred %t; shfl.sync.\(mode).b32 %r3|%t, %r1, \(b), \(clamp), -1; selp.u32 %r4, 1, 0, %t;
                shl.b32 %r3, %r3, 1; or.b32 %r2, %r3, %r4; }
                """
            let found = try run(body, on: machine)
            for lane in 0..<32 {
                let (segment, limit, offset) = ((clamp >> 8) & 31, clamp & 31, b & 31)
                let high = (lane & segment) | (limit & ~segment)
                var from: Int
                var isValid: Bool
                switch mode {
                case "up": (from, isValid) = (lane - offset, lane - offset >= high)
                case "down": (from, isValid) = (lane + offset, lane + offset <= high)
                case "bfly": (from, isValid) = (lane ^ offset, lane ^ offset <= high)
                default:
                    from = (lane & segment) | (offset & ~segment)
                    isValid = from <= high
                }
                if !isValid { from = lane }
                #expect(found[lane] == values[from & 31] << 1 | (isValid ? 1 : 0), "\(mode) \(b) \(clamp) \(lane)")
                isValid = false
            }
        }
    }

    @Test("Votes see the lanes of their member masks only")
    func votes() throws {
        let machine = try Machine()
        let low = "setp.lt.u32 %q0, %r0, 7;"
        #expect(try run("\(low) vote.sync.ballot.b32 %r2, %q0, -1;", on: machine) == .init(repeating: 0x7f, count: 32))
        #expect(try run("\(low) vote.sync.any.pred %q1, %q0, -1; selp.u32 %r2, 1, 0, %q1;", on: machine)[31] == 1)
        #expect(try run("\(low) vote.sync.all.pred %q1, %q0, -1; selp.u32 %r2, 1, 0, %q1;", on: machine)[0] == 0)
        #expect(try run("\(low) vote.sync.uni.pred %q1, !%q0, -1; selp.u32 %r2, 1, 0, %q1;", on: machine)[0] == 0)
        // Two halves with masks of their own, in one converged instruction.
        let halves = """
            \(low) and.b32 %r3, %r0, 16; shl.b32 %r4, 0xffff, %r3; vote.sync.ballot.b32 %r2, %q0, %r4;
            """
        #expect(try run(halves, on: machine) == (0..<32).map { $0 < 16 ? 0x7f : 0 })
        // Two halves from two sides of a branch.
        let sides = """
            setp.lt.u32 %q1, %r0, 16; @%q1 bra LOW; vote.sync.ballot.b32 %r2, %q1, 0xffff0000; bra OUT;
            LOW: vote.sync.ballot.b32 %r2, %q1, 0xffff; OUT:
            """
        #expect(try run(sides, on: machine) == (0..<32).map { $0 < 16 ? 0xffff : 0 })
    }

    @Test("A .sync instruction waits for lanes that come later, and not for exited ones")
    func gathering() throws {
        let machine = try Machine()
        let body = """
            mov.u32 %r3, 0;
            LOOP: setp.ge.u32 %q0, %r3, %r0; @%q0 bra DONE; add.u32 %r3, %r3, 1; bra LOOP;
            DONE: setp.eq.u32 %q1, %r0, 3; @%q1 exit; shfl.sync.idx.b32 %r2, %r3, 31, 31, -1;
            """
        #expect(try run(body, on: machine) == (0..<32).map { $0 == 3 ? 0xdead : 31 })
    }

    @Test("match groups equal values, redux reduces, elect takes the first")
    func groups() throws {
        let machine = try Machine()
        let small = (0..<UInt32(32)).map { $0 % 5 }
        let any = try run("match.any.sync.b32 %r2, %r1, -1;", values: small, on: machine)
        for lane in 0..<32 {
            let same = (0..<32).reduce(UInt32(0)) { small[$1] == small[lane] ? $0 | 1 << UInt32($1) : $0 }
            #expect(any[lane] == same)
        }
        let all = "match.all.sync.b32 %r2|%q0, %r1, -1; selp.u32 %r3, 1, 0, %q0; add.u32 %r2, %r2, %r3;"
        #expect(try run(all, values: small, on: machine)[0] == 0)
        #expect(try run(all, values: .init(repeating: 4, count: 32), on: machine)[9] == 0)
        let wide = "cvt.u64.u32 %d3, %r1; shl.b64 %d3, %d3, 40; match.any.sync.b64 %r2, %d3, -1;"
        #expect(try run(wide, values: small, on: machine) == any)
        let table: [(String, (UInt32, UInt32) -> UInt32)] = [
            ("add.u32", { $0 &+ $1 }), ("and.b32", { $0 & $1 }), ("or.b32", { $0 | $1 }), ("xor.b32", { $0 ^ $1 }),
            ("min.u32", { Swift.min($0, $1) }), ("max.u32", { Swift.max($0, $1) }),
            ("min.s32", { UInt32(bitPattern: Swift.min(Int32(bitPattern: $0), Int32(bitPattern: $1))) }),
            ("max.s32", { UInt32(bitPattern: Swift.max(Int32(bitPattern: $0), Int32(bitPattern: $1))) }),
        ]
        for (name, reference) in table {
            let expected = values.dropFirst().reduce(values[0], reference)
            #expect(try run("redux.sync.\(name) %r2, %r1, -1;", on: machine) == .init(repeating: expected, count: 32))
        }
        let elect = "elect.sync %r3|%q0, 0xfff0; selp.u32 %r2, 1, 0, %q0; mad.lo.u32 %r2, %r3, 10, %r2;"
        let elected = try run(
            "setp.lt.u32 %q1, %r0, 4; @%q1 bra O; setp.gt.u32 %q1, %r0, 15; @%q1 bra O;\(elect) O:",
            on: machine)
        #expect(elected == (0..<32).map { $0 < 4 || $0 > 15 ? 0 : $0 == 4 ? 41 : 40 })
    }
}

@Suite("Atomics")
struct AtomicTests {
    @Test("Every operation gives the old value and leaves the new one")
    func operations() throws {
        let machine = try Machine()
        let table: [(String, UInt32, UInt32, (UInt32, UInt32) -> UInt32)] = [
            ("add.u32", 5, 7, { $0 &+ $1 }), ("add.s32", ~0, 7, { $0 &+ $1 }), ("and.b32", 12, 10, { $0 & $1 }),
            ("or.b32", 12, 10, { $0 | $1 }), ("xor.b32", 12, 10, { $0 ^ $1 }), ("exch.b32", 1, 2, { $1 }),
            ("min.u32", 3, ~0, { Swift.min($0, $1) }), ("max.u32", 3, ~0, { Swift.max($0, $1) }),
            ("min.s32", 3, ~0, { $1 < 1 << 31 ? Swift.min($0, $1) : $1 }), ("max.s32", 3, ~0, { x, _ in x }),
            ("inc.u32", 3, 4, { $0 >= $1 ? 0 : $0 + 1 }), ("inc.u32", 4, 4, { $0 >= $1 ? 0 : $0 + 1 }),
            ("dec.u32", 0, 4, { $0 == 0 || $0 > $1 ? $1 : $0 - 1 }),
            ("dec.u32", 3, 4, { $0 == 0 || $0 > $1 ? $1 : $0 - 1 }),
            (
                "add.f32", Float(1.5).bitPattern, Float(2).bitPattern,
                { x, y in
                    (Float(bitPattern: x) + Float(bitPattern: y)).bitPattern
                }
            ),
            ("add.noftz.f16x2", 0x3c00_4000, 0x3c00_3c00, { _, _ in 0x4000_4200 }),
        ]
        for (name, old, operand, reference) in table {
            let cell = try machine.upload([old, 0])
            let text = kernelText(
                1,
                """
                mov.b32 %r1, 0x\(String(operand, radix: 16)); atom.global.\(name) %r2, [%p0], %r1;
                st.global.u32 [%p0+4], %r2;
                """)
            let result = try machine.run(machine.program(text), "k", block: Extent(1), .u64(cell))
            #expect(result.fault == .none, "\(name) \(result.message)")
            #expect(try machine.download(cell, UInt32.self, count: 2) == [reference(old, operand), old], "\(name)")
        }
    }

    @Test("64-bit and 16-bit operations, and cas that fails")
    func widths() throws {
        let machine = try Machine()
        let text = kernelText(
            1,
            """
            mov.u64 %d0, 0x8000000000000000; atom.global.add.u64 %d1, [%p0], %d0; st.global.u64 [%p0+8], %d1;
            atom.global.cas.b64 %d2, [%p0+16], 5, 6; atom.global.cas.b64 %d3, [%p0+16], 7, 8;
            st.global.u64 [%p0+24], %d2; st.global.u64 [%p0+32], %d3;
            mov.f64 %g0, 0d3FF8000000000000; atom.global.add.f64 %g1, [%p0+40], %g0;
            mov.u16 %h0, 3; mov.u16 %h1, 9; atom.global.cas.b16 %h2, [%p0+48], %h0, %h1;
            atom.global.min.s64 %d4, [%p0+56], -3; red.global.max.u64 [%p0+56], 1;
            """)
        let cells = try machine.upload([1, 0, 5, 0, 0, Double(2).bitPattern, 3, 4])
        let result = try machine.run(machine.program(text), "k", block: Extent(1), .u64(cells))
        #expect(result.fault == .none, "\(result.message)")
        let found = try machine.download(cells, UInt64.self, count: 8)
        #expect(found == [1 << 63 + 1, 1, 6, 5, 6, Double(3.5).bitPattern, 9, UInt64(bitPattern: -3)])
    }

    @Test("Additions from many blocks on several host threads all count", arguments: [1, 3])
    func threads(count: Int) throws {
        let machine = try Machine(threadCount: count)
        let text = kernelText(
            1,
            """
            .shared .align 4 .u32 sum;
            mov.u32 %r0, %tid.x; mov.u32 %r3, 0; setp.ne.u32 %q0, %r0, 0; @!%q0 st.shared.u32 [sum], %r3; bar.sync 0;
            LOOP: atom.global.add.u32 %r1, [%p0], 1; red.global.add.f32 [%p0+4], 0f3F800000;
            atom.shared.add.u32 %r2, [sum], 1; add.u32 %r3, %r3, 1; setp.lt.u32 %q1, %r3, 20; @%q1 bra LOOP;
            bar.sync 0; ld.shared.u32 %r4, [sum]; @!%q0 red.global.add.u32 [%p0+8], %r4;
            """)
        let cells = try machine.upload([UInt32](repeating: 0, count: 3))
        let result = try machine.run(
            machine.program(text), "k", grid: Extent(40), block: Extent(96), .u64(cells))
        #expect(result.fault == .none, "\(result.message)")
        let total: UInt32 = 40 * 96 * 20
        #expect(try machine.download(cells, UInt32.self, count: 3) == [total, Float(total).bitPattern, total])
    }
}
