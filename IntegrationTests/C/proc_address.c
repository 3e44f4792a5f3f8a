// Every exported name of the list given as argument resolves through cuGetProcAddress_v2 or is its own symbol, and
// versions and per-thread-stream variants are told apart.
#include "check.h"
#include <dlfcn.h>

int main(int argc, char **argv)
{
    REQUIRE(argc == 2);
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    REQUIRE(library != NULL);
    void *pointer = NULL, *other = NULL;
    CUdriverProcAddressQueryResult found;

    FILE *list = fopen(argv[1], "r");
    REQUIRE(list != NULL);
    char name[256];
    int count = 0;
    while (fscanf(list, "%255s", name) == 1) {
        if (dlsym(library, name) == NULL) {
            fprintf(stderr, "not exported: %s\n", name);
            return 1;
        }
        count++;
    }
    fclose(list);
    REQUIRE(count > 600);

    OK(cuGetProcAddress_v2("cuMemAlloc", &pointer, 13000, CU_GET_PROC_ADDRESS_DEFAULT, &found));
    REQUIRE(pointer == dlsym(library, "cuMemAlloc_v2") && found == CU_GET_PROC_ADDRESS_SUCCESS);
    // The newest form that the caller's version knows.
    OK(cuGetProcAddress_v2("cuCtxCreate", &pointer, 12000, CU_GET_PROC_ADDRESS_DEFAULT, NULL));
    OK(cuGetProcAddress_v2("cuCtxCreate", &other, 13000, CU_GET_PROC_ADDRESS_DEFAULT, NULL));
    REQUIRE(pointer != NULL && other != NULL && pointer != other);
    REQUIRE(other == dlsym(library, "cuCtxCreate_v4"));
    // The form with a per-thread default stream.
    OK(cuGetProcAddress_v2("cuMemcpyHtoD", &pointer, 13000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, NULL));
    REQUIRE(pointer == dlsym(library, "cuMemcpyHtoD_v2_ptds"));
    OK(cuGetProcAddress_v2("cuMemAlloc", &pointer, 13000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, NULL));
    REQUIRE(pointer == dlsym(library, "cuMemAlloc_v2"));
    // What does not exist, and what is too new for the caller.
    pointer = &pointer;
    (void)cuGetProcAddress_v2("cuNoSuchFunction", &pointer, 13000, 0, &found);
    REQUIRE(pointer == NULL && found == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
    REQUIRE(cuGetProcAddress_v2("cuNoSuchFunction", &pointer, 13000, 0, NULL) != CUDA_SUCCESS);
    REQUIRE(cuGetProcAddress_v2("", &pointer, 0, 0, NULL) != CUDA_SUCCESS);
    pointer = &pointer;
    (void)cuGetProcAddress_v2("cuLibraryLoadData", &pointer, 11000, 0, &found);
    REQUIRE(pointer == NULL && found == CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
    // Steps of versions; the same name in three forms; the function itself in both its forms.
    const struct {
        const char *name;
        int version;
        const char *exported;
    } steps[] = {
        {"cuMemcpyHtoD", 3010, "cuMemcpyHtoD"}, {"cuMemcpyHtoD", 3020, "cuMemcpyHtoD_v2"},
        {"cuCtxDestroy", 3020, "cuCtxDestroy"}, {"cuCtxDestroy", 4000, "cuCtxDestroy_v2"},
        {"cuStreamBeginCapture", 10000, "cuStreamBeginCapture"},
        {"cuStreamBeginCapture", 10010, "cuStreamBeginCapture_v2"},
        {"cuStreamGetCaptureInfo", 10010, "cuStreamGetCaptureInfo"},
        {"cuStreamGetCaptureInfo", 11030, "cuStreamGetCaptureInfo_v2"},
        {"cuStreamGetCaptureInfo", 12030, "cuStreamGetCaptureInfo_v3"},
        {"cuStreamWaitValue32", 8000, "cuStreamWaitValue32"}, {"cuStreamWaitValue32", 11070, "cuStreamWaitValue32_v2"},
        {"cuMemPrefetchAsync", 12010, "cuMemPrefetchAsync"}, {"cuMemPrefetchAsync", 12020, "cuMemPrefetchAsync_v2"},
        {"cuStreamGetCtx", 12040, "cuStreamGetCtx"}, {"cuStreamGetCtx", 12050, "cuStreamGetCtx_v2"},
        {"cuMemcpyBatchAsync", 12080, "cuMemcpyBatchAsync"}, {"cuMemcpyBatchAsync", 13000, "cuMemcpyBatchAsync_v2"},
        {"cuGetProcAddress", 11030, "cuGetProcAddress"}, {"cuGetProcAddress", 11080, "cuGetProcAddress"},
        {"cuGetProcAddress", 12000, "cuGetProcAddress_v2"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        OK(cuGetProcAddress_v2(steps[i].name, &pointer, steps[i].version, 0, &found));
        if (pointer != dlsym(library, steps[i].exported) || found != CU_GET_PROC_ADDRESS_SUCCESS) {
            fprintf(stderr, "%s at %d is not %s\n", steps[i].name, steps[i].version, steps[i].exported);
            return 1;
        }
        // The legacy stream is the default.
        OK(cuGetProcAddress_v2(steps[i].name, &other, steps[i].version, CU_GET_PROC_ADDRESS_LEGACY_STREAM, NULL));
        REQUIRE(other == pointer);
        OK(cuGetProcAddress(steps[i].name, &other, steps[i].version, 0));
        REQUIRE(other == pointer);
    }
    // Newer than the driver, flags that do not exist, and pointers that are missing.
    int version = 0;
    OK(cuDriverGetVersion(&version));
    OK(cuGetProcAddress_v2("cuInit", &pointer, version, 0, &found));
    EXPECT(cuGetProcAddress_v2("cuInit", &pointer, version + 10, 0, &found), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(pointer == NULL);
    EXPECT(cuGetProcAddress_v2("cuInit", &pointer, version, 4, &found), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGetProcAddress_v2("cuInit", NULL, version, 0, &found), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGetProcAddress_v2(NULL, &pointer, version, 0, &found), CUDA_ERROR_INVALID_VALUE);
    // Only synchronous copies and what belongs to streams has a per-thread form.
    OK(cuGetProcAddress_v2("cuLaunchKernel", &pointer, 13000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, NULL));
    REQUIRE(pointer == dlsym(library, "cuLaunchKernel_ptsz"));
    OK(cuGetProcAddress_v2("cuCtxGetCurrent", &pointer, 13000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, NULL));
    REQUIRE(pointer == dlsym(library, "cuCtxGetCurrent"));
    // What is declared but not there says so, and is no missing symbol.
    OK(cuGetProcAddress_v2("cuMulticastCreate", &pointer, 13000, 0, &found));
    OK(cuInit(0));
    EXPECT(((CUresult(*)(void *, void *))pointer)(NULL, NULL), CUDA_ERROR_NOT_SUPPORTED);
    puts("PASS");
    return 0;
}
