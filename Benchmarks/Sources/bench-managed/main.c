/* What managed memory costs: one page, every 1024th, all of it, beside one copy. The endpoint is in the environment. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "BenchClock.h"
#include "CCUDA.h"

enum { BYTES = 256 << 20, PAGE = 4096, ROUNDS = 3, TOUCHES = 51, FEW_TOUCHES = 3 };

static double samples[TOUCHES];

/* Kernels may write all managed memory, so after this no page is on the host's side. */
static void runOnDevice(CUdeviceptr memory, unsigned value) {
    bench_check(cuMemsetD32_v2(memory, value, BYTES / 4), "cuMemsetD32");
}

/* Fills on the device, then reads; the time of both, as pages may come at either. */
static double fillAndRead(CUdeviceptr memory, size_t step, unsigned char value) {
    volatile unsigned char *bytes = (volatile unsigned char *)memory;
    double start = bench_now();
    runOnDevice(memory, 0x01010101u * value);
    for (size_t at = 0; at < BYTES; at += step)
        if (bytes[at] != value) bench_check(CUDA_ERROR_UNKNOWN, "a byte of managed memory");
    return bench_now() - start;
}

int main(void) {
    CUdevice device;
    CUcontext context;
    CUdeviceptr managed, plain;
    bench_check(cuInit(0), "cuInit");
    bench_check(cuDeviceGet(&device, 0), "cuDeviceGet");
    bench_check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    bench_check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    bench_check(cuMemAlloc_v2(&plain, BYTES), "cuMemAlloc");
    bench_check(cuMemsetD32_v2(plain, 1, BYTES / 4), "cuMemsetD32");
    char *host = malloc(BYTES);
    memset(host, 1, BYTES);
    for (int i = 0; i < ROUNDS; i++) {
        double start = bench_now();
        bench_check(cuMemcpyDtoH_v2(host, plain, BYTES), "cuMemcpyDtoH");
        samples[i] = bench_now() - start;
    }
    bench_report("managed.copy_all.from_device", bench_median(samples, ROUNDS) * 1e3, "ms");
    for (int i = 0; i < ROUNDS; i++) {
        double start = bench_now();
        bench_check(cuMemcpyHtoD_v2(plain, host, BYTES), "cuMemcpyHtoD");
        bench_check(cuCtxSynchronize(), "cuCtxSynchronize");
        samples[i] = bench_now() - start;
    }
    bench_report("managed.copy_all.to_device", bench_median(samples, ROUNDS) * 1e3, "ms");

    bench_check(cuMemAllocManaged(&managed, BYTES, CU_MEM_ATTACH_GLOBAL), "cuMemAllocManaged");
    volatile unsigned char *bytes = (volatile unsigned char *)managed;
    /* A touch brings all of the memory where pages do not come alone; then a few touches say it as well. */
    double firstTouch = bench_now();
    int touches = 0;
    while (touches < FEW_TOUCHES || (touches < TOUCHES && bench_now() - firstTouch < 2)) {
        int i = touches++;
        runOnDevice(managed, 0x01010101u * (unsigned)(i + 1));
        size_t at = (size_t)i * 7919 * PAGE % BYTES;
        double start = bench_now();
        if (bytes[at] != i + 1) bench_check(CUDA_ERROR_UNKNOWN, "a byte of managed memory");
        samples[i] = bench_now() - start;
    }
    bench_report("managed.touch_one.p50", bench_median(samples, touches) * 1e6, "us");
    for (int i = 0; i < ROUNDS; i++) {
        double start = bench_now();
        bench_check(cuMemsetD32_v2(plain, (unsigned)i, BYTES / 4), "cuMemsetD32");
        bench_check(cuCtxSynchronize(), "cuCtxSynchronize");
        samples[i] = bench_now() - start;
    }
    bench_report("managed.fill_alone", bench_median(samples, ROUNDS) * 1e3, "ms");
    for (int i = 0; i < ROUNDS; i++) samples[i] = fillAndRead(managed, BYTES, (unsigned char)(i + 1));
    bench_report("managed.fill_and_read_one", bench_median(samples, ROUNDS) * 1e3, "ms");
    for (int i = 0; i < ROUNDS; i++) samples[i] = fillAndRead(managed, 1024 * PAGE, (unsigned char)(i + 1));
    bench_report("managed.fill_and_read_each_1024th", bench_median(samples, ROUNDS) * 1e3, "ms");
    for (int i = 0; i < ROUNDS; i++) samples[i] = fillAndRead(managed, PAGE, (unsigned char)(i + 1));
    bench_report("managed.fill_and_read_all", bench_median(samples, ROUNDS) * 1e3, "ms");
    for (int i = 0; i < ROUNDS; i++) {
        double start = bench_now();
        memset((void *)managed, i + 4, BYTES);
        bench_check(cuMemcpyDtoD_v2(plain, managed, BYTES), "cuMemcpyDtoD");
        bench_check(cuCtxSynchronize(), "cuCtxSynchronize");
        samples[i] = bench_now() - start;
    }
    bench_report("managed.write_all", bench_median(samples, ROUNDS) * 1e3, "ms");
    return 0;
}
