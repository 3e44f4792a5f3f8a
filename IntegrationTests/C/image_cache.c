// Loads a library with many kernels and uses them all; prints how many times the program waited for the worker, which
// it learns from the time: the test sets ROOST_RTT_US, so that each wait takes so long. Argument: the kernels' number.
#include "check.h"
#include "kernels.h"
#include <time.h>

#define KERNELS 24

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// Kernels that each store their number; a comment makes the text as long as wanted.
static char *library_text(int bytes, int seed)
{
    char *text = calloc(1, (size_t)bytes + 65536), *end = text;

    end += sprintf(end, "%s// %d\n", PTX_HEADER, seed);
    for (int k = 0; k < KERNELS; k++)
        end += sprintf(end,
                       ".visible .entry kernel%d(.param .u64 out)\n{\n  .reg .b32 %%r<2>;\n  .reg .b64 %%rd<2>;\n"
                       "  ld.param.u64 %%rd1, [out];\n  mov.u32 %%r1, %d;\n  st.global.u32 [%%rd1+%d], %%r1;\n  ret;\n}\n",
                       k, 1000 + k + seed, 4 * k);
    while (end - text < bytes)
        end += sprintf(end, "// long\n");
    return text;
}

int main(int argc, char **argv)
{
    double trip = atof(getenv("ROOST_RTT_US")) * 1e-6, start;
    int bytes = argc > 1 ? atoi(argv[1]) : 0, seed = argc > 2 ? atoi(argv[2]) : 0, device = argc > 3 ? atoi(argv[3]) : 0;
    unsigned values[KERNELS];
    CUcontext context;
    CUlibrary library;
    CUdeviceptr out;

    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&context, device));
    OK(cuCtxSetCurrent(context));
    OK(cuMemAlloc_v2(&out, sizeof values));
    OK(cuMemsetD32_v2(out, 0, KERNELS));
    OK(cuCtxSynchronize());
    char *text = library_text(bytes, seed);

    start = now();
    OK(cuLibraryLoadData(&library, text, NULL, NULL, 0, NULL, NULL, 0));
    printf("load %d\n", (int)((now() - start) / trip));
    memset(text, 'x', strlen(text));
    start = now();
    for (int k = 0; k < KERNELS; k++) {
        CUkernel kernel;
        CUfunction function;
        char name[32];

        sprintf(name, "kernel%d", k);
        OK(cuLibraryGetKernel(&kernel, library, name));
        OK(cuKernelGetFunction(&function, kernel));
        OK(launch(k % 2 ? function : (CUfunction)kernel, 1, 1, (void *[]){ &out }));
    }
    printf("use %d\n", (int)((now() - start) / trip));
    OK(cuMemcpyDtoH_v2(values, out, sizeof values));
    for (int k = 0; k < KERNELS; k++)
        REQUIRE(values[k] == 1000u + (unsigned)(k + seed));
    puts("PASS");
    return 0;
}
