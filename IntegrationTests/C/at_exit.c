// Calls while the process exits get CUDA_ERROR_DEINITIALIZED, and nothing hangs or crashes.
#include "check.h"
#include <unistd.h>

static CUdeviceptr held;

static void late(void)
{
    CUdeviceptr pointer;
    if (cuMemFree_v2(held) != CUDA_ERROR_DEINITIALIZED || cuMemAlloc_v2(&pointer, 4) != CUDA_ERROR_DEINITIALIZED
        || cuCtxSynchronize() != CUDA_ERROR_DEINITIALIZED) {
        fputs("a call during exit did not return CUDA_ERROR_DEINITIALIZED\n", stderr);
        _exit(1);
    }
    puts("PASS");
    fflush(stdout);
}

int main(void)
{
    // Registered before the library registers anything, so it runs after the library's own exit handler.
    atexit(late);
    begin();
    OK(cuMemAlloc_v2(&held, 4096));
    return 0;
}
