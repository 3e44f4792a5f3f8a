import PTX
import SIMT
import Testing

/// A block of 32 threads with a tile of shared memory, of which the first thread does what a test is about.
///
/// The parameters: `%p0` for the test, `%p1` the output, `%p2` what the tile holds at first. After the tile's words the
/// output has 1 if the phase of the barrier `[cell]`, which awaits one arrival, is over.
struct TileKernel {
    static let byteCount = 8192
    static let wordCount = byteCount / 4

    static func text(_ statements: String) -> String {
        kernelText(
            3,
            """
            mov.u32 %r0, %tid.x; mov.u32 %r62, tile; mov.u32 %r1, %r0;
            FILL: shl.b32 %r2, %r1, 2; cvt.u64.u32 %d30, %r2; add.u64 %d30, %d30, %p2; ld.global.u32 %r3, [%d30];
            add.u32 %r2, %r2, %r62; st.shared.u32 [%r2], %r3;
            add.u32 %r1, %r1, 32; setp.lt.u32 %q0, %r1, \(wordCount); @%q0 bra FILL;
            bar.sync 0; setp.ne.u32 %q0, %r0, 0; @%q0 bra DONE;
            mbarrier.init.shared.b64 [cell], 1; fence.mbarrier_init.release.cluster;
            \(statements)
            mbarrier.test_wait.parity.shared.b64 %q1, [cell], 0; selp.u32 %r4, 1, 0, %q1;
            st.global.u32 [%p1+\(byteCount)], %r4;
            DONE: bar.sync 0; mov.u32 %r1, %r0;
            COPY: shl.b32 %r2, %r1, 2; cvt.u64.u32 %d30, %r2; add.u64 %d30, %d30, %p1; add.u32 %r2, %r2, %r62;
            ld.shared.u32 %r3, [%r2]; st.global.u32 [%d30], %r3;
            add.u32 %r1, %r1, 32; setp.lt.u32 %q0, %r1, \(wordCount); @%q0 bra COPY;
            """, declarations: ".shared .align 1024 .b8 tile[\(byteCount)]; .shared .align 8 .b64 cell;")
    }

    struct Outcome {
        var result: LaunchResult
        /// The tile's words.
        var tile: [UInt32]
        var isPhaseOver: Bool
    }

    static func run(
        _ machine: Machine, _ statements: String, _ parameter: UInt64,
        tile: [UInt32] = [UInt32](repeating: 0x5555_5555, count: wordCount)
    ) throws -> Outcome {
        let output = try machine.allocate(byteCount + 4)
        let filled = try machine.upload(tile + [UInt32](repeating: 0x5555_5555, count: wordCount - tile.count))
        let result = try machine.run(
            machine.program(text(statements)), "k", .u64(parameter), .u64(output), .u64(filled))
        let words = try machine.download(output, UInt32.self, count: wordCount + 1)
        return Outcome(result: result, tile: Array(words.prefix(wordCount)), isPhaseOver: words[wordCount] == 1)
    }
}

@Suite("Bulk copies")
struct BulkCopyTests {
    private static let load = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"

    @Test("A copy to shared memory ends the wait of a barrier that expects just its bytes")
    func load() throws {
        let machine = try Machine()
        let source = try machine.upload((0..<64).map { UInt32($0) * 3 })
        let copy = "\(Self.load) [tile+32], [%p0], 256, [cell];"
        let arrive = "mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], 256;"
        for order in [arrive + copy, copy + arrive] {
            let outcome = try TileKernel.run(machine, order, source)
            #expect(outcome.result.fault == .none, "\(outcome.result.message)")
            #expect(Array(outcome.tile[8..<72]) == (0..<64).map { UInt32($0) * 3 })
            #expect(outcome.tile[7] == 0x5555_5555 && outcome.tile[72] == 0x5555_5555)
            #expect(outcome.isPhaseOver)
        }
        let less = try TileKernel.run(machine, "mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], 272;" + copy, source)
        #expect(!less.isPhaseOver)
        let two = try TileKernel.run(
            machine,
            "mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], 512; \(copy) "
                + "\(Self.load).L2::cache_hint [tile+512], [%p0], 256, [cell], %d1;", source)
        #expect(two.isPhaseOver && two.tile[128 + 63] == 189)
    }

    @Test("Copies to global memory and within shared memory need no barrier or have one")
    func storeAndMove() throws {
        let machine = try Machine()
        let target = try machine.upload([UInt32](repeating: 9, count: 16))
        let outcome = try TileKernel.run(
            machine,
            """
            fence.proxy.async.shared::cta;
            cp.async.bulk.global.shared::cta.bulk_group [%p0], [tile+16], 32;
            cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0; cp.async.bulk.wait_group 0;
            cp.async.bulk.prefetch.L2.global [%p0], 32;
            mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], 64;
            cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [tile+1024], [tile], 64, [cell];
            """, target, tile: (0..<32).map { UInt32($0) })
        #expect(outcome.result.fault == .none, "\(outcome.result.message)")
        #expect(try machine.download(target, UInt32.self, count: 16) == Array(4..<12) + [9, 9, 9, 9, 9, 9, 9, 9])
        #expect(Array(outcome.tile[256..<272]) == Array(0..<16))
        #expect(outcome.isPhaseOver)
    }

