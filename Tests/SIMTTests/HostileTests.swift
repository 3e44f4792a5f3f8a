import Foundation
import GPUTestKit
import PTX
import SIMT
import Synchronization
import Testing

/// PTX that no compiler writes: whatever it says, the worker survives it in bounded time and memory.
@Suite("Hostile kernels")
struct HostileTests {
    /// Runs every kernel of a text, each for a while at most; answers how the launches ended.
    private func runAll(_ text: [UInt8], values: () -> UInt64) throws(PTXError) -> [FaultCode] {
        guard let machine = try? Machine(), let buffer = try? machine.allocate(64 << 10) else { return [] }
        let program = try LoadedProgram(linking: [PTXModule(parsing: text)], memory: machine.memory) { byteCount, _ in
            byteCount < 1 << 26 ? try? machine.allocate(Int(byteCount)) : nil
        }
        var faults: [FaultCode] = []
        for name in program.kernelNames {
            guard let kernel = try? program.kernel(named: name) else { continue }
            for isPlain in [true, false] {
                let words = (0..<min(512, (kernel.parameterByteCount + 7) / 8)).map { _ in
                    isPlain ? buffer : values() & 1 == 0 ? buffer &+ values() & 0xffff : values()
                }
                let launch = Launch(
                    kernel: kernel, grid: Extent(2), block: isPlain ? Extent(32) : Extent(33, 2),
                    parameters: words.flatMap { word in withUnsafeBytes(of: word) { Array($0) } })
                let rest = Atomic(64)
                let result = machine.executor.run(
                    launch, memory: machine.memory,
                    isCancelled: {
                        rest.subtract(1, ordering: .relaxed).newValue < 0
                    })
                faults.append(result.fault)
            }
        }
        return faults
    }

    @Test("a thousand damaged modules are refused or run, within bounds", arguments: 0..<4)
    func mutations(_ part: Int) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/ptx")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted()
        let texts = try names.filter { $0.hasSuffix(".ptx") }
            .map { Array(try Foundation.Data(contentsOf: folder.appending(path: $0))) }.filter { $0.count < 8000 }
        try #require(texts.count > 20)
        var launches = 0
        for seed in 0..<250 {
            var mutator = PTXMutator(seed: UInt64(10_000 + part * 250 + seed))
            let text = mutator.mutate(texts[mutator.below(texts.count)])
            var random = mutator.random
            launches += (try? runAll(text) { random.next() })?.count ?? 0
        }
        #expect(launches > 50)
    }

    @Test(
        "an access beyond 64 bits is an error and not a host address",
        arguments: [
            "ld.shared.u32 %r1, [%r2+9223372036854775804];", "st.shared.u32 [%r2+9223372036854775804], %r1;",
            "ld.shared.u32 %r1, [s+-64];", "ld.shared.v2.u32 {%r1, %r3}, [%r2+9223372036854775800];",
            "mov.u64 %d1, s; add.s64 %d1, %d1, -8; ld.shared.u64 %d2, [%d1];", "ld.global.u32 %r1, [%p0+-65536];",
            "ld.u32 %r1, [%p0+9223372036854775804];", "mov.b64 %d1, -4; st.global.u32 [%d1], %r1;",
            "mov.b64 %d1, 0x2FFFFFFFC; st.v4.u32 [%d1], {%r1, %r1, %r1, %r1};",
        ])
    func farAccess(line: String) throws {
        let text = kernelText(1, line, declarations: ".shared .align 8 .b8 s[64];")
        let machine = try Machine()
        let buffer = try machine.allocate(512)
        let result = try machine.run(machine.program(text), "k", .u64(buffer))
        #expect(result.fault == .illegalAddress || result.fault == .misalignedAddress, "\(result)")
    }

    @Test(
        "what would read or write beyond a register or a parameter is no PTX",
        arguments: [
            "ld.param.u32 %r1, [p0+9223372036854775804];", "ld.param.u32 %r1, [p0+-8];", "mov.pred %q1, %tid.x;",
            "mov.pred {%r1}, %q1;", "mov.pred %q1, {%r1};",
            "{ .param .b64 a; st.param.b64 [a], %p0; call f, (a+1000000); }",
        ])
    func refused(line: String) throws {
        let text = kernelText(1, line, declarations: ".func f(.param .b64 x) { ret; }")
        let machine = try Machine()
        let program = try? machine.program(text)
        #expect(throws: PTXError.self) { _ = try #require(program).kernel(named: "k") }
    }

    @Test("calls without end, of functions with and without memory of their own, end with a fault")
    func recursion() throws {
        for variable in ["", ".local .b8 l[16];"] {
            let functions = ".func f(); .func g() { \(variable) call f; ret; } .func f() { call g; ret; }"
            let text = kernelText(1, "call g;", declarations: functions)
            let machine = try Machine()
            let result = try machine.run(machine.program(text), "k", .u64(0))
            #expect(result.fault == .illegalAddress, "\(result)")
        }
    }

    @Test("a printf of strings of strings is cut off")
    func longPrint() throws {
        let text = kernelText(
            1,
            """
            { .param .b32 a; .param .b64 b; .param .b64 c; mov.u64 %d1, fmt; st.param.b64 [b], %d1;
            mov.u64 %d2, arguments; st.param.b64 [c], %d2; call (a), vprintf, (b, c); }
            """,
            declarations: ".extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 v);"
                + ".global .align 1 .b8 fmt[2001] = {" + Array(repeating: "37,115", count: 1000).joined(separator: ",")
                + ",0}; .global .align 8 .u64 arguments[1000] = {"
                + Array(repeating: "fmt", count: 1000).joined(separator: ",") + "};")
        let machine = try Machine()
        let result = try machine.run(machine.program(text), "k", block: Extent(1), .u64(0))
        #expect(result.fault == .none, "\(result)")
        #expect((60_000..<70_000).contains(machine.printed.count))
    }

    @Test("blocks with more local memory than a host has end with a fault")
    func localMemory() throws {
        let declarations = (0..<2).map { ".local .align 16 .b8 l\($0)[16000000];" }.joined()
        let text = kernelText(1, declarations + "st.local.u32 [l1], %r1;")
        let machine = try Machine()
        let result = try machine.run(machine.program(text), "k", block: Extent(1024), .u64(0))
        #expect(result.fault == .outOfResources, "\(result)")
    }
}
