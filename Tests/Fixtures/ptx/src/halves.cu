#include <cuda_bf16.h>
#include <cuda_fp16.h>

extern "C" __global__ void halfMath(const __half* a, const __half2* b, __half* c, __half2* d) {
    int i = threadIdx.x;
    c[i] = __hfma(a[i], a[i], __float2half(1.5f));
    d[i] = __hadd2(b[i], __hmul2(b[i], b[i]));
    if (__hlt(a[i], c[i])) c[i] = __hneg(__hmax(a[i], c[i]));
}

extern "C" __global__ void bfloatMath(const __nv_bfloat16* a, __nv_bfloat16* b) {
    b[threadIdx.x] = __float2bfloat16(__bfloat162float(a[threadIdx.x]) * 3.0f) + a[threadIdx.x];
}
