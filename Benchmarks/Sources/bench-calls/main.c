/* What calls cost through libcuda.so.1: without an answer, with one, launches, copies. The endpoint is in the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "BenchClock.h"
#include "CCUDA.h"

enum { BATCHES = 201, BATCH = 500, ROUND_TRIPS = 20001 };

static const char emptyKernel[] =
    ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry empty()\n{\n ret;\n}\n";

static double samples[ROUND_TRIPS];

static void measureNoReply(CUevent event) {
    for (int batch = 0; batch < BATCHES; batch++) {
        double start = bench_now();
        for (int i = 0; i < BATCH; i++) cuEventRecord(event, NULL);
        samples[batch] = (bench_now() - start) / BATCH;
        bench_check(cuStreamSynchronize(NULL), "cuStreamSynchronize");
    }
    bench_report("call.no_reply.client", bench_median(samples, BATCHES) * 1e9, "ns");

    enum { CALLS = 200000 };
    double start = bench_now();
    for (int i = 0; i < CALLS; i++) cuEventRecord(event, NULL);
    bench_check(cuStreamSynchronize(NULL), "cuStreamSynchronize");
    bench_report("call.no_reply.end_to_end", CALLS / (bench_now() - start), "calls/s");
}

static void measureWaiting(void) {
    for (int i = 0; i < ROUND_TRIPS; i++) {
        double start = bench_now();
        bench_check(cuStreamQuery(NULL), "cuStreamQuery");
        samples[i] = bench_now() - start;
    }
    bench_report("call.waiting.p50", bench_median(samples, ROUND_TRIPS) * 1e6, "us");
}

static void measureLaunch(void) {
    CUmodule module;
    CUfunction function;
    bench_check(cuModuleLoadData(&module, emptyKernel), "cuModuleLoadData");
    bench_check(cuModuleGetFunction(&function, module, "empty"), "cuModuleGetFunction");
    for (int batch = 0; batch < BATCHES; batch++) {
        double start = bench_now();
        for (int i = 0; i < BATCH; i++) cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL);
        samples[batch] = (bench_now() - start) / BATCH;
        bench_check(cuStreamSynchronize(NULL), "cuStreamSynchronize");
    }
    bench_report("launch.empty.client", bench_median(samples, BATCHES) * 1e9, "ns");
    enum { LAUNCHES = 100000 };
    double start = bench_now();
    for (int i = 0; i < LAUNCHES; i++) cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL);
    bench_check(cuStreamSynchronize(NULL), "cuStreamSynchronize");
    bench_report("launch.empty.end_to_end", LAUNCHES / (bench_now() - start), "launches/s");
    for (int i = 0; i < 5001; i++) {
        start = bench_now();
        cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, NULL, NULL, NULL);
        bench_check(cuStreamSynchronize(NULL), "cuStreamSynchronize");
        samples[i] = bench_now() - start;
    }
    bench_report("launch.empty.waiting.p50", bench_median(samples, 5001) * 1e6, "us");
}

enum { KERNELS = 100 };

static CUfunction empty;
static CUgraphExec executable;

static void launchOneByOne(CUstream stream) {
    for (int i = 0; i < KERNELS; i++) cuLaunchKernel(empty, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL);
}

static void launchGraph(CUstream stream) { cuGraphLaunch(executable, stream); }

/* The same kernels, as launches or as a graph: what they cost the client, how long until all are done, how many run in a second. */
static void measureKernels(const char *name, void (*launch)(CUstream), CUstream stream) {
    enum { REPEATS = 1000 };
    static double waiting[BATCHES];
    char text[64];
    for (int batch = 0; batch < BATCHES; batch++) {
        double start = bench_now();
        for (int i = 0; i < 10; i++) launch(stream);
        samples[batch] = (bench_now() - start) / 10;
        bench_check(cuStreamSynchronize(stream), "cuStreamSynchronize");
        start = bench_now();
        launch(stream);
        bench_check(cuStreamSynchronize(stream), "cuStreamSynchronize");
        waiting[batch] = bench_now() - start;
    }
    snprintf(text, sizeof text, "%s.client", name);
    bench_report(text, bench_median(samples, BATCHES) * 1e9, "ns");
    snprintf(text, sizeof text, "%s.waiting.p50", name);
    bench_report(text, bench_median(waiting, BATCHES) * 1e6, "us");
    double start = bench_now();
    for (int i = 0; i < REPEATS; i++) launch(stream);
    bench_check(cuStreamSynchronize(stream), "cuStreamSynchronize");
    snprintf(text, sizeof text, "%s.end_to_end", name);
    bench_report(text, KERNELS * REPEATS / (bench_now() - start), "launches/s");
}

/* A graph of 100 kernels is one command, beside 100 launches. */
static void measureGraph(void) {
    CUmodule module;
    CUstream stream;
    CUgraph graph;
    bench_check(cuModuleLoadData(&module, emptyKernel), "cuModuleLoadData");
    bench_check(cuModuleGetFunction(&empty, module, "empty"), "cuModuleGetFunction");
    bench_check(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    bench_check(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), "cuStreamBeginCapture");
    launchOneByOne(stream);
    bench_check(cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
    bench_check(cuGraphInstantiateWithFlags(&executable, graph, 0), "cuGraphInstantiate");
    measureKernels("graph.100_launches", launchOneByOne, stream);
    measureKernels("graph.100_kernels", launchGraph, stream);
    bench_check(cuGraphExecDestroy(executable), "cuGraphExecDestroy");
    bench_check(cuGraphDestroy(graph), "cuGraphDestroy");
}

static void measureCopies(void) {
    static const struct { const char *name; size_t byteCount; int repeats; } sizes[] = {
        {"4KiB", 4 << 10, 2001}, {"1MiB", 1 << 20, 201}, {"64MiB", 64 << 20, 15}};
    char *host = malloc(64 << 20);
    memset(host, 1, 64 << 20);
    CUdeviceptr device;
    bench_check(cuMemAlloc_v2(&device, 64 << 20), "cuMemAlloc");
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t byteCount = sizes[s].byteCount;
        char name[64];
        for (int i = 0; i <= sizes[s].repeats; i++) {
            double start = bench_now();
            bench_check(cuMemcpyHtoD_v2(device, host, byteCount), "cuMemcpyHtoD");
            bench_check(cuCtxSynchronize(), "cuCtxSynchronize");
            if (i > 0) samples[i - 1] = bench_now() - start;
        }
        snprintf(name, sizeof name, "copy.host_to_device.%s", sizes[s].name);
        bench_report(name, (double)byteCount / bench_median(samples, (size_t)sizes[s].repeats) / 1e9, "GB/s");
        for (int i = 0; i <= sizes[s].repeats; i++) {
            double start = bench_now();
            bench_check(cuMemcpyDtoH_v2(host, device, byteCount), "cuMemcpyDtoH");
            if (i > 0) samples[i - 1] = bench_now() - start;
        }
        snprintf(name, sizeof name, "copy.device_to_host.%s", sizes[s].name);
        bench_report(name, (double)byteCount / bench_median(samples, (size_t)sizes[s].repeats) / 1e9, "GB/s");
    }
    cuMemFree_v2(device);
    free(host);
}

int main(void) {
    CUdevice device;
    CUcontext context;
    CUevent event;
    bench_check(cuInit(0), "cuInit");
    bench_check(cuDeviceGet(&device, 0), "cuDeviceGet");
    bench_check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    bench_check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    bench_check(cuEventCreate(&event, 0), "cuEventCreate");
    measureNoReply(event);
    measureWaiting();
    measureLaunch();
    measureGraph();
    measureCopies();
    return 0;
}
