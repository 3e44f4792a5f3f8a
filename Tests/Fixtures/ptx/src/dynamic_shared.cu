extern __shared__ int scratch[];

extern "C" __global__ void reverseBlock(int* values) {
    int t = threadIdx.x;
    scratch[t] = values[t];
    __syncthreads();
    values[t] = scratch[blockDim.x - 1 - t];
}

extern "C" __global__ void __launch_bounds__(128, 4) prefixSum(const int* input, int* output) {
    int t = threadIdx.x;
    scratch[t] = input[t];
    __syncthreads();
    for (int offset = 1; offset < blockDim.x; offset *= 2) {
        int v = t >= offset ? scratch[t - offset] : 0;
        __syncthreads();
        scratch[t] += v;
        __syncthreads();
    }
    output[t] = scratch[t];
}
