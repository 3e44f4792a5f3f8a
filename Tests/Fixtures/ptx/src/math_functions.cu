extern "C" __global__ void mathFunctions(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i];
    y[i] = sinf(v) + cosf(v) + expf(v) + logf(v) + powf(v, 1.7f) + sqrtf(v) + rsqrtf(v) + tanhf(v) + erff(v) + cbrtf(v)
        + fmodf(v, 3.0f) + atan2f(v, 2.0f) + exp2f(v) + log2f(v) + floorf(v) + ceilf(v) + roundf(v) + truncf(v)
        + copysignf(1.0f, v) + fminf(v, 1.0f) + fmaxf(v, 2.0f) + fabsf(v) + ldexpf(v, 3) + 1.0f / v;
}

extern "C" __global__ void fastMath(const float* x, float* y) {
    float v = x[threadIdx.x];
    y[threadIdx.x] = __sinf(v) + __cosf(v) + __expf(v) + __logf(v) + __powf(v, 2.0f) + __fdividef(v, 3.0f)
        + __frcp_rn(v) + __fsqrt_rn(v) + __frsqrt_rn(v) + __saturatef(v) + __fadd_rz(v, 1.0f) + __fmul_ru(v, 3.0f)
        + __fmaf_rd(v, v, v) + __int_as_float(__float2int_rz(v)) + __uint2float_rn(__float2uint_rn(v));
}
