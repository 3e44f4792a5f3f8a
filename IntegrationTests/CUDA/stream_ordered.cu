// Memory that is allocated and freed in the order of a stream, from the default pool and from one of our own.
#include "check.cuh"

__global__ void fill(int *values, int value) { values[threadIdx.x] = value; }
__global__ void sum(const int *a, const int *b, int *out) { out[threadIdx.x] = a[threadIdx.x] + b[threadIdx.x]; }

int main()
{
    int supported = 0;
    OK(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, 0));
    REQUIRE(supported == 1);
    cudaStream_t stream;
    OK(cudaStreamCreate(&stream));
    cudaMemPool_t usual, own;
    OK(cudaDeviceGetDefaultMemPool(&usual, 0));
    unsigned long long threshold = ~0ull;
    OK(cudaMemPoolSetAttribute(usual, cudaMemPoolAttrReleaseThreshold, &threshold));
    cudaMemPoolProps properties = {};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location.type = cudaMemLocationTypeDevice;
    properties.location.id = 0;
    OK(cudaMemPoolCreate(&own, &properties));

    for (int round = 0; round < 20; round++) {
        int *a = nullptr, *b = nullptr, *out = nullptr, host[64];
        OK(cudaMallocAsync(reinterpret_cast<void **>(&a), 64 * sizeof(int), stream));
        OK(cudaMallocFromPoolAsync(reinterpret_cast<void **>(&b), 64 * sizeof(int), own, stream));
        OK(cudaMallocAsync(reinterpret_cast<void **>(&out), 64 * sizeof(int), stream));
        fill<<<1, 64, 0, stream>>>(a, round);
        fill<<<1, 64, 0, stream>>>(b, 1000);
        sum<<<1, 64, 0, stream>>>(a, b, out);
        OK(cudaFreeAsync(a, stream));
        OK(cudaFreeAsync(b, stream));
        OK(cudaMemcpyAsync(host, out, sizeof host, cudaMemcpyDeviceToHost, stream));
        OK(cudaFreeAsync(out, stream));
        OK(cudaStreamSynchronize(stream));
        for (int i = 0; i < 64; i++) REQUIRE(host[i] == 1000 + round);
    }
    unsigned long long used = 1, high = 0;
    OK(cudaMemPoolGetAttribute(own, cudaMemPoolAttrUsedMemCurrent, &used));
    OK(cudaMemPoolGetAttribute(own, cudaMemPoolAttrUsedMemHigh, &high));
    REQUIRE(used == 0 && high >= 64 * sizeof(int));
    OK(cudaMemPoolTrimTo(own, 0));
    OK(cudaMemPoolDestroy(own));
    OK(cudaStreamDestroy(stream));
    return pass();
}
