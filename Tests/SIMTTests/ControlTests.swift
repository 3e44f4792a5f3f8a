import SIMT
import Testing

@Suite("Divergence, barriers and locks")
struct ControlTests {
    private func run(
        _ body: String, threads: Int, count: Int? = nil, declarations: String = "", on machine: Machine
    ) throws -> [UInt32] {
        let output = try machine.upload([UInt32](repeating: 0, count: count ?? threads))
        let text = kernelText(
            1, "mov.u32 %r0, %tid.x; mul.wide.u32 %d0, %r0, 4; add.s64 %d1, %p0, %d0;\n" + body,
            declarations: declarations)
        let result = try machine.run(
            machine.program(text), "k", block: Extent(UInt32(threads)), .u64(output))
        try #require(result.fault == .none, "\(result.message)")
        return try machine.download(output, UInt32.self, count: count ?? threads)
    }

    @Test("Branches diverge, loops end at different times, and lanes meet again")
    func divergence() throws {
        let machine = try Machine()
        let body = """
            and.b32 %r1, %r0, 1; setp.eq.u32 %q0, %r1, 0; mov.u32 %r2, 0; mov.u32 %r3, 0;
            @%q0 bra EVEN;
            add.u32 %r2, %r2, 1000; bra.uni JOIN;
            EVEN: add.u32 %r2, %r2, 2000;
            JOIN: activemask.b32 %r5;
            LOOP: setp.ge.u32 %q1, %r3, %r0; @%q1 bra DONE; add.u32 %r3, %r3, 1; add.u32 %r2, %r2, %r3; bra LOOP;
            DONE: activemask.b32 %r6; and.b32 %r5, %r5, %r6; popc.b32 %r5, %r5; mad.lo.u32 %r2, %r5, 100000, %r2;
            st.global.u32 [%d1], %r2;
            """
        let values = try run(body, threads: 48, on: machine)
        for (thread, value) in values.enumerated() {
            let active = thread < 32 ? 32 : 16
            #expect(Int(value) == active * 100_000 + (thread % 2 == 0 ? 2000 : 1000) + thread * (thread + 1) / 2)
        }
    }

    @Test("brx.idx sends lanes to their targets")
    func branchTable() throws {
        let machine = try Machine()
        let body = """
            and.b32 %r1, %r0, 3;
            TABLE: .branchtargets ZERO, ONE, TWO, THREE;
            brx.idx %r1, TABLE;
            ZERO: mov.u32 %r2, 10; bra OUT;
            ONE: mov.u32 %r2, 11; bra OUT;
            TWO: mov.u32 %r2, 12; bra OUT;
            THREE: mov.u32 %r2, 13;
            OUT: st.global.u32 [%d1], %r2;
            """
        #expect(try run(body, threads: 40, on: machine) == (0..<40).map { 10 + $0 % 4 })
    }

    @Test("Every thread's own spin lock makes progress inside a warp")
    func spinLock() throws {
        let machine = try Machine()
        let body = """
            TRY: atom.global.cas.b32 %r1, [%p0], 0, 1; setp.ne.u32 %q0, %r1, 0; @%q0 bra TRY;
            ld.volatile.global.u32 %r2, [%p0+4]; add.u32 %r2, %r2, 1; st.volatile.global.u32 [%p0+4], %r2;
            membar.gl; atom.global.exch.b32 %r3, [%p0], 0;
            """
        #expect(try run(body, threads: 96, count: 2, on: machine) == [0, 96])
    }

    @Test("A lane may wait for a later lane of its warp")
    func producer() throws {
        let machine = try Machine()
        let body = """
            setp.ne.u32 %q0, %r0, 0; @%q0 bra PRODUCE;
            WAIT: ld.volatile.global.u32 %r1, [%p0+4]; setp.eq.u32 %q1, %r1, 0; @%q1 bra WAIT;
            st.global.u32 [%p0], %r1; bra OUT;
            PRODUCE: setp.ne.u32 %q2, %r0, 17; @%q2 bra OUT; mov.u32 %r2, 99; st.volatile.global.u32 [%p0+4], %r2;
            OUT: bar.sync 0;
            """
        #expect(try run(body, threads: 32, count: 2, on: machine) == [99, 99])
    }

    @Test("Barriers count threads, also from both sides of a branch and after exits")
    func barriers() throws {
        let machine = try Machine()
        let body = """
            mov.u32 %r1, buffer; mad.lo.u32 %r2, %r0, 4, %r1;
            setp.ge.u32 %q0, %r0, 90; @%q0 exit;
            st.shared.u32 [%r2], %r0;
            and.b32 %r3, %r0, 1; setp.eq.u32 %q1, %r3, 0; @%q1 bra EVEN;
            bar.sync 0; bra JOIN;
            EVEN: bar.sync 0;
            JOIN: sub.u32 %r4, 89, %r0; mad.lo.u32 %r5, %r4, 4, %r1; ld.shared.u32 %r6, [%r5];
            barrier.sync 3; st.global.u32 [%d1], %r6;
            """
        let values = try run(
            body, threads: 100, declarations: ".shared .align 4 .u32 buffer[100];", on: machine)
        #expect(values == (0..<100).map { $0 < 90 ? 89 - UInt32($0) : 0 })
    }

