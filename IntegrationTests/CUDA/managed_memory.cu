// Managed memory: written by both sides in turn, advice, prefetching, and a managed variable.
#include "check.cuh"

__managed__ int counter = 40;
__managed__ int table[4] = {1, 2, 3, 4};

__global__ void bump(int *values, int count)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) values[i] += i;
    if (i == 0) counter += table[3];
}

int main()
{
    const int count = 3000;
    int *values = nullptr;
    OK(cudaMallocManaged(reinterpret_cast<void **>(&values), count * sizeof(int)));
    for (int i = 0; i < count; i++) values[i] = 100;
    for (int round = 1; round <= 3; round++) {
        table[3] = round;
        bump<<<(count + 127) / 128, 128>>>(values, count);
        OK(cudaDeviceSynchronize());
        for (int i = 0; i < count; i++) REQUIRE(values[i] == 100 + round * i);
    }
    REQUIRE(counter == 46);
#if CUDART_VERSION >= 13000
    const cudaMemLocation device = {cudaMemLocationTypeDevice, {0}};
    OK(cudaMemAdvise(values, count * sizeof(int), cudaMemAdviseSetPreferredLocation, device));
    OK(cudaMemPrefetchAsync(values, count * sizeof(int), device, 0, 0));
#else
    OK(cudaMemAdvise(values, count * sizeof(int), cudaMemAdviseSetPreferredLocation, 0));
    OK(cudaMemPrefetchAsync(values, count * sizeof(int), 0, 0));
#endif
    cudaPointerAttributes attributes;
    OK(cudaPointerGetAttributes(&attributes, values));
    REQUIRE(attributes.type == cudaMemoryTypeManaged);
    REQUIRE(attributes.devicePointer == values && attributes.hostPointer == values);
    OK(cudaMemset(values, 0, count * sizeof(int)));
    OK(cudaDeviceSynchronize());
    REQUIRE(values[count - 1] == 0);
    OK(cudaFree(values));
    return pass();
}
