/// PTX of the suite's kernels, written by hand; every GPU since compute capability 5.0 takes them.
enum Kernels {
    private static let header = ".version 6.0\n.target sm_50\n.address_size 64\n"

    /// The index of the thread in `%r1`, a return for threads beyond `[n]`.
    private static let index = """
          .reg .pred %p<8>;
          .reg .b32 %r<24>;
          .reg .b64 %rd<24>;
          .reg .f32 %f<16>;
          mov.u32 %r2, %ctaid.x;
          mov.u32 %r3, %ntid.x;
          mov.u32 %r4, %tid.x;
          mad.lo.s32 %r1, %r2, %r3, %r4;
          ld.param.u32 %r5, [n];
          setp.ge.u32 %p1, %r1, %r5;
          @%p1 ret;

        """

    /// What most cases launch.
    static let basic =
        header + """
            .visible .global .align 4 .u32 counter = 7;
            .visible .const .align 4 .u32 table[4] = {10, 20, 30, 40};
            .visible .entry add(.param .u64 a, .param .u64 b, .param .u64 out, .param .u32 n)
            {
            \(index)
              ld.param.u64 %rd1, [a];
              ld.param.u64 %rd2, [b];
              ld.param.u64 %rd3, [out];
              mul.wide.u32 %rd4, %r1, 4;
              add.s64 %rd5, %rd1, %rd4;
              add.s64 %rd6, %rd2, %rd4;
              add.s64 %rd7, %rd3, %rd4;
              ld.global.f32 %f1, [%rd5];
              ld.global.f32 %f2, [%rd6];
              add.f32 %f3, %f1, %f2;
              st.global.f32 [%rd7], %f3;
              ret;
            }
            .visible .entry sequence(.param .u64 out, .param .u32 n, .param .u32 first, .param .u32 step)
            {
            \(index)
              ld.param.u64 %rd1, [out];
              ld.param.u32 %r6, [first];
              ld.param.u32 %r7, [step];
              mad.lo.u32 %r8, %r1, %r7, %r6;
              mul.wide.u32 %rd2, %r1, 4;
              add.s64 %rd3, %rd1, %rd2;
              st.global.u32 [%rd3], %r8;
              ret;
            }
            .visible .entry affine(.param .u64 data, .param .u32 n, .param .u32 factor, .param .u32 summand)
            {
            \(index)
              ld.param.u64 %rd1, [data];
              ld.param.u32 %r6, [factor];
              ld.param.u32 %r7, [summand];
              mul.wide.u32 %rd2, %r1, 4;
              add.s64 %rd3, %rd1, %rd2;
              ld.global.u32 %r8, [%rd3];
              mad.lo.u32 %r9, %r8, %r6, %r7;
              st.global.u32 [%rd3], %r9;
              ret;
            }
            .visible .entry copy(.param .u64 from, .param .u64 to, .param .u32 n)
            {
            \(index)
              ld.param.u64 %rd1, [from];
              ld.param.u64 %rd2, [to];
              mul.wide.u32 %rd3, %r1, 4;
              add.s64 %rd4, %rd1, %rd3;
              add.s64 %rd5, %rd2, %rd3;
              ld.global.u32 %r6, [%rd4];
              st.global.u32 [%rd5], %r6;
              ret;
            }
            .visible .entry tally(.param .u64 out, .param .u32 n)
            {
            \(index)
              ld.param.u64 %rd1, [out];
              atom.global.add.u32 %r6, [%rd1], 1;
              ret;
            }
            .visible .entry variables(.param .u64 out)
            {
              .reg .b32 %r<8>;
              .reg .b64 %rd<4>;
              ld.param.u64 %rd1, [out];
              ld.global.u32 %r1, [counter];
              add.u32 %r1, %r1, 1;
              st.global.u32 [counter], %r1;
              ld.const.u32 %r2, [table+8];
              st.global.u32 [%rd1], %r1;
              st.global.u32 [%rd1+4], %r2;
              ret;
            }
            .visible .entry shape(.param .u64 out)
            {
              .reg .b32 %r<8>;
              .reg .b64 %rd<4>;
              ld.param.u64 %rd1, [out];
              mov.u32 %r1, %nctaid.x;
              mov.u32 %r2, %nctaid.y;
              mov.u32 %r3, %nctaid.z;
              mov.u32 %r4, %ntid.x;
              mov.u32 %r5, %ntid.y;
              mov.u32 %r6, %ntid.z;
              st.global.u32 [%rd1], %r1;
              st.global.u32 [%rd1+4], %r2;
              st.global.u32 [%rd1+8], %r3;
              st.global.u32 [%rd1+12], %r4;
              st.global.u32 [%rd1+16], %r5;
              st.global.u32 [%rd1+20], %r6;
              ret;
            }
            .visible .entry empty()
            {
              ret;
            }
            .visible .entry busy(.param .u64 out, .param .u32 rounds)
            {
              .reg .pred %p<2>;
              .reg .b32 %r<6>;
              .reg .b64 %rd<2>;
              ld.param.u64 %rd1, [out];
              ld.param.u32 %r1, [rounds];
              mov.u32 %r2, 1;
            AGAIN:
              mad.lo.u32 %r2, %r2, 1664525, 1013904223;
              sub.u32 %r1, %r1, 1;
              setp.ne.u32 %p1, %r1, 0;
              @%p1 bra AGAIN;
              st.global.u32 [%rd1], %r2;
              ret;
            }

            """

