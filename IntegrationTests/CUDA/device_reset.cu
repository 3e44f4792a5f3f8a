// A reset takes everything away, and the program begins anew: modules load again, variables have their first values.
#include "check.cuh"

__device__ int counter = 5;

__global__ void count(int *out) { *out = atomicAdd(&counter, 1); }

int main()
{
    for (int round = 0; round < 3; round++) {
        int *const out = device_array<int>(1);
        int host = -1;
        count<<<1, 1>>>(out);
        count<<<1, 1>>>(out);
        OK(cudaMemcpy(&host, out, sizeof host, cudaMemcpyDeviceToHost));
        REQUIRE(host == 6);
        OK(cudaDeviceReset());
        EXPECT(cudaFree(out), cudaErrorInvalidValue);
        (void)cudaGetLastError();
    }
    return pass();
}
