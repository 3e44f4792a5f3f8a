// A child of a process that had not initialized starts anew; a child of one that had gets CUDA_ERROR_NOT_INITIALIZED.
#include "check.h"
#include "kernels.h"
#include <sys/wait.h>
#include <unistd.h>

static void use_device(void)
{
    CUdeviceptr pointer;
    unsigned value = 7;
    begin();
    OK(cuMemAlloc_v2(&pointer, sizeof value));
    OK(cuMemcpyHtoD_v2(pointer, &value, sizeof value));
    value = 0;
    OK(cuMemcpyDtoH_v2(&value, pointer, sizeof value));
    REQUIRE(value == 7);
    OK(cuMemFree_v2(pointer));
}

static void expect_child_success(pid_t child)
{
    int status = 0;
    REQUIRE(child > 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    int version = 0, count = 0;
    CUdeviceptr pointer;

    // Asking for the version is not initializing.
    OK(cuDriverGetVersion(&version));
    EXPECT(cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
    pid_t child = fork();
    if (child == 0) {
        use_device();
        exit(0);
    }
    expect_child_success(child);

    use_device();
    child = fork();
    if (child == 0) {
        EXPECT(cuInit(0), CUDA_ERROR_NOT_INITIALIZED);
        EXPECT(cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
        EXPECT(cuMemAlloc_v2(&pointer, 4), CUDA_ERROR_NOT_INITIALIZED);
        EXPECT(cuCtxSynchronize(), CUDA_ERROR_NOT_INITIALIZED);
        _exit(0);
    }
    expect_child_success(child);

    // The parent does not notice, and a child that execs has a fresh library.
    use_device();
    puts("PASS");
    return 0;
}