    /// Every width and kind of parameter.
    static let parameters =
        header + """
            .visible .entry kinds(.param .u8 a, .param .s16 b, .param .u32 c, .param .s64 d,
              .param .f32 e, .param .f64 f, .param .align 4 .b8 g[12], .param .u64 out)
            {
              .reg .b16 %h<4>;
              .reg .b32 %r<8>;
              .reg .b64 %rd<8>;
              .reg .f32 %f<4>;
              .reg .f64 %d<4>;
              ld.param.u64 %rd1, [out];
              ld.param.u8 %h1, [a];
              cvt.u32.u16 %r1, %h1;
              cvt.u64.u32 %rd2, %r1;
              st.global.u64 [%rd1], %rd2;
              ld.param.s16 %h2, [b];
              cvt.s64.s16 %rd3, %h2;
              st.global.u64 [%rd1+8], %rd3;
              ld.param.u32 %r2, [c];
              cvt.u64.u32 %rd4, %r2;
              st.global.u64 [%rd1+16], %rd4;
              ld.param.s64 %rd5, [d];
              st.global.u64 [%rd1+24], %rd5;
              ld.param.f32 %f1, [e];
              cvt.f64.f32 %d1, %f1;
              st.global.f64 [%rd1+32], %d1;
              ld.param.f64 %d2, [f];
              st.global.f64 [%rd1+40], %d2;
              ld.param.u32 %r3, [g];
              ld.param.u32 %r4, [g+4];
              ld.param.u32 %r5, [g+8];
              add.u32 %r6, %r3, %r4;
              add.u32 %r6, %r6, %r5;
              cvt.u64.u32 %rd6, %r6;
              st.global.u64 [%rd1+48], %rd6;
              ret;
            }

            """

    /// Shared memory, barriers, a block's worth of threads.
    static let blocks =
        header + """
            .extern .shared .align 4 .b8 room[];
            .visible .entry reverse(.param .u64 data, .param .u32 n)
            {
              .reg .b32 %r<12>;
              .reg .b64 %rd<8>;
              ld.param.u64 %rd1, [data];
              ld.param.u32 %r5, [n];
              mov.u32 %r1, %tid.x;
              mov.u32 %r2, %ctaid.x;
              mad.lo.u32 %r3, %r2, %r5, %r1;
              mul.wide.u32 %rd2, %r3, 4;
              add.s64 %rd3, %rd1, %rd2;
              ld.global.u32 %r6, [%rd3];
              shl.b32 %r7, %r1, 2;
              mov.u32 %r8, room;
              add.u32 %r7, %r7, %r8;
              st.shared.u32 [%r7], %r6;
              bar.sync 0;
              sub.u32 %r9, %r5, %r1;
              sub.u32 %r9, %r9, 1;
              shl.b32 %r9, %r9, 2;
              add.u32 %r9, %r9, %r8;
              ld.shared.u32 %r10, [%r9];
              st.global.u32 [%rd3], %r10;
              ret;
            }
            .visible .entry meet(.param .u64 arrived, .param .u64 out)
            {
              .reg .pred %p<4>;
              .reg .b32 %r<12>;
              .reg .b64 %rd<8>;
              ld.param.u64 %rd1, [arrived];
              ld.param.u64 %rd2, [out];
              mov.u32 %r1, %tid.x;
              mov.u32 %r2, %ctaid.x;
              mov.u32 %r3, %nctaid.x;
              setp.ne.u32 %p1, %r1, 0;
              @%p1 bra WAITED;
              atom.global.add.u32 %r4, [%rd1], 1;
            WAIT:
              ld.volatile.global.u32 %r5, [%rd1];
              setp.lt.u32 %p2, %r5, %r3;
              @%p2 bra WAIT;
            WAITED:
              bar.sync 0;
              ld.volatile.global.u32 %r6, [%rd1];
              mul.wide.u32 %rd3, %r2, 4;
              add.s64 %rd4, %rd2, %rd3;
              st.global.u32 [%rd4], %r6;
              ret;
            }

            """

    /// Kernels that end badly; each in a module of its own, so that one's problems are no other's.
    static let illegalAddress =
        header + """
            .visible .entry illegal()
            {
              .reg .b64 %rd<2>;
              .reg .b32 %r<2>;
              mov.u64 %rd1, 16;
              mov.u32 %r1, 1;
              st.global.u32 [%rd1], %r1;
              ret;
            }

            """

    static let trap =
        header + """
            .visible .entry stop()
            {
              trap;
            }

            """

    static let misaligned =
        header + """
            .visible .entry crooked(.param .u64 data)
            {
              .reg .b64 %rd<2>;
              .reg .b32 %r<2>;
              ld.param.u64 %rd1, [data];
              ld.global.u32 %r1, [%rd1+1];
              st.global.u32 [%rd1], %r1;
              ret;
            }

            """

    static let broken = header + ".visible .entry broken()\n{\n  frobnicate.s32 %r1, %r1;\n  ret;\n}\n"

    /// Two halves for the linker.
    static let linkedCaller =
        header + """
            .extern .func (.param .b32 result) twice(.param .b32 value);
            .visible .entry linked(.param .u64 out, .param .u32 value)
            {
              .reg .b32 %r<4>;
              .reg .b64 %rd<2>;
              ld.param.u64 %rd1, [out];
              ld.param.u32 %r1, [value];
              {
                .param .b32 argument;
                .param .b32 answer;
                st.param.b32 [argument], %r1;
                call.uni (answer), twice, (argument);
                ld.param.b32 %r2, [answer];
              }
              st.global.u32 [%rd1], %r2;
              ret;
            }

            """

    static let linkedCallee =
        header + """
            .visible .func (.param .b32 result) twice(.param .b32 value)
            {
              .reg .b32 %r<4>;
              ld.param.b32 %r1, [value];
              add.u32 %r2, %r1, %r1;
              st.param.b32 [result], %r2;
              ret;
            }

            """
}
