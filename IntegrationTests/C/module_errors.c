// What cannot be loaded says why in the JIT's error log, and a bad function does not spoil the good one beside it.
#include "check.h"
#include "kernels.h"
#include <stdlib.h>

static CUresult load_with_log(const char *image, CUmodule *module, char *log, unsigned size)
{
    CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
    void *values[] = { log, (void *)(uintptr_t)size };
    memset(log, 0, size);
    return cuModuleLoadDataEx(module, image, 2, options, values);
}

int main(void)
{
    CUmodule module;
    CUfunction function;
    CUdeviceptr out;
    char log[4096];
    unsigned value = 0;

    begin();
    EXPECT(load_with_log(PTX_HEADER ".visible .entry broken(\n  .param .u64 p\n{ ret; }\n", &module, log, sizeof log),
        CUDA_ERROR_INVALID_PTX);
    printf("log: %s\n", log);
    REQUIRE(strlen(log) > 0);

    // A tiny buffer is filled, terminated and not run over.
    char guarded[16];
    memset(guarded, '#', sizeof guarded);
    EXPECT(load_with_log(PTX_HEADER ".visible .entry broken(", &module, guarded, 8), CUDA_ERROR_INVALID_PTX);
    REQUIRE(memchr(guarded, 0, 8) != NULL && guarded[8] == '#');

    REQUIRE(cuModuleLoadData(&module, "this is no device code at all") == CUDA_ERROR_INVALID_IMAGE
        || cuModuleLoadData(&module, "this is no device code at all") == CUDA_ERROR_INVALID_PTX);
    // Machine code of a real GPU: an ELF file.
    static const unsigned char elf[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, 51, 7, [16] = 2, [18] = 190, [52] = 64 };
    EXPECT(cuModuleLoadData(&module, elf), CUDA_ERROR_NO_BINARY_FOR_GPU);

    OK(load_with_log(half_good_ptx, &module, log, sizeof log));
    REQUIRE(cuModuleGetFunction(&function, module, "bad") != CUDA_SUCCESS);
    OK(cuModuleGetFunction(&function, module, "good"));
    OK(cuMemAlloc_v2(&out, 4));
    OK(launch(function, 1, 1, (void *[]){ &out }));
    OK(cuMemcpyDtoH_v2(&value, out, 4));
    REQUIRE(value == 42);
    puts("PASS");
    return 0;
}
