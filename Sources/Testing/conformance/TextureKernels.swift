extension Kernels {
    /// Kernels that read textures and write surfaces by handles of 64 bits.
    static let textures = """
        .version 6.0
        .target sm_50
        .address_size 64
        .visible .entry sample(.param .u64 texture, .param .u64 out, .param .u32 n, .param .f32 start,
          .param .f32 step, .param .f32 row)
        {
          .reg .pred %p<2>;
          .reg .b32 %r<8>;
          .reg .b64 %rd<8>;
          .reg .f32 %f<12>;
          mov.u32 %r1, %tid.x;
          ld.param.u32 %r2, [n];
          setp.ge.u32 %p1, %r1, %r2;
          @%p1 ret;
          ld.param.u64 %rd1, [texture];
          ld.param.u64 %rd2, [out];
          ld.param.f32 %f1, [start];
          ld.param.f32 %f2, [step];
          ld.param.f32 %f3, [row];
          cvt.rn.f32.u32 %f4, %r1;
          fma.rn.f32 %f5, %f4, %f2, %f1;
          tex.2d.v4.f32.f32 {%f6, %f7, %f8, %f9}, [%rd1, {%f5, %f3}];
          mul.wide.u32 %rd3, %r1, 4;
          add.s64 %rd4, %rd2, %rd3;
          st.global.f32 [%rd4], %f6;
          ret;
        }
        .visible .entry fetch(.param .u64 texture, .param .u64 out, .param .u32 n)
        {
          .reg .pred %p<2>;
          .reg .b32 %r<12>;
          .reg .b64 %rd<8>;
          mov.u32 %r1, %tid.x;
          mov.u32 %r2, %ctaid.x;
          mov.u32 %r3, %ntid.x;
          mad.lo.u32 %r1, %r2, %r3, %r1;
          ld.param.u32 %r4, [n];
          setp.ge.u32 %p1, %r1, %r4;
          @%p1 ret;
          ld.param.u64 %rd1, [texture];
          ld.param.u64 %rd2, [out];
          tex.1d.v4.u32.s32 {%r5, %r6, %r7, %r8}, [%rd1, {%r1}];
          mul.wide.u32 %rd3, %r1, 4;
          add.s64 %rd4, %rd2, %rd3;
          st.global.u32 [%rd4], %r5;
          ret;
        }
        .visible .entry paint(.param .u64 surface)
        {
          .reg .b32 %r<8>;
          .reg .b64 %rd<4>;
          mov.u32 %r1, %tid.x;
          mov.u32 %r2, %ctaid.x;
          ld.param.u64 %rd1, [surface];
          mad.lo.u32 %r3, %r2, 1000, %r1;
          shl.b32 %r4, %r1, 2;
          sust.b.2d.b32.trap [%rd1, {%r4, %r2}], {%r3};
          ret;
        }

        """
}
