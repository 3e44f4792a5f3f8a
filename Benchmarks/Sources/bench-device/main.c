/* The software GPU: cost of single warp instructions, saxpy and matmul beside C, loading of a large module. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "BenchClock.h"
#include "CCUDA.h"
#include "kernels.h"
#include "reference.h"

enum { REPEATS = 9 };

static double samples[64];

static CUfunction load(const char *ptx, const char *name) {
    CUmodule module;
    CUfunction function;
    bench_check(cuModuleLoadData(&module, ptx), "cuModuleLoadData");
    bench_check(cuModuleGetFunction(&function, module, name), "cuModuleGetFunction");
    return function;
}

/* Median seconds of a launch. */
static double timeLaunch(CUfunction function, unsigned gridX, unsigned gridY, unsigned blockX, unsigned blockY, void **parameters) {
    for (int i = 0; i <= REPEATS; i++) {
        double start = bench_now();
        bench_check(cuLaunchKernel(function, gridX, gridY, 1, blockX, blockY, 1, 0, NULL, parameters, NULL), "cuLaunchKernel");
        bench_check(cuCtxSynchronize(), "cuCtxSynchronize");
        if (i) samples[i - 1] = bench_now() - start;
    }
    return bench_median(samples, REPEATS);
}

static double timeLoop(const char *instruction, int rotate, CUdeviceptr memory) {
    char *text = malloc(1 << 16), line[256];
    strcpy(text, loopHead);
    for (int i = 0; i < 16 && instruction; i++) {
        snprintf(line, sizeof line, instruction, rotate ? 2 + i % 4 : 8 + i % 4, rotate ? 2 + i % 4 : 0);
        strcat(text, line);
    }
    strcat(text, loopTail);
    int iterations = 20000;
    void *parameters[] = {&memory, &iterations};
    double seconds = timeLaunch(load(text, "loop"), 1, 1, 32, 1, parameters);
    free(text);
    return seconds / iterations;
}

static void measureInstructions(CUdeviceptr memory) {
    static const struct { const char *name, *text; int rotate; } kinds[] = {
        {"add_f32", " add.f32 %%f%d, %%f%d, %%f1;\n", 1},
        {"fma_f32", " fma.rn.f32 %%f%d, %%f%d, %%f1, %%f1;\n", 1},
        {"add_s32", " add.s32 %%r%d, %%r2, %%r3;\n", 0},
        {"load_coalesced", " ld.global.f32 %%f%d, [%%rd4];\n", 0},
        {"load_shared", " ld.shared.f32 %%f%d, [%%r5];\n", 0},
        {"atomic_add", " atom.global.add.u32 %%r%d, [%%rd2], 1;\n", 0}};
    double empty = timeLoop(NULL, 0, memory);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[64];
        snprintf(name, sizeof name, "warp.%s", kinds[i].name);
        bench_report(name, (timeLoop(kinds[i].text, kinds[i].rotate, memory) - empty) / 16 * 1e9, "ns");
    }
}

static double timeSaxpy(void (*run)(float *, float *, float, int), float *x, float *y, float a, int n) {
    for (int i = 0; i <= REPEATS; i++) {
        double start = bench_now();
        run(x, y, a, n);
        if (i) samples[i - 1] = bench_now() - start;
    }
    return bench_median(samples, REPEATS);
}

static double timeMatmul(
    void (*run)(const float *, const float *, float *, int), const float *a, const float *b, float *c, int n) {
    for (int i = 0; i <= REPEATS; i++) {
        double start = bench_now();
        run(a, b, c, n);
        if (i) samples[i - 1] = bench_now() - start;
    }
    return bench_median(samples, REPEATS);
}

static void measureSaxpy(void) {
    int n = 4 << 20;
    float a = 0.5f, *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y), *result = malloc(n * sizeof *y);
    for (int i = 0; i < n; i++) x[i] = (float)(i % 1000), y[i] = (float)(i % 77);
    CUdeviceptr deviceX, deviceY;
    bench_check(cuMemAlloc_v2(&deviceX, n * sizeof *x), "cuMemAlloc");
    bench_check(cuMemAlloc_v2(&deviceY, n * sizeof *y), "cuMemAlloc");
    bench_check(cuMemcpyHtoD_v2(deviceX, x, n * sizeof *x), "cuMemcpyHtoD");
    bench_check(cuMemcpyHtoD_v2(deviceY, y, n * sizeof *y), "cuMemcpyHtoD");
    void *parameters[] = {&deviceX, &deviceY, &a, &n};
    double device = timeLaunch(load(saxpyPTX, "saxpy"), (unsigned)n / 256, 1, 256, 1, parameters);
    bench_check(cuMemcpyDtoH_v2(result, deviceY, n * sizeof *y), "cuMemcpyDtoH");
    double kernel = timeSaxpy(saxpyKernelReference, x, y, a, n), vectorized = timeSaxpy(saxpyReference, x, y, a, n);
    for (int i = 0; i < n; i++) x[i] = (float)(i % 1000), y[i] = (float)(i % 77);
    for (int i = 0; i <= REPEATS; i++) saxpyReference(x, y, a, n);
    for (int i = 0; i < n; i += 997)
        if (fabsf(result[i] - y[i]) > 1e-3f * fabsf(y[i])) bench_check(1, "comparison of saxpy");
    bench_report("saxpy.4M.device", device * 1e3, "ms");
    bench_report("saxpy.4M.c_kernel", kernel * 1e3, "ms");
    bench_report("saxpy.4M.c_vectorized", vectorized * 1e3, "ms");
    bench_report("saxpy.4M.ratio_to_kernel", device / kernel, "x");
    bench_report("saxpy.4M.ratio_to_vectorized", device / vectorized, "x");
    free(x), free(y), free(result);
}