    @Test("Reductions combine element by element, each as its type says")
    func reductions() throws {
        let machine = try Machine()
        func reduce(_ form: String, _ old: [UInt32], _ new: [UInt32]) throws -> [UInt32] {
            let target = try machine.upload(old)
            let outcome = try TileKernel.run(
                machine, "cp.reduce.async.bulk.global.shared::cta.bulk_group.\(form) [%p0], [tile], 16;", target,
                tile: new)
            #expect(outcome.result.fault == .none, "\(outcome.result.message)")
            return try machine.download(target, UInt32.self, count: 4)
        }
        let (old, new): ([UInt32], [UInt32]) = ([5, ~0, 7, 0], [3, 2, 7, 1])
        #expect(try reduce("add.u32", old, new) == [8, 1, 14, 1])
        #expect(try reduce("min.u32", old, new) == [3, 2, 7, 0])
        #expect(try reduce("min.s32", old, new) == [3, ~0, 7, 0])
        #expect(try reduce("max.s32", old, new) == [5, 2, 7, 1])
        #expect(try reduce("xor.b32", old, new) == [6, ~2, 0, 1])
        #expect(try reduce("inc.u32", old, new) == [0, 0, 0, 1])
        #expect(try reduce("dec.u32", old, new) == [3, 2, 6, 1])
        #expect(try reduce("add.u64", old, new) == [8, 1, 14, 1])
        let halves: UInt32 = 0x4000_3c00  // 2 and 1
        #expect(try reduce("add.noftz.f16", [halves, 0, 0, 0], [halves, 0, 0, 0])[0] == 0x4400_4000)
        #expect(try reduce("max.bf16", [0x3f80_4000, 0, 0, 0], [0x4000_3f80, 0, 0, 0])[0] == 0x4000_4000)
        #expect(
            try reduce("add.f32", [Float(1.5).bitPattern, 0, 0, 0], [Float(2).bitPattern, 0, 0, 0])[0]
                == Float(3.5).bitPattern)
        // A shared counter takes the bytes of a reduction too.
        let counted = try TileKernel.run(
            machine,
            """
            mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], 16;
            cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.u32 [tile+64], [tile],
            16, [cell];
            """, 0, tile: (0..<32).map { UInt32($0) })
        #expect(counted.isPhaseOver && Array(counted.tile[16..<20]) == [16, 18, 20, 22])
    }

    @Test("A copy for a cluster of one goes to this block, to nobody, or is a fault")
    func multicast() throws {
        let machine = try Machine()
        let source = try machine.upload([UInt32](repeating: 7, count: 4))
        func run(_ blocks: Int) throws -> TileKernel.Outcome {
            try TileKernel.run(
                machine,
                """
                mov.u16 %h0, \(blocks); mbarrier.arrive.expect_tx.shared.b64 %d0, [cell], 16;
                \(Self.load).multicast::cluster [tile], [%p0], 16, [cell], %h0;
                """, source)
        }
        let mine = try run(1)
        #expect(mine.isPhaseOver && mine.tile[3] == 7)
        let nobody = try run(0)
        #expect(!nobody.isPhaseOver && nobody.tile[3] == 0x5555_5555)
        #expect(try run(2).result.fault == .illegalInstruction)
    }

    @Test(
        "Bad addresses and sizes are faults",
        arguments: [
            ("[tile+8], [%p0], 16", FaultCode.misalignedAddress), ("[tile], [%p0+4], 16", .misalignedAddress),
            ("[tile], [%p0], 24", .misalignedAddress), ("[tile], [%p0], 4096", .illegalAddress),
            ("[tile+131072], [%p0], 16", .illegalAddress), ("[tile+8176], [%p0], 512", .illegalAddress),
        ])
    func faults(operands: String, expected: FaultCode) throws {
        let machine = try Machine()
        let source = try machine.allocate(512)
        let outcome = try TileKernel.run(machine, "\(Self.load) \(operands), [cell];", source)
        #expect(outcome.result.fault == expected, "\(outcome.result.message)")
    }

    @Test(
        "Forms that are not there are refused when the kernel is decoded",
        arguments: [
            "cp.reduce.async.bulk.global.shared::cta.bulk_group.min.f32 [%p0], [tile], 16;",
            "cp.async.bulk.global.shared::cta.bulk_group.cp_mask [%p0], [tile], 16, %h0;",
            """
            cp.async.bulk.tensor.2d.shared::cluster.global.tile::gather4.mbarrier::complete_tx::bytes [tile],
            [%p0, {%r0, %r0, %r0, %r0, %r0}], [cell];
            """,
            """
            cp.async.bulk.tensor.3d.shared::cluster.global.im2col::w.mbarrier::complete_tx::bytes [tile],
            [%p0, {%r0, %r0, %r0}], [cell], {%h0, %h1};
            """,
        ])
    func refused(statement: String) throws {
        let machine = try Machine()
        do {
            _ = try machine.program(TileKernel.text(statement)).kernel(named: "k")
            Issue.record("accepted: \(statement)")
        } catch let error as PTXError {
            #expect(error.code == .unsupported, "\(error)")
        }
    }
}
