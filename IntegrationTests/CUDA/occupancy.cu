// The occupancy functions agree with each other and with the device's limits.
#include "check.cuh"

__global__ void light(int *out) { out[threadIdx.x] = 1; }

__global__ void __launch_bounds__(128) bounded(int *out) { out[threadIdx.x] = 2; }

__global__ void heavy(int *out)
{
    __shared__ int memory[8192];
    memory[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = memory[threadIdx.x ^ 1];
}

int main()
{
    int threads = 0, blocks = 0, shared = 0;
    OK(cudaDeviceGetAttribute(&threads, cudaDevAttrMaxThreadsPerMultiProcessor, 0));
    OK(cudaDeviceGetAttribute(&blocks, cudaDevAttrMaxBlocksPerMultiprocessor, 0));
    OK(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerMultiprocessor, 0));
    int active = 0, previous = 1 << 30;
    for (int size = 32; size <= 1024; size *= 2) {
        OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&active, light, size, 0));
        REQUIRE(active >= 1 && active <= blocks && active * size <= threads && active <= previous);
        previous = active;
    }
    OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&active, heavy, 64, 0));
    REQUIRE(active >= 1 && active * 32768 <= shared);
    int other = 0;
    OK(cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&other, heavy, 64, 0, cudaOccupancyDisableCachingOverride));
    REQUIRE(other == active);
    OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&active, bounded, 256, 0));
    REQUIRE(active == 0);

    int grid = 0, block = 0;
    OK(cudaOccupancyMaxPotentialBlockSize(&grid, &block, bounded, 0, 0));
    REQUIRE(block > 0 && block <= 128 && grid > 0);
    OK(cudaOccupancyMaxPotentialBlockSizeVariableSMem(&grid, &block, light, [](int size) { return size * 16; }));
    REQUIRE(block > 0 && block <= 1024 && grid > 0);
    size_t dynamic = 0;
    OK(cudaOccupancyAvailableDynamicSMemPerBlock(&dynamic, light, 2, 128));
    REQUIRE(dynamic > 0 && dynamic * 2 <= static_cast<size_t>(shared));

    int *const out = device_array<int>(1024);
    light<<<1, block>>>(out);
    heavy<<<1, 64>>>(out);
    OK(cudaDeviceSynchronize());
    return pass();
}
