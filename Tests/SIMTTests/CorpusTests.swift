import Foundation
import PTX
import SIMT
import Testing

/// Kernels that NVRTC compiled, run for their results.
@Suite("Compiled kernels")
struct CorpusTests {
    private func load(_ name: String, on machine: Machine) throws -> LoadedProgram {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = folder.appending(path: "Fixtures/ptx/\(name).ptx")
        return try machine.program(texts: [Array(try Foundation.Data(contentsOf: file))])
    }

    @Test("saxpy for several targets", arguments: ["saxpy.sm_75", "saxpy.sm_80", "saxpy.sm_90", "saxpy.sm_80.G"])
    func saxpy(name: String) throws {
        let machine = try Machine(threadCount: 2)
        let program = try load(name, on: machine)
        for kernel in ["saxpy", "saxpyStrided"] {
            let x = (0..<1000).map { Float($0) }
            let (dx, dy) = (try machine.upload(x), try machine.upload(x.map { $0 * 10 }))
            let result = try machine.run(
                program, kernel, grid: Extent(8), block: Extent(128), .s32(1000), .f32(2), .u64(dx), .u64(dy))
            #expect(result.fault == .none, "\(result.message)")
            #expect(try machine.download(dy, Float.self, count: 1000) == x.map { $0 * 12 })
        }
    }

    @Test("Matrices multiply through shared memory and without")
    func matmul() throws {
        let machine = try Machine(threadCount: 2)
        let program = try load("matmul.sm_80", on: machine)
        let n = 48
        let a = (0..<(n * n)).map { Float($0 % 7) }
        let b = (0..<(n * n)).map { Float($0 % 5) - 2 }
        let (da, db) = (try machine.upload(a), try machine.upload(b))
        let expected = (0..<(n * n)).map { index in
            (0..<n).reduce(Float(0)) { $0 + a[index / n * n + $1] * b[$1 * n + index % n] }
        }
        let c = try machine.allocate(n * n * 4)
        let tiled = try machine.run(
            program, "matmulTiled", grid: Extent(3, 3), block: Extent(16, 16), .u64(da), .u64(db), .u64(c),
            .s32(Int32(n)))
        #expect(tiled.fault == .none, "\(tiled.message)")
        #expect(try machine.download(c, Float.self, count: n * n) == expected)
        let d = try machine.allocate(n * n * 4)
        let naive = try machine.run(
            program, "matmulNaive", grid: Extent(7, 6), block: Extent(7, 9), .u64(da), .u64(db), .u64(d),
            .s32(Int32(n)), .s32(Int32(n)), .s32(Int32(n)))
        #expect(naive.fault == .none, "\(naive.message)")
        #expect(try machine.download(d, Float.self, count: n * n) == expected)
    }

    @Test("Spin locks and the last-block pattern", arguments: ["spin_lock.sm_70", "spin_lock.sm_80"], [1, 2])
    func locks(name: String, threads: Int) throws {
        let machine = try Machine(threadCount: threads)
        let program = try load(name, on: machine)
        let cells = try machine.upload([Int32](repeating: 0, count: 2))
        let spin = try machine.run(
            program, "spinLock", grid: Extent(8), block: Extent(64), .u64(cells), .u64(cells + 4))
        #expect(spin.fault == .none, "\(spin.message)")
        #expect(try machine.download(cells, Int32.self, count: 2) == [0, 512])
        let input = try machine.upload((1...50).map { Int32($0) })
        let partial = try machine.allocate(200)
        let total = try machine.upload([Int32](repeating: 0, count: 2))
        let last = try machine.run(
            program, "lastBlock", grid: Extent(50), block: Extent(32), .u64(input), .u64(partial), .u64(total),
            .u64(total + 4))
        #expect(last.fault == .none, "\(last.message)")
        #expect(try machine.download(total, Int32.self, count: 2) == [1275, 0])
    }

