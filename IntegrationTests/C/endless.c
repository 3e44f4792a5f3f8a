// Launches a kernel that never ends, says so, and waits for it: the worker is killed meanwhile. Prints the error.
#include "check.h"
#include "kernels.h"

int main(void)
{
    CUdeviceptr flag, other;

    begin();
    OK(cuMemAlloc_v2(&flag, 4));
    OK(cuMemsetD8_v2(flag, 0, 4));
    CUfunction endless = load(endless_ptx, "endless");
    OK(launch(endless, 1, 32, (void *[]){ &flag }));
    puts("running");
    fflush(stdout);
    CUresult result = cuCtxSynchronize();
    printf("error %d\n", (int)result);
    REQUIRE(result != CUDA_SUCCESS);
    EXPECT(cuCtxSynchronize(), result);
    REQUIRE(cuMemAlloc_v2(&other, 4) != CUDA_SUCCESS);
    REQUIRE(launch(endless, 1, 1, (void *[]){ &flag }) != CUDA_SUCCESS);
    puts("PASS");
    return 0;
}
