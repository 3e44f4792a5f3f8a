// A wild store is an error for good, of every later call, and of a program's other stream.
#include "check.cuh"

__global__ void store(int *pointer) { *pointer = 1; }

int main()
{
    int *const good = device_array<int>(1);
    cudaStream_t other;
    OK(cudaStreamCreate(&other));
    store<<<1, 1>>>(good);
    OK(cudaDeviceSynchronize());
    store<<<1, 1>>>(reinterpret_cast<int *>(64));
    EXPECT(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
    EXPECT(cudaGetLastError(), cudaErrorIllegalAddress);
    EXPECT(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
    int host = 0;
    EXPECT(cudaMemcpy(&host, good, sizeof host, cudaMemcpyDeviceToHost), cudaErrorIllegalAddress);
    EXPECT(cudaStreamSynchronize(other), cudaErrorIllegalAddress);
    void *more = nullptr;
    EXPECT(cudaMalloc(&more, 64), cudaErrorIllegalAddress);
    store<<<1, 1>>>(good);
    EXPECT(cudaPeekAtLastError(), cudaErrorIllegalAddress);
    EXPECT(cudaPeekAtLastError(), cudaErrorIllegalAddress);
    REQUIRE(strstr(cudaGetErrorString(cudaErrorIllegalAddress), "illegal memory access") != nullptr);
    return pass();
}
