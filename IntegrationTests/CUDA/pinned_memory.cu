// Pinned memory as source and target of copies, and zero-copy memory that kernels read and write.
#include "check.cuh"

#include <vector>

__global__ void square(const int *from, int *to, int count)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) to[i] = from[i] * from[i];
}

int main()
{
    const int count = 4096;
    int *pinned = nullptr, *mapped = nullptr, *seen = nullptr;
    OK(cudaSetDeviceFlags(cudaDeviceMapHost));
    OK(cudaMallocHost(reinterpret_cast<void **>(&pinned), count * sizeof(int)));
    OK(cudaHostAlloc(reinterpret_cast<void **>(&mapped), count * sizeof(int), cudaHostAllocMapped));
    OK(cudaHostGetDevicePointer(reinterpret_cast<void **>(&seen), mapped, 0));
    unsigned flags = 0;
    OK(cudaHostGetFlags(&flags, mapped));
    REQUIRE(flags & cudaHostAllocMapped);
    cudaPointerAttributes attributes;
    OK(cudaPointerGetAttributes(&attributes, mapped));
    REQUIRE(attributes.type == cudaMemoryTypeHost && attributes.devicePointer == seen);

    // Zero copy: no memory of the device takes part.
    for (int i = 0; i < count; i++) mapped[i] = i;
    int *const squares = device_array<int>(count);
    square<<<count / 128, 128>>>(seen, squares, count);
    OK(cudaMemcpyAsync(pinned, squares, count * sizeof(int), cudaMemcpyDeviceToHost));
    OK(cudaDeviceSynchronize());
    for (int i = 0; i < count; i++) REQUIRE(pinned[i] == i * i);
    for (int i = 0; i < count; i++) pinned[i] = -i;
    OK(cudaMemcpyAsync(squares, pinned, count * sizeof(int), cudaMemcpyHostToDevice));
    square<<<count / 128, 128>>>(squares, seen, count);
    OK(cudaDeviceSynchronize());
    for (int i = 0; i < count; i++) REQUIRE(mapped[i] == i * i);

    // Registered memory of the program's own.
    std::vector<int> own(count, 5);
    OK(cudaHostRegister(own.data(), count * sizeof(int), cudaHostRegisterMapped));
    int *registered = nullptr;
    OK(cudaHostGetDevicePointer(reinterpret_cast<void **>(&registered), own.data(), 0));
    square<<<count / 128, 128>>>(registered, registered, count);
    OK(cudaDeviceSynchronize());
    for (int i = 0; i < count; i++) REQUIRE(own[i] == 25);
    OK(cudaHostUnregister(own.data()));
    EXPECT(cudaHostUnregister(own.data()), cudaErrorHostMemoryNotRegistered);
    (void)cudaGetLastError();
    OK(cudaFreeHost(pinned));
    OK(cudaFreeHost(mapped));
    OK(cudaFree(squares));
    return pass();
}
