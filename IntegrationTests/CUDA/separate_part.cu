// The other half of separate.cu.
#include "check.cuh"

__device__ int offset;
__constant__ int table[4] = {10, 20, 30, 40};

__device__ __noinline__ int twice(int value) { return 2 * value; }

void set_offset(int value) { OK(cudaMemcpyToSymbol(offset, &value, sizeof value)); }
