// Far from its worker (ROOST_RTT_US adds to every waiting call), what programs ask all the time is answered without
// asking: contexts, pointers, streams, captures, attributes. So are bursts of mapping.
#define _GNU_SOURCE
#include "check.h"
#include "kernels.h"

#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void ask(CUdevice device, CUcontext context, CUdeviceptr memory, CUstream stream, CUfunction function)
{
    CUcontext current;
    CUdevice found;
    unsigned flags, version;
    int active, value, least, greatest;
    size_t size;
    OK(cuCtxGetCurrent(&current));
    OK(cuCtxSetCurrent(context));
    OK(cuCtxPushCurrent_v2(context));
    OK(cuCtxPopCurrent_v2(&current));
    OK(cuCtxGetDevice(&found));
    OK(cuCtxGetApiVersion(context, &version));
    OK(cuCtxGetFlags(&flags));
    OK(cuCtxGetLimit(&size, CU_LIMIT_STACK_SIZE));
    OK(cuCtxGetStreamPriorityRange(&least, &greatest));
    OK(cuDevicePrimaryCtxGetState(device, &flags, &active));
    OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device));
    OK(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, function));
    OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, function, 128, 0));

    CUmemorytype type;
    CUdeviceptr base;
    OK(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, memory + 8));
    REQUIRE(type == CU_MEMORYTYPE_DEVICE);
    EXPECT(cuPointerGetAttribute(&base, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, (CUdeviceptr)(uintptr_t)&type),
           CUDA_ERROR_INVALID_VALUE);
    CUpointer_attribute names[] = {CU_POINTER_ATTRIBUTE_CONTEXT, CU_POINTER_ATTRIBUTE_MEMORY_TYPE};
    void *results[] = {&current, &type};
    OK(cuPointerGetAttributes(2, names, results, memory));
    OK(cuMemGetAddressRange_v2(&base, &size, memory + 100));
    REQUIRE(base == memory && size == 1024);

    CUstreamCaptureStatus status;
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    cuuint64_t id;
    OK(cuStreamIsCapturing(stream, &status));
    REQUIRE(status == CU_STREAM_CAPTURE_STATUS_NONE);
    OK(cuStreamGetCaptureInfo_v3(stream, &status, &id, NULL, NULL, NULL, NULL));
    OK(cuThreadExchangeStreamCaptureMode(&mode));
    OK(cuThreadExchangeStreamCaptureMode(&mode));
    OK(cuStreamGetCtx(stream, &current));
    OK(cuStreamGetPriority(stream, &value));

    const char *text;
    OK(cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
    REQUIRE(strcmp(text, "CUDA_ERROR_ILLEGAL_ADDRESS") == 0);
    OK(cuGetErrorString(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
}

// What PyTorch's expandable segments do: many small pieces mapped into one range.
static void map_burst(CUdevice device)
{
    CUmemAllocationProp properties;
    memset(&properties, 0, sizeof properties);
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    properties.location.id = device;
    CUmemAccessDesc access = {.location = properties.location, .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
    size_t piece = 0;
    CUdeviceptr range;
    CUmemGenericAllocationHandle handles[20];
    OK(cuMemGetAllocationGranularity(&piece, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
    OK(cuMemAddressReserve(&range, 20 * piece, 0, 0, 0));
    for (int i = 0; i < 20; i++) {
        OK(cuMemCreate(&handles[i], piece, &properties, 0));
        OK(cuMemMap(range + (CUdeviceptr)i * piece, piece, 0, handles[i], 0));
        OK(cuMemSetAccess(range + (CUdeviceptr)i * piece, piece, &access, 1));
        CUmemorytype type;
        OK(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, range + (CUdeviceptr)i * piece));
        REQUIRE(type == CU_MEMORYTYPE_DEVICE);
    }
    OK(cuMemsetD8_v2(range, 1, 20 * piece));
    OK(cuMemUnmap(range, 20 * piece));
    for (int i = 0; i < 20; i++) OK(cuMemRelease(handles[i]));
    OK(cuMemAddressFree(range, 20 * piece));
}

int main(void)
{
    const char *distance = getenv("ROOST_RTT_US");
    REQUIRE(distance != NULL);
    const double round_trip = atof(distance) * 1e-6;
    const CUdevice device = begin();
    CUcontext context;
    CUdeviceptr memory;
    CUstream stream;
    OK(cuCtxGetCurrent(&context));
    OK(cuMemAlloc_v2(&memory, 1024));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CUfunction function = load(add_ptx, "add");
    ask(device, context, memory, stream, function);

    double start = now();
    for (int i = 0; i < 100; i++) ask(device, context, memory, stream, function);
    double round_trips = (now() - start) / round_trip;
    printf("2800 questions took the time of %.1f round trips\n", round_trips);
    REQUIRE(round_trips < 5);

    OK(cuCtxSynchronize());
    start = now();
    map_burst(device);
    round_trips = (now() - start) / round_trip;
    printf("120 calls of a burst of mapping took the time of %.1f round trips\n", round_trips);
    REQUIRE(round_trips < 12);
    puts("PASS");
    return 0;
}
