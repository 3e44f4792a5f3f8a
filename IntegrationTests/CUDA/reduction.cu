// Sums, minima and ballots with warp shuffles, one atomic for each block.
#include "check.cuh"

#include <vector>

__inline__ __device__ unsigned warp_sum(unsigned value)
{
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(0xFFFFFFFFu, value, offset);
    return value;
}

__global__ void sum(const unsigned *values, int count, unsigned *total)
{
    __shared__ unsigned of_warp[32];
    unsigned own = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) own += values[i];
    own = warp_sum(own);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = own;
    __syncthreads();
    if (threadIdx.x < 32) {
        own = threadIdx.x < blockDim.x / 32 ? of_warp[threadIdx.x] : 0;
        own = warp_sum(own);
        if (threadIdx.x == 0) atomicAdd(total, own);
    }
}

__global__ void butterfly(int *minima, unsigned *odd)
{
    int value = static_cast<int>((threadIdx.x * 37u) % 101u);
    const unsigned ballot = __ballot_sync(0xFFFFFFFFu, value & 1);
    for (int mask = 16; mask > 0; mask /= 2) {
        const int other = __shfl_xor_sync(0xFFFFFFFFu, value, mask);
        value = other < value ? other : value;
    }
    minima[threadIdx.x] = value;
    if (threadIdx.x % 32 == 0) odd[threadIdx.x / 32] = ballot;
}

int main()
{
    const int count = 100003;
    std::vector<unsigned> values(count);
    unsigned expected = 0;
    for (int i = 0; i < count; i++) {
        values[i] = i * 2654435761u;
        expected += values[i];
    }
    unsigned *const device = device_array<unsigned>(count), *const total = device_array<unsigned>(1);
    OK(cudaMemcpy(device, values.data(), count * sizeof(unsigned), cudaMemcpyHostToDevice));
    OK(cudaMemset(total, 0, sizeof(unsigned)));
    sum<<<24, 256>>>(device, count, total);
    unsigned result = 0;
    OK(cudaMemcpy(&result, total, sizeof result, cudaMemcpyDeviceToHost));
    REQUIRE(result == expected);

    int minima[64];
    unsigned odd[2];
    int *const dminima = device_array<int>(64);
    unsigned *const dodd = device_array<unsigned>(2);
    butterfly<<<1, 64>>>(dminima, dodd);
    OK(cudaMemcpy(minima, dminima, sizeof minima, cudaMemcpyDeviceToHost));
    OK(cudaMemcpy(odd, dodd, sizeof odd, cudaMemcpyDeviceToHost));
    for (int warp = 0; warp < 2; warp++) {
        int least = 1000;
        unsigned mask = 0;
        for (int lane = 0; lane < 32; lane++) {
            const int value = (warp * 32 + lane) * 37 % 101;
            if (value < least) least = value;
            if (value & 1) mask |= 1u << lane;
        }
        for (int lane = 0; lane < 32; lane++) REQUIRE(minima[warp * 32 + lane] == least);
        REQUIRE(odd[warp] == mask);
    }
    return pass();
}
