extension Kernels {
    /// Kernels of one block that move boxes between tensors and shared memory; compute capability 9.0.
    static let tensorMaps = """
        .version 8.0
        .target sm_90
        .address_size 64
        .visible .entry load_box(.param .align 64 .b8 map[128], .param .u64 out, .param .u32 x, .param .u32 y,
          .param .u32 bytes)
        {
          \(registers)
          mov.b64 %rd1, map;
          cvta.param.u64 %rd1, %rd1;
          \(begin)
          cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
            [%r4], [%rd1, {%r2, %r3}], [%r5];
          \(finish)
        }
        .visible .entry load_pixels(.param .u64 map, .param .u64 out, .param .u32 x, .param .u32 y,
          .param .u32 bytes, .param .u16 dx, .param .u16 dy)
        {
          \(registers)
          ld.param.u64 %rd1, [map];
          ld.param.u16 %rs1, [dx];
          ld.param.u16 %rs2, [dy];
          mov.u32 %r9, 0;
          \(begin)
          cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes
            [%r4], [%rd1, {%r9, %r2, %r3, %r9}], [%r5], {%rs1, %rs2};
          \(finish)
        }
        .visible .entry store_box(.param .align 64 .b8 map[128], .param .u32 x, .param .u32 y, .param .u32 adds)
        {
          \(registers)
          mov.b64 %rd1, map;
          cvta.param.u64 %rd1, %rd1;
          mov.u32 %r1, %tid.x;
          ld.param.u32 %r2, [x];
          ld.param.u32 %r3, [y];
          ld.param.u32 %r7, [adds];
          mov.u32 %r4, box;
          shl.b32 %r8, %r1, 2;
          add.u32 %r8, %r8, %r4;
          add.u32 %r9, %r1, 1000;
          st.shared.u32 [%r8], %r9;
          fence.proxy.async;
          bar.sync 0;
          setp.ne.u32 %p1, %r1, 0;
          @%p1 bra DONE;
          setp.ne.u32 %p2, %r7, 0;
          @%p2 bra ADD;
          cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%rd1, {%r2, %r3}], [%r4];
          bra WAIT;
        ADD:
          cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%rd1, {%r2, %r3}], [%r4];
        WAIT:
          cp.async.bulk.commit_group;
          cp.async.bulk.wait_group 0;
        DONE:
          ret;
        }
        .visible .entry copy_bulk(.param .u64 source, .param .u64 out, .param .u32 x, .param .u32 y,
          .param .u32 bytes)
        {
          \(registers)
          ld.param.u64 %rd1, [source];
          cvta.to.global.u64 %rd1, %rd1;
          \(begin)
          cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r4], [%rd1], %r6, [%r5];
          \(finish)
        }
        """

    private static let registers = """
        .reg .pred %p<4>;
          .reg .b16 %rs<4>;
          .reg .b32 %r<12>;
          .reg .b64 %rd<8>;
          .shared .align 1024 .b8 box[4096];
          .shared .align 8 .b64 arrived;
        """

    /// The first thread goes on, once the barrier awaits it and the bytes.
    private static let begin = """
        mov.u32 %r1, %tid.x;
          ld.param.u64 %rd2, [out];
          cvta.to.global.u64 %rd2, %rd2;
          ld.param.u32 %r2, [x];
          ld.param.u32 %r3, [y];
          ld.param.u32 %r6, [bytes];
          mov.u32 %r4, box;
          mov.u32 %r5, arrived;
          setp.ne.u32 %p1, %r1, 0;
          @%p1 bra READY;
          mbarrier.init.shared::cta.b64 [%r5], 1;
          fence.mbarrier_init.release.cluster;
          fence.proxy.async;
          mbarrier.arrive.expect_tx.shared::cta.b64 %rd3, [%r5], %r6;
        """

    /// All threads wait for the bytes and write them out.
    private static let finish = """
        READY:
          bar.sync 0;
        WAIT:
          mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r5], 0;
          @!%p2 bra WAIT;
          mov.u32 %r7, %r1;
        NEXT:
          shl.b32 %r8, %r7, 2;
          setp.ge.u32 %p3, %r8, %r6;
          @%p3 bra DONE;
          cvt.u64.u32 %rd4, %r8;
          add.s64 %rd4, %rd4, %rd2;
          add.u32 %r8, %r8, %r4;
          ld.shared.u32 %r8, [%r8];
          st.global.u32 [%rd4], %r8;
          mov.u32 %r8, %ntid.x;
          add.u32 %r7, %r7, %r8;
          bra NEXT;
        DONE:
          ret;
        """
}
