// Memory of the vGPU's own size: taking more fails with the CUDA error, freeing makes room, odd sizes are refused.
#include "check.h"

#define CHUNK ((size_t)4 << 20)

int main(void)
{
    CUdeviceptr pointers[4096], extra;
    size_t free_before = 0, free_after = 0, total = 0, held = 0;

    CUdevice device = begin();
    OK(cuMemGetInfo_v2(&free_before, &total));
    REQUIRE(total <= (size_t)4096 * CHUNK);
    size_t device_total = 0;
    OK(cuDeviceTotalMem_v2(&device_total, device));
    REQUIRE(device_total == total);
    for (;;) {
        CUresult result = cuMemAlloc_v2(&pointers[held], CHUNK);
        if (result == CUDA_ERROR_OUT_OF_MEMORY)
            break;
        OK(result);
        held++;
        REQUIRE(held < 4096);
    }
    REQUIRE(held * CHUNK <= total);
    REQUIRE((held + 1) * CHUNK > free_before);
    OK(cuMemGetInfo_v2(&free_after, &total));
    REQUIRE(free_after < CHUNK + ((size_t)1 << 20));
    EXPECT(cuMemAlloc_v2(&extra, CHUNK), CUDA_ERROR_OUT_OF_MEMORY);

    // The error is no sticky one: the context goes on.
    OK(cuMemsetD8_v2(pointers[0], 1, CHUNK));
    OK(cuCtxSynchronize());
    for (size_t i = 0; i < held; i++)
        OK(cuMemFree_v2(pointers[i]));
    OK(cuMemGetInfo_v2(&free_after, &total));
    REQUIRE(free_after == free_before);
    OK(cuMemAlloc_v2(&extra, CHUNK * (held / 2)));
    OK(cuMemFree_v2(extra));

    EXPECT(cuMemAlloc_v2(&extra, 0), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuMemAlloc_v2(&extra, SIZE_MAX) != CUDA_SUCCESS);
    EXPECT(cuMemAlloc_v2(&extra, (size_t)1 << 62), CUDA_ERROR_OUT_OF_MEMORY);
    OK(cuMemFree_v2(0));
    puts("PASS");
    return 0;
}
