// Every exported function is called with nothing but zeros: before cuInit, without a context, with one. It may refuse,
// but never trap, and the library works afterwards. Then the mistakes that programs really make, one by one.
#include "check.h"
#include "kernels.h"
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

typedef CUresult (*any_t)(long, long, long, long, long, long, long, long, long, long, long, long, long, long, long, long,
    long, long, long, long);

static char name[256];
static const char *phase;

static void crashed(int signal_number)
{
    dprintf(2, "%s: signal %d in %s\n", phase, signal_number, name);
    _exit(1);
}

static void sweep(const char *list_path, const char *phase_name, int only_not_initialized)
{
    phase = phase_name;
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    FILE *list = fopen(list_path, "r");
    REQUIRE(library != NULL && list != NULL);
    while (fscanf(list, "%255s", name) == 1) {
        if (only_not_initialized && strcmp(name, "cuInit") == 0)
            continue;
        any_t function = (any_t)dlsym(library, name);
        REQUIRE(function != NULL);
        alarm(10);
        CUresult result = function(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        alarm(0);
        // The GL, EGL and VDPAU names of the list return a CUresult too.
        if ((int)result < 0 || (int)result > 999) {
            fprintf(stderr, "%s: %s returned %d\n", phase, name, (int)result);
            exit(1);
        }
    }
    fclose(list);
}

static void mistakes(void)
{
    CUdeviceptr pointer;
    CUfunction function;
    CUmodule module;
    CUstream stream;
    size_t size;
    char text[4];
    int value;
    const void *words[64] = { 0 };

    EXPECT(cuInit(1), CUDA_ERROR_INVALID_VALUE);
    CUdevice device = begin();
    EXPECT(cuDeviceGet(&device, 99), CUDA_ERROR_INVALID_DEVICE);
    EXPECT(cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE);
    OK(cuDeviceGet(&device, 0));
    EXPECT(cuDeviceGetName(NULL, 10, device), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuDeviceTotalMem_v2(&size, 99), CUDA_ERROR_INVALID_DEVICE);
    EXPECT(cuDeviceGetAttribute(&value, (CUdevice_attribute)100000, device), CUDA_ERROR_INVALID_VALUE);
    OK(cuDeviceGetName(text, sizeof text, device));
    REQUIRE(strlen(text) < sizeof text);

    EXPECT(cuMemAlloc_v2(NULL, 16), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemAlloc_v2(&pointer, 1024));
    EXPECT(cuMemcpyHtoD_v2(pointer, NULL, 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyDtoH_v2(NULL, pointer, 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyDtoH_v2(words, pointer + (1 << 20), 16), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemFree_v2(pointer + 512), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemFree_v2(0x1234), CUDA_ERROR_INVALID_VALUE);

    EXPECT(cuModuleLoadData(&module, NULL), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleLoadData(NULL, add_ptx), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuModuleLoad(&module, "/nonexistent/file.ptx") == CUDA_ERROR_FILE_NOT_FOUND);
    OK(cuModuleLoadData(&module, add_ptx));
    EXPECT(cuModuleGetFunction(&function, module, "subtract"), CUDA_ERROR_NOT_FOUND);
    EXPECT(cuModuleGetFunction(NULL, module, "add"), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleGetFunction(&function, module, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cuModuleGetFunction(&function, module, "add"));

    unsigned n = 4;
    void *arguments[] = { &pointer, &pointer, &pointer, &n };
    EXPECT(launch(function, 0, 32, arguments), CUDA_ERROR_INVALID_VALUE);
    EXPECT(launch(function, 1, 0, arguments), CUDA_ERROR_INVALID_VALUE);
    EXPECT(launch(function, 1, 5000, arguments), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(launch(function, 1, 32, NULL) != CUDA_SUCCESS);
    REQUIRE(launch(NULL, 1, 32, arguments) != CUDA_SUCCESS);

    // Handles that are none: random numbers, and objects of another kind.
    OK(cuStreamCreate(&stream, 0));
    OK(cuStreamDestroy_v2(stream));
    EXPECT(cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuStreamDestroy_v2(stream), CUDA_ERROR_INVALID_HANDLE);
    REQUIRE(cuEventRecord((CUevent)(uintptr_t)0x77777777, NULL) != CUDA_SUCCESS);
    REQUIRE(cuStreamSynchronize((CUstream)(uintptr_t)0xdeadbeef) != CUDA_SUCCESS);
    REQUIRE(cuModuleUnload((CUmodule)function) != CUDA_SUCCESS);
    REQUIRE(launch((CUfunction)module, 1, 32, arguments) != CUDA_SUCCESS);

    // After all of this the device still computes.
    float ones[4] = { 1, 1, 1, 1 }, out[4] = { 0 };
    OK(cuMemcpyHtoD_v2(pointer, ones, sizeof ones));
    OK(launch(function, 1, 32, arguments));
    OK(cuMemcpyDtoH_v2(out, pointer, sizeof out));
    REQUIRE(out[0] == 2 && out[3] == 2);
    OK(cuMemFree_v2(pointer));
    OK(cuModuleUnload(module));
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2);
    for (int i = 0; i < 5; i++)
        signal((int[]){ SIGSEGV, SIGILL, SIGBUS, SIGABRT, SIGALRM }[i], crashed);
    sweep(argv[1], "before cuInit", 1);
    OK(cuInit(0));
    sweep(argv[1], "without a context", 0);
    begin();
    sweep(argv[1], "with a context", 0);
    phase = "mistakes";
    strcpy(name, "(see above)");
    mistakes();
    puts("PASS");
    return 0;
}
