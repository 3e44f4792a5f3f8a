/* PTX of the measured kernels, in the shape that NVRTC gives them. */
#ifndef KERNELS_H
#define KERNELS_H

#define PTX_HEADER ".version 7.8\n.target sm_80\n.address_size 64\n"

static const char saxpyPTX[] = PTX_HEADER
    ".visible .entry saxpy(.param .u64 saxpy_0, .param .u64 saxpy_1, .param .f32 saxpy_2, .param .u32 saxpy_3)\n"
    "{\n"
    " .reg .pred %p<2>; .reg .f32 %f<5>; .reg .b32 %r<6>; .reg .b64 %rd<8>;\n"
    " ld.param.u64 %rd1, [saxpy_0]; ld.param.u64 %rd2, [saxpy_1]; ld.param.f32 %f1, [saxpy_2]; ld.param.u32 %r2, [saxpy_3];\n"
    " mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x; mov.u32 %r5, %tid.x;\n"
    " mad.lo.s32 %r1, %r3, %r4, %r5;\n"
    " setp.ge.s32 %p1, %r1, %r2;\n"
    " @%p1 bra $L__BB0_2;\n"
    " cvta.to.global.u64 %rd3, %rd1; mul.wide.s32 %rd4, %r1, 4; add.s64 %rd5, %rd3, %rd4;\n"
    " cvta.to.global.u64 %rd6, %rd2; add.s64 %rd7, %rd6, %rd4;\n"
    " ld.global.f32 %f2, [%rd5]; ld.global.f32 %f3, [%rd7];\n"
    " fma.rn.f32 %f4, %f2, %f1, %f3;\n"
    " st.global.f32 [%rd7], %f4;\n"
    "$L__BB0_2:\n"
    " ret;\n"
    "}\n";

/* C = A · B for square matrices of n, tiles of 16 × 16; the inner product is unrolled by the caller, who fills in `%s`. */
static const char matmulHead[] = PTX_HEADER
    ".visible .entry matmul(.param .u64 matmul_0, .param .u64 matmul_1, .param .u64 matmul_2, .param .u32 matmul_3)\n"
    "{\n"
    " .reg .pred %p<3>; .reg .f32 %f<60>; .reg .b32 %r<32>; .reg .b64 %rd<20>;\n"
    " .shared .align 4 .b8 tileA[1024];\n .shared .align 4 .b8 tileB[1024];\n"
    " ld.param.u64 %rd1, [matmul_0]; ld.param.u64 %rd2, [matmul_1]; ld.param.u64 %rd3, [matmul_2]; ld.param.u32 %r1, [matmul_3];\n"
    " cvta.to.global.u64 %rd4, %rd1; cvta.to.global.u64 %rd5, %rd2; cvta.to.global.u64 %rd6, %rd3;\n"
    " mov.u32 %r2, %tid.x; mov.u32 %r3, %tid.y; mov.u32 %r4, %ctaid.x; mov.u32 %r5, %ctaid.y;\n"
    " shl.b32 %r6, %r5, 4; add.s32 %r7, %r6, %r3;\n"
    " shl.b32 %r8, %r4, 4; add.s32 %r9, %r8, %r2;\n"
    " shl.b32 %r10, %r3, 6; mov.u32 %r11, tileA; add.s32 %r12, %r11, %r10; shl.b32 %r13, %r2, 2; add.s32 %r14, %r12, %r13;\n"
    " mov.u32 %r15, tileB; add.s32 %r16, %r15, %r13; add.s32 %r17, %r16, %r10;\n"
    " mad.lo.s32 %r18, %r7, %r1, %r2; mad.lo.s32 %r19, %r3, %r1, %r9; shl.b32 %r20, %r1, 4;\n"
    " mov.f32 %f1, 0f00000000; mov.u32 %r21, 0;\n"
    "$L_tile:\n"
    " mul.wide.s32 %rd7, %r18, 4; add.s64 %rd8, %rd4, %rd7; ld.global.f32 %f2, [%rd8]; st.shared.f32 [%r14], %f2;\n"
    " mul.wide.s32 %rd9, %r19, 4; add.s64 %rd10, %rd5, %rd9; ld.global.f32 %f3, [%rd10]; st.shared.f32 [%r17], %f3;\n"
    " bar.sync 0;\n";
static const char matmulStep[] =
    " ld.shared.f32 %%f4, [%%r16+%d]; ld.shared.f32 %%f5, [%%r12+%d]; fma.rn.f32 %%f1, %%f5, %%f4, %%f1;\n";
static const char matmulTail[] =
    " bar.sync 0;\n"
    " add.s32 %r18, %r18, 16; add.s32 %r19, %r19, %r20; add.s32 %r21, %r21, 16;\n"
    " setp.lt.s32 %p1, %r21, %r1;\n"
    " @%p1 bra $L_tile;\n"
    " mad.lo.s32 %r22, %r7, %r1, %r9; mul.wide.s32 %rd11, %r22, 4; add.s64 %rd12, %rd6, %rd11; st.global.f32 [%rd12], %f1;\n"
    " ret;\n"
    "}\n";

/* One warp that executes an instruction over and over; `%s` is sixteen of it. */
static const char loopHead[] = PTX_HEADER
    ".visible .entry loop(.param .u64 loop_0, .param .u32 loop_1)\n"
    "{\n"
    " .reg .pred %p<2>; .reg .f32 %f<24>; .reg .b32 %r<24>; .reg .b64 %rd<6>;\n"
    " .shared .align 4 .b8 words[128];\n"
    " ld.param.u64 %rd1, [loop_0]; cvta.to.global.u64 %rd2, %rd1; ld.param.u32 %r1, [loop_1];\n"
    " mov.u32 %r2, %tid.x; mul.wide.u32 %rd3, %r2, 4; add.s64 %rd4, %rd2, %rd3;\n"
    " shl.b32 %r3, %r2, 2; mov.u32 %r4, words; add.s32 %r5, %r4, %r3;\n"
    " mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0f3F000000; mov.f32 %f3, 0f3F000000; mov.f32 %f4, 0f3F000000; mov.f32 %f5, 0f3F000000;\n"
    " st.shared.f32 [%r5], %f1; mov.u32 %r6, 0;\n"
    "$L_loop:\n";
static const char loopTail[] =
    " add.s32 %r6, %r6, 1;\n setp.lt.s32 %p1, %r6, %r1;\n @%p1 bra $L_loop;\n"
    " st.global.f32 [%rd4], %f2;\n ret;\n}\n";

#endif
