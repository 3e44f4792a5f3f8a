import SIMT
import Testing

@Suite("Clusters of one block")
struct ClusterTests {
    private static let declarations = ".shared .align 8 .b64 cell; .shared .align 4 .b32 word;"

    @Test("Its block has rank 0, meets itself at the cluster's barrier, and reaches its own shared memory")
    func one() throws {
        let machine = try Machine()
        let text = kernelText(
            1,
            """
            mov.u32 %r0, %tid.x; mov.u32 %r20, 0; mov.u32 %r1, cell; setp.ne.u32 %q0, %r0, 0;
            mapa.shared::cluster.u32 %r2, %r1, %r20; @!%q0 mbarrier.init.shared::cta.b64 [cell], 64;
            @!%q0 fence.mbarrier_init.release.cluster;
            barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;
            mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r2];
            WAIT: mbarrier.try_wait.parity.shared.b64 %q1, [cell], 0; @!%q1 bra WAIT;
            mov.u32 %r3, word; cvta.shared.u64 %d1, word; cvt.u64.u32 %d0, %r3; mapa.u64 %d1, %d1, %r20;
            @!%q0 st.u32 [%d1], 77; bar.sync 0;
            ld.shared::cluster.u32 %r4, [%r3]; getctarank.shared::cluster.u32 %r5, %r3; add.u32 %r4, %r4, %r5;
            mov.u32 %r6, %cluster_ctarank; add.u32 %r4, %r4, %r6; mov.u32 %r7, %cluster_nctarank;
            mad.lo.u32 %r4, %r7, 1000, %r4; mov.u32 %r8, %clusterid.x; mov.u32 %r9, %ctaid.x; sub.u32 %r8, %r8, %r9;
            add.u32 %r4, %r4, %r8; mov.u32 %r10, %nclusterid.x; mad.lo.u32 %r4, %r10, 10000, %r4;
            setmaxnreg.inc.sync.aligned.u32 232;
            mad.lo.u32 %r11, %r9, 64, %r0; mul.wide.u32 %d2, %r11, 4; add.s64 %d2, %d2, %p0; st.global.u32 [%d2], %r4;
            """, declarations: Self.declarations)
        let output = try machine.allocate(768)
        let result = try machine.run(machine.program(text), "k", grid: Extent(3), block: Extent(64), .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        let expected = [UInt32](repeating: 30_000 + 1000 + 77, count: 192)
        #expect(try machine.download(output, UInt32.self, count: 192) == expected)
    }

    @Test(
        "The shared memory of a block that is not there is an illegal address",
        arguments: [
            "mov.u32 %r1, word; mapa.shared::cluster.u32 %r2, %r1, 1; st.shared::cluster.u32 [%r2], 5;",
            "cvta.shared.u64 %d1, word; mapa.u64 %d2, %d1, 1; st.u32 [%d2], 5;",
        ])
    func other(statements: String) throws {
        let machine = try Machine()
        let text = kernelText(0, statements, declarations: Self.declarations)
        let fault = try machine.run(machine.program(text), "k").fault
        #expect(fault == .illegalAddress || fault == .misalignedAddress)
    }
}
