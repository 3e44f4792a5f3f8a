// What the runtime says about devices: properties, attributes, limits, choice, and peers, of which one device has none.
#include "check.cuh"

int main()
{
    int count = 0, device = -1, chosen = -1;
    OK(cudaGetDeviceCount(&count));
    REQUIRE(count == 1);
    cudaDeviceProp properties;
    OK(cudaGetDeviceProperties(&properties, 0));
    REQUIRE(properties.major >= 7 && properties.warpSize == 32 && properties.multiProcessorCount > 0);
    REQUIRE(strstr(properties.name, "Roost") != nullptr);
    int major = 0;
    OK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    REQUIRE(major == properties.major);
    OK(cudaChooseDevice(&chosen, &properties));
    REQUIRE(chosen == 0);
    OK(cudaSetDevice(0));
    OK(cudaGetDevice(&device));
    REQUIRE(device == 0);
    EXPECT(cudaSetDevice(1), cudaErrorInvalidDevice);
    EXPECT(cudaGetLastError(), cudaErrorInvalidDevice);
    char bus[32];
    OK(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
    OK(cudaDeviceGetByPCIBusId(&chosen, bus));
    REQUIRE(chosen == 0);

    size_t available = 0, total = 0, used = 0;
    OK(cudaMemGetInfo(&available, &total));
    REQUIRE(total == properties.totalGlobalMem && available <= total);
    void *pointer = nullptr;
    OK(cudaMalloc(&pointer, 8 << 20));
    OK(cudaMemGetInfo(&used, &total));
    REQUIRE(used + (8 << 20) <= available);
    OK(cudaFree(pointer));
    EXPECT(cudaMalloc(&pointer, total * 2), cudaErrorMemoryAllocation);
    EXPECT(cudaGetLastError(), cudaErrorMemoryAllocation);
    OK(cudaDeviceSynchronize());

    OK(cudaDeviceSetLimit(cudaLimitStackSize, 4096));
    size_t limit = 0;
    OK(cudaDeviceGetLimit(&limit, cudaLimitStackSize));
    REQUIRE(limit >= 4096);
    int access = 1;
    OK(cudaDeviceCanAccessPeer(&access, 0, 0));
    REQUIRE(access == 0);
    EXPECT(cudaDeviceCanAccessPeer(&access, 0, 1), cudaErrorInvalidDevice);
    REQUIRE(cudaDeviceEnablePeerAccess(0, 0) != cudaSuccess);
    (void)cudaGetLastError();
    return pass();
}
