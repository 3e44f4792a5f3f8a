// Arithmetic with 16-bit floats of both kinds, alone and in pairs.
#include "check.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

__global__ void halves(const float *in, float *out, int count)
{
    const int i = threadIdx.x;
    if (i >= count) return;
    const __half a = __float2half(in[i]), b = __float2half(1.5f);
    out[4 * i] = __half2float(__hadd(a, b));
    out[4 * i + 1] = __half2float(__hmul(a, b));
    out[4 * i + 2] = __half2float(__hfma(a, b, a));
    const __half2 pair = __hmul2(__halves2half2(a, b), __float2half2_rn(2.0f));
    out[4 * i + 3] = __low2float(pair) - __high2float(pair) + (__hgt(a, b) ? 100.0f : 0.0f);
}

__global__ void brains(const float *in, float *out, int count)
{
    const int i = threadIdx.x;
    if (i >= count) return;
    const __nv_bfloat16 a = __float2bfloat16(in[i]), b = __float2bfloat16(0.5f);
    out[2 * i] = __bfloat162float(__hfma(a, b, b));
    out[2 * i + 1] = __bfloat162float(__hmax(a, b));
}

int main()
{
    const int count = 32;
    float in[count], out[4 * count];
    for (int i = 0; i < count; i++) in[i] = (i - 10) * 0.25f;
    float *const din = device_array<float>(count), *const dout = device_array<float>(4 * count);
    OK(cudaMemcpy(din, in, sizeof in, cudaMemcpyHostToDevice));
    halves<<<1, 32>>>(din, dout, count);
    OK(cudaMemcpy(out, dout, sizeof out, cudaMemcpyDeviceToHost));
    // All results are multiples of 1/8 below 16: exact in half precision.
    for (int i = 0; i < count; i++) {
        const float a = in[i];
        REQUIRE(out[4 * i] == a + 1.5f && out[4 * i + 1] == a * 1.5f && out[4 * i + 2] == a * 1.5f + a);
        REQUIRE(out[4 * i + 3] == 2 * a - 3.0f + (a > 1.5f ? 100.0f : 0.0f));
    }
    brains<<<1, 32>>>(din, dout, count);
    OK(cudaMemcpy(out, dout, 2 * sizeof in, cudaMemcpyDeviceToHost));
    for (int i = 0; i < count; i++) {
        REQUIRE(out[2 * i] == in[i] * 0.5f + 0.5f && out[2 * i + 1] == (in[i] > 0.5f ? in[i] : 0.5f));
    }
    // What does not fit becomes infinity, and rounding is to the nearest even.
    REQUIRE(__half2float(__float2half(70000.0f)) > 1e30f);
    REQUIRE(__half2float(__float2half(2049.0f)) == 2048.0f);
    return pass();
}
