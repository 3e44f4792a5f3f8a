// An illegal address kills the context: the error comes at the next call that waits, and at every call after it.
#include "check.h"
#include "kernels.h"

int main(void)
{
    CUdeviceptr before, after;
    float value = 1;

    begin();
    OK(cuMemAlloc_v2(&before, sizeof value));
    CUfunction illegal = load(illegal_ptx, "illegal");
    // In strict mode the error comes at the call that made it.
    EXPECT(launch(illegal, 1, 1, NULL), getenv("ROOST_STRICT") ? CUDA_ERROR_ILLEGAL_ADDRESS : CUDA_SUCCESS);
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT(cuMemcpyDtoH_v2(&value, before, sizeof value), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT(cuMemAlloc_v2(&after, sizeof value), CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT(launch(illegal, 1, 1, NULL), CUDA_ERROR_ILLEGAL_ADDRESS);
    const char *text = NULL;
    OK(cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
    REQUIRE(strcmp(text, "CUDA_ERROR_ILLEGAL_ADDRESS") == 0);
    OK(cuGetErrorString(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
    REQUIRE(strlen(text) > 10);
    puts("PASS");
    return 0;
}
