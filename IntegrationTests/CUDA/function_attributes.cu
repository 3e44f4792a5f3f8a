// What the runtime knows of a kernel, and what can be set on it.
#include "check.cuh"

__global__ void __launch_bounds__(192) with_shared(int *out)
{
    __shared__ int memory[300];
    memory[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = memory[blockDim.x - 1 - threadIdx.x];
}

__constant__ int constants[50];

__global__ void with_constants(int *out) { out[threadIdx.x] = constants[threadIdx.x]; }

int main()
{
    cudaFuncAttributes attributes;
    OK(cudaFuncGetAttributes(&attributes, with_shared));
    REQUIRE(attributes.sharedSizeBytes == 1200);
    REQUIRE(attributes.maxThreadsPerBlock == 192);
    REQUIRE(attributes.numRegs > 0 && attributes.ptxVersion == 80);
    REQUIRE(attributes.localSizeBytes < 1 << 16);
    OK(cudaFuncGetAttributes(&attributes, with_constants));
    REQUIRE(attributes.constSizeBytes == 200 && attributes.sharedSizeBytes == 0);
    OK(cudaFuncSetCacheConfig(with_shared, cudaFuncCachePreferShared));
    OK(cudaFuncSetAttribute(with_shared, cudaFuncAttributePreferredSharedMemoryCarveout, 50));
    OK(cudaFuncGetAttributes(&attributes, with_shared));
    REQUIRE(attributes.preferredShmemCarveout == 50);
    int nobody = 0;
    // The runtimes since 12 take handles of the driver too, and so ask it first.
    const cudaError_t refusal = cudaFuncGetAttributes(&attributes, &nobody);
    REQUIRE(refusal == cudaErrorInvalidDeviceFunction || refusal == cudaErrorInvalidResourceHandle);
    EXPECT(cudaGetLastError(), refusal);

    int *const out = device_array<int>(192), host[192];
    with_shared<<<1, 192>>>(out);
    OK(cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 192; i++) REQUIRE(host[i] == 191 - i);
    // More threads than the kernel was built for.
    with_shared<<<1, 256>>>(out);
    EXPECT(cudaGetLastError(), cudaErrorInvalidValue);
    OK(cudaDeviceSynchronize());
    return pass();
}