    @Test("Barriers reduce predicates, and named ones take counts")
    func reductions() throws {
        let machine = try Machine()
        let body = """
            setp.lt.u32 %q0, %r0, 10; bar.red.popc.u32 %r1, 0, %q0; bar.red.and.pred %q1, 0, %q0;
            bar.red.or.pred %q2, 1, %q0; selp.u32 %r2, 100, 0, %q1; selp.u32 %r3, 1000, 0, %q2;
            add.u32 %r1, %r1, %r2; add.u32 %r1, %r1, %r3;
            setp.ge.u32 %q3, %r0, 64; @%q3 bra LAST;
            setp.ge.u32 %q4, %r0, 32; @%q4 bra SECOND;
            bar.sync 2, 64; bra LAST;
            SECOND: bar.arrive 2, 64;
            LAST: st.global.u32 [%d1], %r1;
            """
        #expect(try run(body, threads: 96, on: machine) == [UInt32](repeating: 1010, count: 96))
    }

    @Test("bar.warp.sync joins lanes from different places")
    func warpBarrier() throws {
        let machine = try Machine()
        let body = """
            mov.u32 %r1, buffer; mad.lo.u32 %r2, %r0, 4, %r1;
            setp.lt.u32 %q0, %r0, 16; @%q0 bra LOW;
            st.shared.u32 [%r2], %r0; bar.warp.sync 0xffffffff; bra OUT;
            LOW: bar.warp.sync -1; ld.shared.u32 %r3, [%r2+64]; st.global.u32 [%d1], %r3;
            OUT: ret;
            """
        let values = try run(body, threads: 32, declarations: ".shared .align 4 .u32 buffer[32];", on: machine)
        #expect(values == (0..<32).map { $0 < 16 ? UInt32($0) + 16 : 0 })
    }

    @Test("Threads that can never meet are a failure with a text, not a hang")
    func deadlock() throws {
        let machine = try Machine()
        let first = try machine.program(
            kernelText(
                0,
                """
                mov.u32 %r0, %tid.x; setp.lt.u32 %q0, %r0, 16; @%q0 bra A; bar.sync 1; bra OUT; A: bar.sync 2; OUT: ret;
                """))
        let result = try machine.run(first, "k", block: Extent(64))
        #expect(result.fault == .launchFailed)
        #expect(result.message.contains("wait for each other"))
        #expect(result.message.contains("bar.sync"))
        let second = try machine.program(
            kernelText(
                0,
                """
                mov.u32 %r0, %tid.x; setp.lt.u32 %q0, %r0, 16; @%q0 bra A; vote.sync.any.pred %q1, %q0, -1; bra OUT;
                A: bar.warp.sync -1; OUT: ret;
                """))
        #expect(try machine.run(second, "k").fault == .launchFailed)
    }

    @Test("trap ends the launch and names itself")
    func trap() throws {
        let machine = try Machine()
        let program = try machine.program(kernelText(0, "mov.u32 %r0, %tid.x; setp.eq.u32 %q0, %r0, 5; @%q0 trap;"))
        let result = try machine.run(program, "k")
        #expect(result.fault == .launchFailed)
        #expect(result.message.contains("thread (5,0,0)"))
    }

    @Test("An endless kernel is cancelled")
    func cancellation() throws {
        let machine = try Machine()
        let kernel = try machine.program(kernelText(0, "LOOP: bra LOOP;")).kernel(named: "k")
        let launch = Launch(kernel: kernel, grid: Extent(2), block: Extent(64))
        nonisolated(unsafe) var asked = 0
        let result = machine.executor.run(
            launch, memory: machine.memory,
            isCancelled: {
                asked += 1
                return asked > 20
            })
        #expect(result.fault == .timeout)
    }

    @Test("Special registers name threads, blocks and sizes")
    func identities() throws {
        let machine = try Machine()
        let text = kernelText(
            1,
            """
            mov.u32 %r0, %tid.x; mov.u32 %r1, %tid.y; mov.u32 %r2, %tid.z; mov.u32 %r3, %ntid.x; mov.u32 %r4, %ntid.y;
            mad.lo.u32 %r5, %r2, %r4, %r1; mad.lo.u32 %r5, %r5, %r3, %r0;
            mov.u32 %r6, %ctaid.x; mov.u32 %r7, %ctaid.y; mov.u32 %r8, %nctaid.x; mad.lo.u32 %r9, %r7, %r8, %r6;
            mov.u32 %r10, %ntid.z; mul.lo.u32 %r10, %r10, %r3; mul.lo.u32 %r10, %r10, %r4;
            mad.lo.u32 %r9, %r9, %r10, %r5;
            mul.wide.u32 %d0, %r9, 16; add.s64 %d1, %p0, %d0;
            mov.u32 %r11, %laneid; mov.u32 %r12, %warpid; mov.u32 %r13, %lanemask_lt; mov.u32 %r14, %nwarpid;
            st.global.v4.u32 [%d1], {%r11, %r12, %r13, %r14};
            """)
        let count = 3 * 2 * 5 * 4 * 2
        let output = try machine.upload([UInt32](repeating: ~0, count: count * 4))
        let result = try machine.run(
            machine.program(text), "k", grid: Extent(3, 2), block: Extent(5, 4, 2), .u64(output))
        #expect(result.fault == .none)
        let rows = try machine.download(output, UInt32.self, count: count * 4)
        for row in 0..<count {
            let linear = UInt32(row % 40)
            let lane = linear % 32
            #expect(Array(rows[(row * 4)..<(row * 4 + 4)]) == [lane, linear / 32, (1 << lane) - 1, 2])
        }
    }
}
