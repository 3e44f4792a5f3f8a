// A histogram with atomics in shared and in global memory, and the other atomic operations.
#include "check.cuh"

#include <vector>

__global__ void histogram(const unsigned char *bytes, int count, unsigned *bins)
{
    __shared__ unsigned own[256];
    for (int i = threadIdx.x; i < 256; i += blockDim.x) own[i] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        atomicAdd(&own[bytes[i]], 1u);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += blockDim.x) {
        if (own[i]) atomicAdd(&bins[i], own[i]);
    }
}

struct Results {
    int most, least, claimed, wrapped;
    unsigned both, any;
    unsigned long long large;
    float sum;
    double wide;
};

__global__ void others(Results *results)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    atomicMax(&results->most, i);
    atomicMin(&results->least, -i);
    atomicAnd(&results->both, ~(1u << (i % 32)));
    atomicOr(&results->any, 1u << (i % 32));
    atomicAdd(&results->large, 1ull << 33);
    atomicAdd(&results->sum, 0.25f);
    atomicAdd(&results->wide, 0.125);
    atomicInc(reinterpret_cast<unsigned *>(&results->wrapped), 9u);
    atomicCAS(&results->claimed, 0, i + 1);
}

int main()
{
    const int count = 1 << 16;
    std::vector<unsigned char> bytes(count);
    unsigned expected[256] = {}, bins[256];
    for (int i = 0; i < count; i++) {
        bytes[i] = static_cast<unsigned char>((i * 7 + i / 256) % 251);
        expected[bytes[i]]++;
    }
    unsigned char *const device = device_array<unsigned char>(count);
    unsigned *const dbins = device_array<unsigned>(256);
    OK(cudaMemcpy(device, bytes.data(), count, cudaMemcpyHostToDevice));
    OK(cudaMemset(dbins, 0, sizeof bins));
    histogram<<<8, 128>>>(device, count, dbins);
    OK(cudaMemcpy(bins, dbins, sizeof bins, cudaMemcpyDeviceToHost));
    REQUIRE(memcmp(bins, expected, sizeof bins) == 0);

    Results results = {};
    results.both = 0xFFFFFFFFu;
    Results *const dresults = device_array<Results>(1);
    OK(cudaMemcpy(dresults, &results, sizeof results, cudaMemcpyHostToDevice));
    others<<<4, 64>>>(dresults);
    OK(cudaMemcpy(&results, dresults, sizeof results, cudaMemcpyDeviceToHost));
    REQUIRE(results.most == 255 && results.least == -255);
    REQUIRE(results.both == 0 && results.any == 0xFFFFFFFFu);
    REQUIRE(results.large == 256ull << 33);
    REQUIRE(results.sum == 64.0f && results.wide == 32.0);
    REQUIRE(results.wrapped == 256 % 10);
    REQUIRE(results.claimed >= 1 && results.claimed <= 256);
    return pass();
}