    @Test("Functions recurse")
    func recursion() throws {
        let machine = try Machine()
        let program = try load("recursion.sm_80", on: machine)
        let values = try machine.allocate(128)
        let result = try machine.run(program, "recurse", block: Extent(20), .u64(values))
        #expect(result.fault == .none, "\(result.message)")
        let fibonacci: [Int32] = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]
        let expected = (0..<20).map { index -> Int32 in
            let even: Int32 = index % 2 == 0 ? 10 : 0
            return fibonacci[index % 10] * 100 + even + Int32(index % 4) + 2
        }
        #expect(try machine.download(values, Int32.self, count: 20) == expected)
    }

    @Test("Reductions through shuffles", arguments: ["reduce.sm_80", "reduce.sm_90"])
    func reductions(name: String) throws {
        let machine = try Machine(threadCount: 2)
        let program = try load(name, on: machine)
        let input = try machine.upload((0..<5000).map { Float($0 % 10) })
        let output = try machine.upload([Float(0)])
        let sum = try machine.run(
            program, "reduceSum", grid: Extent(5), block: Extent(200), .u64(input), .u64(output), .s32(5000))
        #expect(sum.fault == .none, "\(sum.message)")
        #expect(try machine.download(output, Float.self, count: 1) == [22500])
        let values = (0..<32).map { Int32($0 * 37 % 32) }
        let (from, to) = (try machine.upload(values), try machine.allocate(128))
        let xor = try machine.run(program, "reduceMaxXor", .u64(from), .u64(to))
        #expect(xor.fault == .none, "\(xor.message)")
        #expect(try machine.download(to, Int32.self, count: 32) == [Int32](repeating: 31 + 31 + 31 * 32, count: 32))
    }

    @Test("Votes agree with their definition")
    func votes() throws {
        let machine = try Machine()
        let program = try load("votes.sm_80", on: machine)
        let values = (0..<32).map { Int32($0 % 9) }
        let (input, output) = (try machine.upload(values), try machine.upload([UInt32](repeating: 0, count: 9)))
        let result = try machine.run(program, "votes", .u64(input), .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        let found = try machine.download(output, UInt32.self, count: 9)
        let ballot = values.enumerated().reduce(UInt32(0)) { $1.element > 3 ? $0 | 1 << UInt32($1.offset) : $0 }
        let odd = values.enumerated().reduce(UInt32(0)) { $1.element % 2 == 1 ? $0 | 1 << UInt32($1.offset) : $0 }
        #expect(found[0] == ballot)
        #expect(found[1] == 1 && found[2] == 1 && found[3] == odd && found[5] == 0)
        #expect(found[6] == 8 + 15)
        #expect(found[7] == UInt32(values.filter { $0 > 2 }.count) + 0 + 1)
    }

    @Test("The cooperative kernel's blocks wait for each other", arguments: [1, 2])
    func gridSync(threads: Int) throws {
        let machine = try Machine(threadCount: threads)
        machine.isCooperative = true
        let program = try load("cooperative.sm_80", on: machine)
        let values = try machine.upload([Int32](repeating: 0, count: 7 * 64))
        let compiled = try machine.run(
            program, "gridSync", grid: Extent(7), block: Extent(64), .u64(values), .s32(3))
        #expect(compiled.fault == .none, "\(compiled.message)")
        // By hand: in each round a block publishes the round and then reads what its neighbour published.
        let text = kernelText(
            1,
            """
            mov.u32 %r0, %envreg2; mov.u32 %r1, %envreg1; mov.b64 %d0, {%r0, %r1};
            mov.u32 %r2, %ctaid.x; mov.u32 %r3, %nctaid.x; mov.u32 %r4, 0; mov.u32 %r5, 0; mov.u32 %r11, %tid.x;
            setp.ne.u32 %q0, %r11, 0; mul.wide.u32 %d1, %r2, 4; add.s64 %d1, %p0, %d1;
            add.u32 %r6, %r2, 1; rem.u32 %r6, %r6, %r3; mul.wide.u32 %d2, %r6, 4; add.s64 %d2, %p0, %d2;
            ROUND: add.u32 %r4, %r4, 1; @!%q0 st.volatile.global.u32 [%d1], %r4;
            bar.sync 0; @%q0 bra JOIN;
            membar.gl; add.u32 %r5, %r5, %r3; atom.add.u32 %r7, [%d0], 1;
            SPIN: ld.acquire.gpu.u32 %r8, [%d0]; setp.lt.u32 %q1, %r8, %r5; @%q1 bra SPIN;
            JOIN: bar.sync 0; ld.volatile.global.u32 %r9, [%d2]; setp.lt.u32 %q2, %r9, %r4; @%q2 trap;
            setp.lt.u32 %q3, %r4, 5; @%q3 bra ROUND;
            """)
        let flags = try machine.upload([UInt32](repeating: 0, count: 40))
        let hand = try machine.run(
            machine.program(text), "k", grid: Extent(40), block: Extent(64), .u64(flags))
        #expect(hand.fault == .none, "\(hand.message)")
        #expect(try machine.download(flags, UInt32.self, count: 40) == [UInt32](repeating: 5, count: 40))
    }

    @Test("The runtime library's grid barrier works without the library", arguments: [1, 2])
    func libraryGridSync(threads: Int) throws {
        let machine = try Machine(threadCount: threads)
        machine.isCooperative = true
        let text = kernelText(
            1,
            """
            { .param .b32 a; st.param.b32 [a], 1; .param .b64 v; call.uni (v), cudaCGGetIntrinsicHandle, (a);
            ld.param.b64 %d0, [v]; }
            mov.u32 %r0, %ctaid.x; mov.u32 %r1, %nctaid.x; mov.u32 %r2, 0; mov.u32 %r3, %tid.x;
            add.u32 %r4, %r0, 1; rem.u32 %r4, %r4, %r1; mul.wide.u32 %d1, %r0, 4; add.s64 %d1, %p0, %d1;
            mul.wide.u32 %d2, %r4, 4; add.s64 %d2, %p0, %d2; setp.ne.u32 %q0, %r3, 0;
            setp.eq.u32 %q3, %r3, 40; @%q3 exit;
            ROUND: add.u32 %r2, %r2, 1; @!%q0 st.volatile.global.u32 [%d1], %r2;
            { .param .b64 a; st.param.b64 [a], %d0; .param .b32 b; st.param.b32 [b], 0; .param .b32 v;
            call.uni (v), cudaCGSynchronize, (a, b); }
            ld.volatile.global.u32 %r5, [%d2]; setp.lt.u32 %q1, %r5, %r2; @%q1 trap;
            setp.lt.u32 %q2, %r2, 4; @%q2 bra ROUND;
            """,
            declarations: """
                .extern .func (.param .b64 r) cudaCGGetIntrinsicHandle(.param .b32 scope);
                .extern .func (.param .b32 r) cudaCGSynchronize(.param .b64 handle, .param .b32 flags);
                """)
        let flags = try machine.upload([UInt32](repeating: 0, count: 30))
        let program = try machine.program(text)
        let result = try machine.run(program, "k", grid: Extent(30), block: Extent(64), .u64(flags))
        #expect(result.fault == .none, "\(result.message)")
        #expect(try machine.download(flags, UInt32.self, count: 30) == [UInt32](repeating: 4, count: 30))
        machine.isCooperative = false
        #expect(try machine.run(program, "k", grid: Extent(2), block: Extent(64), .u64(flags)).fault == .launchFailed)
    }

    @Test("Every kernel of the corpus decodes, but those with textures")
    func decoding() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/ptx")
        let known = ["sampleTexture"]
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path()).filter { $0.hasSuffix(".ptx") }
        #expect(files.count > 20)
        for file in files.sorted() {
            let machine = try Machine()
            let program = try load(String(file.dropLast(4)), on: machine)
            for name in program.kernelNames where !known.contains(name) {
                do {
                    _ = try program.kernel(named: name)
                } catch {
                    Issue.record("\(file): \(name): line \(error.position.line): \(error.message)")
                }
            }
        }
    }
}
