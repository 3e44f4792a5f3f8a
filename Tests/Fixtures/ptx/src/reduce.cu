__inline__ __device__ float warpSum(float v) {
    for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_down_sync(0xffffffffu, v, offset);
    return v;
}

extern "C" __global__ void reduceSum(const float* input, float* output, int n) {
    __shared__ float partial[32];
    float v = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += input[i];
    v = warpSum(v);
    if ((threadIdx.x & 31) == 0) partial[threadIdx.x >> 5] = v;
    __syncthreads();
    if (threadIdx.x < 32) {
        v = threadIdx.x < (blockDim.x + 31) / 32 ? partial[threadIdx.x] : 0.0f;
        v = warpSum(v);
        if (threadIdx.x == 0) atomicAdd(output, v);
    }
}

extern "C" __global__ void reduceMaxXor(const int* input, int* output) {
    int v = input[threadIdx.x];
    for (int mask = 16; mask > 0; mask >>= 1) v = max(v, __shfl_xor_sync(0xffffffffu, v, mask));
    int first = __shfl_sync(0xffffffffu, v, 0);
    int up = __shfl_up_sync(0xffffffffu, v, 1, 8);
    output[threadIdx.x] = first + up + __reduce_add_sync(0xffffffffu, v);
}
