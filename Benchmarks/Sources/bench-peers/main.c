/* What copies between the devices of two workers cost. The endpoints are in the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "BenchClock.h"
#include "CCUDA.h"

enum { ROUNDS = 21, SMALL_ROUNDS = 2001, BLOCK = 64 << 20 };

static double samples[SMALL_ROUNDS];
static CUcontext contexts[2];
static CUdeviceptr places[2];

/* From device 0 to device 1, and until both have finished. */
static double measure(size_t bytes) {
    double start = bench_now();
    bench_check(cuMemcpyPeer(places[1], contexts[1], places[0], contexts[0], bytes), "cuMemcpyPeer");
    bench_check(cuCtxSynchronize(), "cuCtxSynchronize");
    return bench_now() - start;
}

int main(void) {
    bench_check(cuInit(0), "cuInit");
    for (int device = 0; device < 2; device++) {
        bench_check(cuDevicePrimaryCtxRetain(&contexts[device], device), "cuDevicePrimaryCtxRetain");
        bench_check(cuCtxSetCurrent(contexts[device]), "cuCtxSetCurrent");
        bench_check(cuMemAlloc_v2(&places[device], BLOCK), "cuMemAlloc");
        bench_check(cuMemsetD8_v2(places[device], 1 + device, BLOCK), "cuMemsetD8");
        bench_check(cuCtxSynchronize(), "cuCtxSynchronize");
    }
    for (int i = 0; i < ROUNDS; i++) samples[i] = measure(BLOCK);
    bench_report("peer.copy.64MiB", BLOCK / bench_median(samples, ROUNDS) / 1e9, "GB/s");
    for (int i = 0; i < SMALL_ROUNDS; i++) samples[i] = measure(8);
    bench_report("peer.copy.8B.p50", bench_median(samples, SMALL_ROUNDS) * 1e6, "us");
    unsigned char byte = 0;
    bench_check(cuMemcpyDtoH_v2(&byte, places[1] + BLOCK - 1, 1), "cuMemcpyDtoH");
    return byte == 1 ? 0 : 1;
}
