__device__ __forceinline__ unsigned guarded(unsigned x) {
    unsigned y;
    asm volatile("{\n\t.reg .pred %%q<2>;\n\t.reg .b32 %%v<3>;\n\tsetp.gt.u32 %%q1, %1, 7;\n\tmov.u32 %%v1, 5;\n\t"
                 "@%%q1 bra SKIP;\n\t{\n\t.reg .b32 %%v1;\n\tadd.u32 %%v1, %1, 3;\n\tmov.u32 %%v2, %%v1;\n\t}\n\t"
                 "bra.uni DONE;\nSKIP:\n\tmov.u32 %%v2, %%v1;\nDONE:\n\tmov.u32 %0, %%v2;\n\t}"
                 : "=r"(y) : "r"(x));
    return y;
}

extern "C" __global__ void nestedScopes(unsigned* values) {
    values[threadIdx.x] = guarded(values[threadIdx.x]) + guarded(values[threadIdx.x + 32]);
}
