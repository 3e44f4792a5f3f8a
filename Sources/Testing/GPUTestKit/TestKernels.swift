/// Small kernels as PTX text.
public enum TestKernels {
    private static let header = ".version 7.0\n.target sm_80\n.address_size 64\n"

    /// `add(a, b, sum, count)`: adds 32-bit integers.
    public static let add =
        header + """
            .visible .entry add(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n) {
                .reg .pred %p;
                .reg .b32 %r<8>;
                .reg .b64 %rd<8>;
                ld.param.u64 %rd1, [a];
                ld.param.u64 %rd2, [b];
                ld.param.u64 %rd3, [c];
                ld.param.u32 %r1, [n];
                mov.u32 %r2, %ctaid.x;
                mov.u32 %r3, %ntid.x;
                mov.u32 %r4, %tid.x;
                mad.lo.s32 %r5, %r2, %r3, %r4;
                setp.ge.u32 %p, %r5, %r1;
                @%p bra done;
                mul.wide.u32 %rd4, %r5, 4;
                add.s64 %rd5, %rd1, %rd4;
                add.s64 %rd6, %rd2, %rd4;
                add.s64 %rd7, %rd3, %rd4;
                ld.global.u32 %r6, [%rd5];
                ld.global.u32 %r7, [%rd6];
                add.s32 %r6, %r6, %r7;
                st.global.u32 [%rd7], %r6;
            done:
                ret;
            }
            """

    /// `poke(address)`: writes 7 to an address, which may be a bad one.
    public static let poke =
        header + """
            .visible .entry poke(.param .u64 a) {
                .reg .b64 %rd1;
                ld.param.u64 %rd1, [a];
                st.global.u32 [%rd1], 7;
                ret;
            }
            """

    /// `spin()`: never ends.
    public static let spin =
        header + """
            .visible .entry spin() {
            again:
                bra again;
            }
            """

    /// `next(target)`: adds 1 to the module's variable `counter`, which begins as 41, and writes it to `target`.
    public static let counter =
        header + """
            .visible .global .align 4 .u32 counter = 41;
            .visible .entry next(.param .u64 a) {
                .reg .b32 %r1;
                .reg .b64 %rd1;
                ld.param.u64 %rd1, [a];
                ld.global.u32 %r1, [counter];
                add.s32 %r1, %r1, 1;
                st.global.u32 [counter], %r1;
                st.global.u32 [%rd1], %r1;
                ret;
            }
            """

    /// `hello(value)`: prints "value <value>" and a line's end.
    public static let hello =
        header + """
            .extern .func (.param .b32 result) vprintf (.param .b64 format, .param .b64 arguments);
            .global .align 1 .b8 text[10] = {118, 97, 108, 117, 101, 32, 37, 100, 10, 0};
            .visible .entry hello(.param .u32 value) {
                .local .align 8 .b8 frame[8];
                .reg .b32 %r<3>;
                .reg .b64 %rd<5>;
                mov.u64 %rd1, frame;
                cvta.local.u64 %rd2, %rd1;
                ld.param.u32 %r1, [value];
                st.local.u32 [%rd1], %r1;
                mov.u64 %rd3, text;
                cvta.global.u64 %rd4, %rd3;
                {
                .param .b64 p0;
                .param .b64 p1;
                .param .b32 r;
                st.param.b64 [p0], %rd4;
                st.param.b64 [p1], %rd2;
                call.uni (r), vprintf, (p0, p1);
                ld.param.b32 %r2, [r];
                }
                ret;
            }
            """

    /// `count(handle, counter, limit)`: adds 1 to the counter; the conditional value becomes whether it is below the
    /// limit.
    public static let count =
        header + """
            .extern .func cudaGraphSetConditional (.param .b64 handle, .param .b32 value);
            .visible .entry count(.param .u64 handle, .param .u64 counter, .param .u64 limit) {
                .reg .pred %p;
                .reg .b32 %r<4>;
                .reg .b64 %rd<4>;
                ld.param.u64 %rd1, [handle];
                ld.param.u64 %rd2, [counter];
                ld.param.u32 %r1, [limit];
                ld.global.u32 %r2, [%rd2];
                add.u32 %r2, %r2, 1;
                st.global.u32 [%rd2], %r2;
                setp.lt.u32 %p, %r2, %r1;
                selp.u32 %r3, 1, 0, %p;
                {
                .param .b64 p0;
                .param .b32 p1;
                st.param.b64 [p0], %rd1;
                st.param.b32 [p1], %r3;
                call.uni cudaGraphSetConditional, (p0, p1);
                }
                ret;
            }
            """

    /// `fetch(texture, out)`: writes the texels of column `tid` and row `ctaid` of a texture of 32-bit integers.
    /// `paint(surface)`: writes 1000 · row + column to a surface of 32-bit integers.
    public static let textures =
        header + """
            .visible .entry fetch(.param .u64 texture, .param .u64 out) {
                .reg .b32 %r<8>;
                .reg .f32 %f<3>;
                .reg .b64 %rd<5>;
                mov.u32 %r1, %tid.x;
                mov.u32 %r2, %ctaid.x;
                mov.u32 %r3, %ntid.x;
                ld.param.u64 %rd1, [texture];
                ld.param.u64 %rd2, [out];
                cvt.rn.f32.u32 %f1, %r1;
                cvt.rn.f32.u32 %f2, %r2;
                tex.2d.v4.u32.f32 {%r4, %r5, %r6, %r7}, [%rd1, {%f1, %f2}];
                mad.lo.u32 %r3, %r2, %r3, %r1;
                mul.wide.u32 %rd3, %r3, 4;
                add.s64 %rd4, %rd2, %rd3;
                st.global.u32 [%rd4], %r4;
                ret;
            }
            .visible .entry paint(.param .u64 surface) {
                .reg .b32 %r<5>;
                .reg .b64 %rd1;
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
