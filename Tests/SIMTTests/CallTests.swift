import PTX
import SIMT
import Testing

@Suite("Calls, printing and linking")
struct CallTests {
    private let square = """
        .func (.param .b32 result) square(.param .b32 value) {
        .reg .b32 %r<4>; ld.param.b32 %r0, [value]; mul.lo.u32 %r1, %r0, %r0; st.param.b32 [result], %r1; ret; }
        """

    private func call(_ name: String, _ result: String, _ argument: String) -> String {
        """
        { .param .b32 a0; st.param.b32 [a0], \(argument); .param .b32 v0;
        call.uni (v0), \(name), (a0); ld.param.b32 \(result), [v0]; }
        """
    }

    @Test("Functions take parameters and give results, also under divergence")
    func functions() throws {
        let machine = try Machine()
        let text = kernelText(
            1,
            """
            mov.u32 %r0, %tid.x; mov.u32 %r2, 0; setp.lt.u32 %q0, %r0, 9; @%q0 bra SKIP;
            \(call("square", "%r2", "%r0"))
            SKIP: mul.wide.u32 %d0, %r0, 4; add.s64 %d1, %p0, %d0; st.global.u32 [%d1], %r2;
            """, declarations: square)
        let output = try machine.allocate(128)
        let result = try machine.run(machine.program(text), "k", .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        #expect(try machine.download(output, UInt32.self, count: 32) == (0..<32).map { $0 < 9 ? 0 : $0 * $0 })
    }

    @Test("Functions call themselves, to a different depth in each lane")
    func recursion() throws {
        let machine = try Machine()
        let fibonacci = """
            .func (.param .b32 result) fib(.param .b32 value) {
            .reg .b32 %r<8>; .reg .pred %q; ld.param.b32 %r0, [value]; mov.u32 %r1, %r0;
            setp.lt.u32 %q, %r0, 2; @%q bra OUT;
            sub.u32 %r2, %r0, 1; \(call("fib", "%r3", "%r2"))
            sub.u32 %r4, %r0, 2; \(call("fib", "%r5", "%r4"))
            add.u32 %r1, %r3, %r5;
            OUT: st.param.b32 [result], %r1; ret; }
            """
        let text = kernelText(
            1,
            """
            mov.u32 %r0, %tid.x; \(call("fib", "%r1", "%r0"))
            mul.wide.u32 %d0, %r0, 4; add.s64 %d1, %p0, %d0; st.global.u32 [%d1], %r1;
            """, declarations: fibonacci)
        let output = try machine.allocate(128)
        let result = try machine.run(machine.program(text), "k", block: Extent(15), .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        var expected: [UInt32] = [0, 1]
        while expected.count < 15 { expected.append(expected[expected.count - 1] + expected[expected.count - 2]) }
        #expect(try machine.download(output, UInt32.self, count: 15) == expected)
    }

    @Test("Lanes that call at different times meet in the function")
    func lateCallers() throws {
        let machine = try Machine()
        let sum = """
            .func (.param .b32 result) total(.param .b32 value) {
            .reg .b32 %r<8>; .reg .pred %q; ld.param.b32 %r0, [value]; mov.u32 %r1, 16;
            LOOP: shfl.sync.bfly.b32 %r2, %r0, %r1, 31, -1; add.u32 %r0, %r0, %r2; shr.u32 %r1, %r1, 1;
            setp.ne.u32 %q, %r1, 0; @%q bra LOOP;
            st.param.b32 [result], %r0; ret; }
            """
        // The last lanes to leave the loop wait for so long that the first ones are let go ahead.
        let text = kernelText(
            1,
            """
            mov.u32 %r0, %tid.x; mul.lo.u32 %r1, %r0, 1000; mov.u32 %r2, 0; bra HEAD;
            AFTER: \(call("total", "%r3", "%r0"))
            mul.wide.u32 %d0, %r0, 4; add.s64 %d1, %p0, %d0; st.global.u32 [%d1], %r3; ret;
            HEAD: setp.ge.u32 %q0, %r2, %r1; @%q0 bra AFTER; add.u32 %r2, %r2, 1; bra HEAD;
            """, declarations: sum)
        let output = try machine.allocate(128)
        let result = try machine.run(machine.program(text), "k", .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        #expect(try machine.download(output, UInt32.self, count: 32) == [UInt32](repeating: 496, count: 32))
    }

    @Test("Endless recursion is a fault")
    func stackOverflow() throws {
        let machine = try Machine()
        let function = ".func f() { .local .b8 x[64]; call.uni f, (); ret; }"
        let text = kernelText(0, "call.uni f, ();", declarations: function)
        #expect(try machine.run(machine.program(text), "k").fault == .illegalAddress)
    }

    @Test("Addresses of functions may be called, and other addresses may not")
    func indirect() throws {
        let machine = try Machine()
        let text = kernelText(
            2,
            """
            mov.u32 %r0, %tid.x; and.b32 %r1, %r0, 1; mul.wide.u32 %d0, %r1, 8;
            mov.u64 %d1, table; add.s64 %d1, %d1, %d0; ld.global.u64 %d2, [%d1]; add.s64 %d2, %d2, %p1;
            { .param .b32 a0; st.param.b32 [a0], %r0; .param .b32 v0;
            P: .callprototype (.param .b32 _) _ (.param .b32 _);
            call (v0), %d2, (a0), P; ld.param.b32 %r2, [v0]; }
            mul.wide.u32 %d0, %r0, 4; add.s64 %d1, %p0, %d0; st.global.u32 [%d1], %r2;
            """,
            declarations: square + """
                .func (.param .b32 result) next(.param .b32 value) {
                .reg .b32 %r<4>; ld.param.b32 %r0, [value]; add.u32 %r1, %r0, 1; st.param.b32 [result], %r1; ret; }
                .global .align 8 .u64 table[2] = {square, next};
                """)
        let program = try machine.program(text)
        let output = try machine.allocate(128)
        let result = try machine.run(program, "k", .u64(output), .u64(0))
        #expect(result.fault == .none, "\(result.message)")
        #expect(try machine.download(output, UInt32.self, count: 32) == (0..<32).map { $0 % 2 == 0 ? $0 * $0 : $0 + 1 })
        #expect(try machine.run(program, "k", .u64(output), .u64(4)).fault == .invalidProgramCounter)
    }

    @Test("printf formats as C does")
    func printing() throws {
        let machine = try Machine()
        let format = "%d %5u|%-5d|%x %#o %c %s %%|%.3f %e %g|%lld %lu %p %08.2f %+d %*d\\n"
        let bytes = Array(format.utf8).map(String.init).joined(separator: ", ")
            .replacing("92, 110", with: "10")
        let text = kernelText(
            0,
            """
            .local .align 8 .b8 depot[128];
            mov.u64 %d0, depot; cvta.local.u64 %d1, %d0;
            mov.u32 %r0, -7; st.local.u32 [depot], %r0; mov.u32 %r0, 42; st.local.u32 [depot+4], %r0;
            st.local.u32 [depot+8], %r0; mov.u32 %r0, 255; st.local.u32 [depot+12], %r0; st.local.u32 [depot+16], %r0;
            mov.u32 %r0, 65; st.local.u32 [depot+20], %r0; mov.u64 %d2, word; st.local.u64 [depot+24], %d2;
            mov.f64 %g0, 0d400921FB54442D18; st.local.f64 [depot+32], %g0; st.local.f64 [depot+40], %g0;
            st.local.f64 [depot+48], %g0; mov.u64 %d3, -5; st.local.u64 [depot+56], %d3; mov.u64 %d3, 6;
            st.local.u64 [depot+64], %d3; mov.u64 %d3, 4096; st.local.u64 [depot+72], %d3;
            st.local.f64 [depot+80], %g0; mov.u32 %r0, 3; st.local.u32 [depot+88], %r0; mov.u32 %r0, 6;
            st.local.u32 [depot+92], %r0; mov.u32 %r0, 12; st.local.u32 [depot+96], %r0;
            mov.u64 %d4, format;
            { .param .b64 a0; st.param.b64 [a0], %d4; .param .b64 a1; st.param.b64 [a1], %d1; .param .b32 v0;
            call.uni (v0), vprintf, (a0, a1); }
            """,
            declarations: """
                .extern .func (.param .b32 v) vprintf (.param .b64 a, .param .b64 b);
                .global .align 1 .b8 format[] = {\(bytes), 0};
                .global .align 1 .b8 word[] = {104, 105, 0};
                """)
        let result = try machine.run(machine.program(text), "k", block: Extent(1))
        #expect(result.fault == .none, "\(result.message)")
        #expect(
            machine.printedText
                == "-7    42|42   |ff 0377 A hi %|3.142 3.141593e+00 3.14159|-5 6 0x1000 00003.14 +3     12\n")
    }

    @Test("Modules link by names, and a name defined twice is an error")
    func linking() throws {
        let machine = try Machine()
        let user = kernelText(
            1,
            """
            \(call("shared_square", "%r1", "9")) ld.global.u32 %r2, [offset]; add.u32 %r1, %r1, %r2;
            st.global.u32 [%p0], %r1;
            """,
            declarations: """
                .extern .func (.param .b32 r) shared_square(.param .b32 v);
                .extern .global .align 4 .u32 offset;
                """)
        let head = ".version 8.0\n.target sm_80\n.address_size 64\n"
        let library =
            head + """
                .visible .func (.param .b32 r) shared_square(.param .b32 v) {
                .reg .b32 %r<4>; ld.param.b32 %r0, [v]; mul.lo.u32 %r1, %r0, %r0; st.param.b32 [r], %r1; ret; }
                .visible .global .align 4 .u32 offset = 1000;
                """
        let output = try machine.allocate(4)
        let result = try machine.run(machine.program(user, library), "k", block: Extent(1), .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        #expect(try machine.download(output, UInt32.self, count: 1) == [1081])
        #expect(throws: PTXError.self) { try machine.program(library, library) }
        #expect(throws: PTXError.self) { try machine.program(user).kernel(named: "k") }
    }

    @Test("An opcode that can't run is named with its line, and other kernels still load")
    func unsupported() throws {
        let machine = try Machine()
        let text = """
            .version 8.0
            .target sm_90
            .address_size 64
            .visible .entry bad() {
            wgmma.fence.sync.aligned;
            ret; }
            .visible .entry good() { ret; }
            """
        let program = try machine.program(text)
        #expect(program.kernelNames == ["bad", "good"])
        #expect(try machine.run(program, "good").fault == .none)
        do {
            _ = try program.kernel(named: "bad")
            Issue.record("an unsupported opcode was accepted")
        } catch {
            #expect(error.code == .unsupported)
            #expect(error.position.line == 5)
            #expect(error.message.contains("wgmma.fence"))
        }
    }
}
