// An assertion that fails in a kernel is an error for good.
#undef NDEBUG
#include "check.cuh"

#include <cassert>

__global__ void check(int limit) { assert(static_cast<int>(threadIdx.x) < limit); }

int main()
{
    check<<<1, 32>>>(32);
    OK(cudaDeviceSynchronize());
    check<<<1, 32>>>(31);
    EXPECT(cudaDeviceSynchronize(), cudaErrorAssert);
    EXPECT(cudaGetLastError(), cudaErrorAssert);
    // Sticky: it does not go away by being asked for.
    EXPECT(cudaDeviceSynchronize(), cudaErrorAssert);
    void *pointer = nullptr;
    EXPECT(cudaMalloc(&pointer, 16), cudaErrorAssert);
    check<<<1, 32>>>(32);
    EXPECT(cudaGetLastError(), cudaErrorAssert);
    return pass();
}
