extern "C" __global__ void atomics32(int* i, unsigned* u, float* f) {
    atomicAdd(&i[0], 1); atomicSub(&i[1], 2); atomicMin(&i[2], (int)threadIdx.x); atomicMax(&i[3], (int)threadIdx.x);
    atomicInc(&u[0], 100u); atomicDec(&u[1], 100u); atomicAnd(&u[2], 0xf0u); atomicOr(&u[3], 1u << (threadIdx.x & 31));
    atomicXor(&u[4], threadIdx.x); atomicExch(&u[5], threadIdx.x); atomicAdd(f, 1.5f);
    u[6] = atomicCAS(&u[7], 0u, threadIdx.x);
    atomicAdd_block(&i[4], 3); atomicAdd_system(&i[5], 4);
}

extern "C" __global__ void atomics64(unsigned long long* u, long long* s, double* d) {
    atomicAdd(&u[0], 1ull); atomicCAS(&u[1], 0ull, 7ull); atomicExch(&u[2], 9ull);
    atomicMin(&s[0], (long long)threadIdx.x); atomicMax(&s[1], (long long)threadIdx.x); atomicAdd(d, 0.25);
}

extern "C" __global__ void histogram(const unsigned char* input, int n, unsigned* bins) {
    __shared__ unsigned local[256];
    local[threadIdx.x & 255] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(&local[input[i]], 1u);
    __syncthreads();
    atomicAdd(&bins[threadIdx.x & 255], local[threadIdx.x & 255]);
}
