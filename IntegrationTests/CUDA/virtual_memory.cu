// Virtual memory through the driver: one piece of memory at two addresses, and a range that grows.
#include "check.cuh"

#include <cuda.h>

#define ENTRY(name) static decltype(&name) driver_##name
ENTRY(cuMemAddressReserve);
ENTRY(cuMemAddressFree);
ENTRY(cuMemCreate);
ENTRY(cuMemRelease);
ENTRY(cuMemMap);
ENTRY(cuMemUnmap);
ENTRY(cuMemSetAccess);
ENTRY(cuMemGetAllocationGranularity);

template <typename Function>
static void find(const char *name, Function &function)
{
    void *entry = nullptr;
#if CUDART_VERSION >= 12050
    OK(cudaGetDriverEntryPointByVersion(name, &entry, 12000, cudaEnableDefault));
#else
    OK(cudaGetDriverEntryPoint(name, &entry, cudaEnableDefault));
#endif
    REQUIRE(entry != nullptr);
    function = reinterpret_cast<Function>(entry);
}

#define FIND(name) find(#name, driver_##name)

__global__ void count(int *values, int from) { values[threadIdx.x] = from + threadIdx.x; }

int main()
{
    FIND(cuMemAddressReserve);
    FIND(cuMemAddressFree);
    FIND(cuMemCreate);
    FIND(cuMemRelease);
    FIND(cuMemMap);
    FIND(cuMemUnmap);
    FIND(cuMemSetAccess);
    FIND(cuMemGetAllocationGranularity);
    OK(cudaFree(nullptr));
    CUmemAllocationProp properties = {};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    size_t granularity = 0;
    OK(driver_cuMemGetAllocationGranularity(&granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
    REQUIRE(granularity > 0);
    CUdeviceptr range = 0, alias = 0;
    OK(driver_cuMemAddressReserve(&range, 4 * granularity, 0, 0, 0));
    OK(driver_cuMemAddressReserve(&alias, granularity, 0, 0, 0));
    CUmemAccessDesc access = {};
    access.location = properties.location;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    CUmemGenericAllocationHandle pieces[2];
    for (int i = 0; i < 2; i++) {
        OK(driver_cuMemCreate(&pieces[i], granularity, &properties, 0));
        OK(driver_cuMemMap(range + i * granularity, granularity, 0, pieces[i], 0));
        OK(driver_cuMemSetAccess(range + i * granularity, granularity, &access, 1));
    }
    OK(driver_cuMemMap(alias, granularity, 0, pieces[1], 0));
    OK(driver_cuMemSetAccess(alias, granularity, &access, 1));
    // Across the border of the two pieces, then read through the other address of the second.
    count<<<1, 64>>>(reinterpret_cast<int *>(range + granularity) - 32, 500);
    int host[32];
    OK(cudaMemcpy(host, reinterpret_cast<void *>(alias), sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 32; i++) REQUIRE(host[i] == 532 + i);
    cudaPointerAttributes attributes;
    OK(cudaPointerGetAttributes(&attributes, reinterpret_cast<void *>(range)));
    REQUIRE(attributes.type == cudaMemoryTypeDevice && attributes.device == 0);
    OK(driver_cuMemUnmap(alias, granularity));
    OK(driver_cuMemUnmap(range, 2 * granularity));
    for (CUmemGenericAllocationHandle piece : pieces) OK(driver_cuMemRelease(piece));
    OK(driver_cuMemAddressFree(alias, granularity));
    OK(driver_cuMemAddressFree(range, 4 * granularity));
    return pass();
}
