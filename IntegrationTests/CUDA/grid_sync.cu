// Cooperative groups: tiles, coalesced groups, and a barrier of the whole grid.
#include "check.cuh"

#include <cooperative_groups.h>

namespace cg = cooperative_groups;

__global__ void pyramid(int *values, int count)
{
    const cg::grid_group grid = cg::this_grid();
    for (int width = count / 2; width > 0; width /= 2) {
        for (unsigned long long i = grid.thread_rank(); i < static_cast<unsigned>(width); i += grid.size()) {
            values[i] += values[i + width];
        }
        grid.sync();
    }
}

__global__ void tiles(int *out)
{
    const cg::thread_block block = cg::this_thread_block();
    const cg::thread_block_tile<8> tile = cg::tiled_partition<8>(block);
    int value = static_cast<int>(block.thread_rank());
    for (int offset = tile.size() / 2; offset > 0; offset /= 2) value += tile.shfl_down(value, offset);
    if (tile.thread_rank() == 0) out[block.thread_rank() / 8] = value;
    block.sync();
    if (block.thread_rank() % 3 == 0) {
        const cg::coalesced_group group = cg::coalesced_threads();
        if (group.thread_rank() == 0) atomicAdd(&out[8], static_cast<int>(group.size()));
    }
}

int main()
{
    int supported = 0;
    OK(cudaDeviceGetAttribute(&supported, cudaDevAttrCooperativeLaunch, 0));
    REQUIRE(supported == 1);
    int count = 4096;
    int *host = new int[count];
    int expected = 0;
    for (int i = 0; i < count; i++) expected += host[i] = i % 17;
    int *values = device_array<int>(count);
    OK(cudaMemcpy(values, host, count * sizeof(int), cudaMemcpyHostToDevice));
    void *arguments[] = {&values, &count};
    OK(cudaLaunchCooperativeKernel(reinterpret_cast<void *>(pyramid), dim3(4), dim3(64), arguments, 0, nullptr));
    OK(cudaMemcpy(host, values, sizeof(int), cudaMemcpyDeviceToHost));
    REQUIRE(host[0] == expected);

    // More blocks than fit at once can't wait for each other.
    EXPECT(cudaLaunchCooperativeKernel(
               reinterpret_cast<void *>(pyramid), dim3(1 << 20), dim3(64), arguments, 0, nullptr),
           cudaErrorCooperativeLaunchTooLarge);
    (void)cudaGetLastError();

    int *const out = device_array<int>(9);
    OK(cudaMemset(out, 0, 9 * sizeof(int)));
    tiles<<<1, 64>>>(out);
    OK(cudaMemcpy(host, out, 9 * sizeof(int), cudaMemcpyDeviceToHost));
    for (int i = 0; i < 8; i++) REQUIRE(host[i] == 8 * (8 * i) + 28);
    REQUIRE(host[8] == 22);
    delete[] host;
    return pass();
}