static void measureMatmul(void) {
    int n = 512;
    size_t byteCount = (size_t)n * n * sizeof(float);
    float *a = malloc(byteCount), *b = malloc(byteCount), *c = malloc(byteCount), *result = malloc(byteCount);
    for (int i = 0; i < n * n; i++) a[i] = (float)(i % 13), b[i] = (float)(i % 7);
    char *text = malloc(1 << 16), line[256];
    strcpy(text, matmulHead);
    for (int k = 0; k < 16; k++) {
        snprintf(line, sizeof line, matmulStep, k * 64, k * 4);
        strcat(text, line);
    }
    strcat(text, matmulTail);
    CUdeviceptr deviceA, deviceB, deviceC;
    bench_check(cuMemAlloc_v2(&deviceA, byteCount), "cuMemAlloc");
    bench_check(cuMemAlloc_v2(&deviceB, byteCount), "cuMemAlloc");
    bench_check(cuMemAlloc_v2(&deviceC, byteCount), "cuMemAlloc");
    bench_check(cuMemcpyHtoD_v2(deviceA, a, byteCount), "cuMemcpyHtoD");
    bench_check(cuMemcpyHtoD_v2(deviceB, b, byteCount), "cuMemcpyHtoD");
    void *parameters[] = {&deviceA, &deviceB, &deviceC, &n};
    double device = timeLaunch(load(text, "matmul"), (unsigned)n / 16, (unsigned)n / 16, 16, 16, parameters);
    bench_check(cuMemcpyDtoH_v2(result, deviceC, byteCount), "cuMemcpyDtoH");
    double kernel = timeMatmul(matmulKernelReference, a, b, c, n), vectorized = timeMatmul(matmulReference, a, b, c, n);
    if (memcmp(c, result, byteCount)) bench_check(1, "comparison of matmul");
    bench_report("matmul.512.device", device * 1e3, "ms");
    bench_report("matmul.512.c_kernel", kernel * 1e3, "ms");
    bench_report("matmul.512.c_vectorized", vectorized * 1e3, "ms");
    bench_report("matmul.512.ratio_to_kernel", device / kernel, "x");
    bench_report("matmul.512.ratio_to_vectorized", device / vectorized, "x");
    free(a), free(b), free(c), free(result), free(text);
}

/* 500 kernels of 400 instructions each: as large as a library's module. */
static void measureLoad(void) {
    enum { KERNELS = 500, INSTRUCTIONS = 400 };
    char *text = malloc((size_t)KERNELS * (INSTRUCTIONS * 40 + 512)), *end = text;
    end += sprintf(end, "%s", PTX_HEADER);
    for (int k = 0; k < KERNELS; k++) {
        end += sprintf(end, ".visible .entry kernel%d(.param .u64 kernel%d_0)\n{\n .reg .b32 %%r<9>;\n", k, k);
        for (int i = 0; i < INSTRUCTIONS; i++) end += sprintf(end, " add.s32 %%r%d, %%r%d, %d;\n", i % 8, (i + 1) % 8, i);
        end += sprintf(end, " ret;\n}\n");
    }
    CUmodule module;
    CUfunction function;
    double start = bench_now();
    bench_check(cuModuleLoadData(&module, text), "cuModuleLoadData");
    double loaded = bench_now();
    bench_check(cuModuleGetFunction(&function, module, "kernel250"), "cuModuleGetFunction");
    double found = bench_now();
    bench_report("module.large.size", (double)(end - text) / 1e6, "MB");
    bench_report("module.large.load", (loaded - start) * 1e3, "ms");
    bench_report("module.large.first_function", (found - loaded) * 1e3, "ms");
    free(text);
}

int main(void) {
    CUdevice device;
    CUcontext context;
    CUdeviceptr memory;
    bench_check(cuInit(0), "cuInit");
    bench_check(cuDeviceGet(&device, 0), "cuDeviceGet");
    bench_check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    bench_check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    bench_check(cuMemAlloc_v2(&memory, 4096), "cuMemAlloc");
    measureInstructions(memory);
    measureSaxpy();
    measureMatmul();
    measureLoad();
    return 0;
}
