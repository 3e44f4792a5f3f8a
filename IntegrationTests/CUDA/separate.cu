// Separate compilation: kernels here call functions and use variables of separate_part.cu; the device code is linked.
#include "check.cuh"

extern __device__ int twice(int value);
extern __device__ int offset;
extern __constant__ int table[4];
extern void set_offset(int value);

__device__ int through(int (*function)(int), int value) { return function(value); }

__global__ void apply(int *values)
{
    const int i = threadIdx.x;
    values[i] = through(twice, values[i]) + offset + table[i % 4];
}

int main()
{
    int host[8], *const values = device_array<int>(8);
    for (int i = 0; i < 8; i++) host[i] = i;
    OK(cudaMemcpy(values, host, sizeof host, cudaMemcpyHostToDevice));
    set_offset(1000);
    apply<<<1, 8>>>(values);
    OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 8; i++) REQUIRE(host[i] == 2 * i + 1000 + (i % 4 + 1) * 10);
    return pass();
}
