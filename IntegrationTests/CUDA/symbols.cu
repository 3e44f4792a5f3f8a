// Constants and variables of the device: copies to and from symbols, their addresses and sizes.
#include "check.cuh"

__constant__ float weights[8];
__device__ int counts[16] = {9, 8, 7};
__device__ float *indirect;

__global__ void apply(float *out)
{
    const int i = threadIdx.x;
    out[i] = weights[i % 8] * counts[i % 16];
    if (indirect) indirect[i] = out[i] + 1;
}

int main()
{
    float host[8];
    for (int i = 0; i < 8; i++) host[i] = 0.5f * i;
    OK(cudaMemcpyToSymbol(weights, host, sizeof host));
    float back[8] = {};
    OK(cudaMemcpyFromSymbol(back, weights, sizeof back));
    REQUIRE(memcmp(host, back, sizeof host) == 0);
    // A part of a variable, and what its initializer left in the rest.
    const int part[2] = {60, 50};
    OK(cudaMemcpyToSymbol(counts, part, sizeof part, 4 * sizeof(int)));
    int all[16];
    OK(cudaMemcpyFromSymbol(all, counts, sizeof all));
    REQUIRE(all[0] == 9 && all[2] == 7 && all[3] == 0 && all[4] == 60 && all[5] == 50 && all[15] == 0);

    void *address = nullptr;
    size_t size = 0;
    OK(cudaGetSymbolAddress(&address, counts));
    OK(cudaGetSymbolSize(&size, counts));
    REQUIRE(size == sizeof all);
    void *again = nullptr;
    OK(cudaGetSymbolAddress(&again, counts));
    REQUIRE(again == address);
    OK(cudaMemset(address, 0, sizeof(int)));
    OK(cudaMemcpyFromSymbol(all, counts, sizeof(int)));
    REQUIRE(all[0] == 0);

    float *const out = device_array<float>(16), *const other = device_array<float>(16);
    OK(cudaMemcpyToSymbol(indirect, &other, sizeof other));
    apply<<<1, 16>>>(out);
    float results[16], plus[16];
    OK(cudaMemcpy(results, out, sizeof results, cudaMemcpyDeviceToHost));
    OK(cudaMemcpy(plus, other, sizeof plus, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 16; i++) {
        const int count = i == 0 ? 0 : i == 1 ? 8 : i == 2 ? 7 : i == 4 ? 60 : i == 5 ? 50 : 0;
        REQUIRE(results[i] == host[i % 8] * count && plus[i] == results[i] + 1);
    }
    int nobody = 0;
    EXPECT(cudaMemcpyToSymbol(&nobody, part, sizeof(int)), cudaErrorInvalidSymbol);
    EXPECT(cudaGetLastError(), cudaErrorInvalidSymbol);
    EXPECT(cudaMemcpyToSymbol(counts, all, sizeof all, sizeof(int)), cudaErrorInvalidValue);
    return pass();
}
