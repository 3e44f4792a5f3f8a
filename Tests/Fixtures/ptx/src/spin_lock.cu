extern "C" __global__ void spinLock(int* lock, int* counter) {
    bool done = false;
    while (!done) {
        if (atomicCAS(lock, 0, 1) == 0) {
            *(volatile int*)counter += 1;
            __threadfence();
            atomicExch(lock, 0);
            done = true;
        }
    }
}

extern "C" __global__ void lastBlock(const int* input, int* partial, int* total, unsigned* finished) {
    __shared__ bool isLast;
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = input[blockIdx.x];
        __threadfence();
        isLast = atomicInc(finished, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (isLast && threadIdx.x == 0) {
        int sum = 0;
        for (unsigned i = 0; i < gridDim.x; i++) sum += ((volatile int*)partial)[i];
        *total = sum;
        __threadfence_system();
    }
}
