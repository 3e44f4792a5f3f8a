// Virtual memory management as PyTorch's expandable segments and llama.cpp's pool use it: one large reservation that
// grows by mapping, kernels that run over the seams, and a segment that is given back in the middle.
#include "check.h"
#include "kernels.h"
#include <unistd.h>

#define GRANULE ((size_t)2 << 20)
#define SEGMENTS 6

static CUmemAccessDesc all = {{CU_MEM_LOCATION_TYPE_DEVICE, {0}}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};

int main(void)
{
    CUdevice device = begin();
    int supported = 0;
    OK(cuDeviceGetAttribute(&supported, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, device));
    REQUIRE(supported == 1);

    CUmemAllocationProp prop;
    memset(&prop, 0, sizeof prop);
    prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    prop.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    prop.location.id = device;
    size_t granularity = 0;
    OK(cuMemGetAllocationGranularity(&granularity, &prop, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED));
    REQUIRE(granularity == GRANULE);

    CUdeviceptr base = 0;
    OK(cuMemAddressReserve(&base, (size_t)32 << 30, 0, 0, 0));
    CUmemGenericAllocationHandle handles[SEGMENTS];
    for (size_t i = 0; i < SEGMENTS; i++) {
        OK(cuMemCreate(&handles[i], GRANULE, &prop, 0));
        OK(cuMemMap(base + i * GRANULE, GRANULE, 0, handles[i], 0));
        OK(cuMemSetAccess(base + i * GRANULE, GRANULE, &all, 1));
    }
    unsigned long long flags = 0;
    OK(cuMemGetAccess(&flags, &all.location, base + GRANULE + 1));
    REQUIRE(flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
    EXPECT(cuMemGetAccess(&flags, &all.location, base + SEGMENTS * GRANULE), CUDA_ERROR_INVALID_VALUE);

    // A pattern over all seams, up and down again.
    size_t count = SEGMENTS * GRANULE / 4;
    unsigned *host = malloc(count * 4), *back = malloc(count * 4);
    for (size_t i = 0; i < count; i++)
        host[i] = (unsigned)(i * 2654435761u);
    OK(cuMemcpyHtoD_v2(base, host, count * 4));
    OK(cuMemcpyDtoH_v2(back, base, count * 4));
    REQUIRE(memcmp(host, back, count * 4) == 0);

    // The third segment is taken out and put back elsewhere: its bytes move with it.
    OK(cuMemUnmap(base + 2 * GRANULE, GRANULE));
    CUdeviceptr place = 0;
    CUresult known = cuPointerGetAttribute(&place, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, base + 2 * GRANULE);
    REQUIRE(known == CUDA_ERROR_INVALID_VALUE);
    OK(cuMemMap(base + SEGMENTS * GRANULE, GRANULE, 0, handles[2], 0));
    OK(cuMemSetAccess(base + SEGMENTS * GRANULE, GRANULE, &all, 1));
    OK(cuMemcpyDtoH_v2(back, base + SEGMENTS * GRANULE, GRANULE));
    REQUIRE(memcmp(host + 2 * GRANULE / 4, back, GRANULE) == 0);

    // A descriptor opens the object again, also after the handle is gone.
    EXPECT(cuMemExportToShareableHandle(&supported, handles[0], CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0),
           CUDA_ERROR_INVALID_VALUE);
    CUmemAllocationProp shareable = prop, answer;
    shareable.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    CUmemGenericAllocationHandle shared, opened;
    OK(cuMemCreate(&shared, GRANULE, &shareable, 0));
    OK(cuMemGetAllocationPropertiesFromHandle(&answer, shared));
    REQUIRE(answer.requestedHandleTypes == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR && answer.location.id == device);
    int descriptor = -1;
    OK(cuMemExportToShareableHandle(&descriptor, shared, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
    OK(cuMemImportFromShareableHandle(&opened, (void *)(intptr_t)descriptor,
                                      CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    close(descriptor);
    OK(cuMemRelease(shared));
    OK(cuMemRelease(opened));

    OK(cuMemUnmap(base, 2 * GRANULE));
    OK(cuMemUnmap(base + 3 * GRANULE, (SEGMENTS - 2) * GRANULE));
    for (size_t i = 0; i < SEGMENTS; i++)
        OK(cuMemRelease(handles[i]));
    EXPECT(cuMemRelease(handles[0]), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemAddressFree(base, (size_t)32 << 30));
    OK(cuCtxSynchronize());

    size_t free_bytes = 0, total = 0;
    OK(cuMemGetInfo_v2(&free_bytes, &total));
    CUmemGenericAllocationHandle whole;
    OK(cuMemCreate(&whole, free_bytes & ~(GRANULE - 1), &prop, 0));
    CUdeviceptr extra;
    EXPECT(cuMemAlloc_v2(&extra, 2 * GRANULE), CUDA_ERROR_OUT_OF_MEMORY);
    OK(cuMemRelease(whole));
    OK(cuMemAlloc_v2(&extra, 2 * GRANULE));
    OK(cuMemFree_v2(extra));

    // The end: an access to reserved addresses without memory ends the context.
    OK(cuMemAddressReserve(&base, GRANULE, 0, 0, 0));
    OK(cuMemsetD8_v2(base, 1, 16));
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    puts("PASS");
    return 0;
}
