import SIMT
import Testing

@Suite("Memory barriers and video instructions")
struct MemoryBarrierTests {
    @Test("Threads meet at an mbarrier, phase after phase", arguments: [false, true])
    func phases(byParity: Bool) throws {
        let machine = try Machine()
        let wait =
            byParity
            ? "mbarrier.try_wait.parity.shared.b64 %q1, [cell], %r5;"
            : "mbarrier.test_wait.shared.b64 %q1, [cell], %d4;"
        let text = kernelText(
            1,
            """
            mov.u32 %r0, %tid.x; setp.ne.u32 %q0, %r0, 0; @%q0 bra READY;
            mbarrier.init.shared.b64 [cell], 64;
            READY: bar.sync 0; mov.u32 %r1, buffer; mad.lo.u32 %r2, %r0, 4, %r1; mov.u32 %r3, 0; mov.u32 %r4, 0;
            sub.u32 %r6, 63, %r0; mad.lo.u32 %r6, %r6, 4, %r1;
            ROUND: and.b32 %r5, %r3, 1; add.u32 %r3, %r3, 1; mad.lo.u32 %r7, %r3, 100, %r0; st.shared.u32 [%r2], %r7;
            mbarrier.arrive.shared.b64 %d4, [cell];
            WAIT: \(wait) @!%q1 bra WAIT;
            ld.shared.u32 %r8, [%r6]; add.u32 %r4, %r4, %r8; bar.sync 0;
            setp.lt.u32 %q2, %r3, 3; @%q2 bra ROUND;
            mul.wide.u32 %d0, %r0, 4; add.s64 %d1, %p0, %d0; st.global.u32 [%d1], %r4;
            """, declarations: ".shared .align 8 .b64 cell; .shared .align 4 .b32 buffer[64];")
        let output = try machine.allocate(256)
        let result = try machine.run(machine.program(text), "k", block: Extent(64), .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        #expect(try machine.download(output, UInt32.self, count: 64) == (0..<64).map { 600 + 3 * (63 - $0) })
    }

    @Test("Packed bytes add, clamp and differ")
    func video() throws {
        let machine = try Machine()
        let (a, b, c) = (Samples.integers(13), Samples.integers(14), Samples.integers(15))
        func bytes(_ value: UInt64) -> [Int] { (0..<4).map { Int(value >> UInt64($0 * 8) & 255) } }
        func pack(_ values: [Int]) -> UInt64 {
            values.enumerated().reduce(0) { $0 | UInt64($1.element & 255) << UInt64($1.offset * 8) }
        }
        try OperationTable("vabsdiff4.u32.u32.u32 $d, $a, $b, $c;", "b32", "b32", "b32", "b32")
            .check([a, b, c], on: machine) { operands in
                pack(zip(bytes(operands[0]), bytes(operands[1])).map { abs($0 - $1) })
            }
        try OperationTable("vabsdiff4.u32.u32.u32.add $d, $a, $b, $c;", "b32", "b32", "b32", "b32")
            .check([a, b, c], on: machine) { operands in
                let sum = zip(bytes(operands[0]), bytes(operands[1])).reduce(0) { $0 + abs($1.0 - $1.1) }
                return operands[2] &+ UInt64(sum)
            }
        try OperationTable("vadd4.u32.u32.u32.sat $d, $a, $b, $c;", "b32", "b32", "b32", "b32")
            .check([a, b, c], on: machine) { operands in
                pack(zip(bytes(operands[0]), bytes(operands[1])).map { min(255, $0 + $1) })
            }
    }
}
