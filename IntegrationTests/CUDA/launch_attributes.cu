// Launches with attributes: cooperative, priority, programmatic dependence, synchronization domain.
#include "check.cuh"

#include <cooperative_groups.h>

__global__ void add(int *values, int term) { values[blockIdx.x * blockDim.x + threadIdx.x] += term; }

__global__ void rotate(int *values)
{
    const cooperative_groups::grid_group grid = cooperative_groups::this_grid();
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, count = gridDim.x * blockDim.x;
    const int next = values[(i + 1) % count];
    grid.sync();
    values[i] = next;
}

int main()
{
    int host[128], *const values = device_array<int>(128);
    for (int i = 0; i < 128; i++) host[i] = i;
    OK(cudaMemcpy(values, host, sizeof host, cudaMemcpyHostToDevice));
    cudaStream_t stream;
    OK(cudaStreamCreate(&stream));
    cudaLaunchAttribute attributes[3] = {};
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(2);
    config.blockDim = dim3(64);
    config.stream = stream;
    config.attrs = attributes;
    attributes[0].id = cudaLaunchAttributeCooperative;
    attributes[0].val.cooperative = 1;
    config.numAttrs = 1;
    OK(cudaLaunchKernelEx(&config, rotate, values));
    attributes[0].id = cudaLaunchAttributePriority;
    attributes[0].val.priority = 0;
    config.numAttrs = 1;
#if CUDART_VERSION >= 12000
    attributes[1].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[1].val.programmaticStreamSerializationAllowed = 1;
    attributes[2].id = cudaLaunchAttributeMemSyncDomain;
    attributes[2].val.memSyncDomain = cudaLaunchMemSyncDomainRemote;
    config.numAttrs = 3;
#endif
    OK(cudaLaunchKernelEx(&config, add, values, 1000));
    OK(cudaStreamSynchronize(stream));
    OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 128; i++) REQUIRE(host[i] == (i + 1) % 128 + 1000);
    OK(cudaStreamDestroy(stream));
    return pass();
}
