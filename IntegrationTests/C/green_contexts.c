// Green contexts: splits of the processors by the documented granularity, contexts and streams on the pieces, events.
#include "check.h"
#include "kernels.h"

static void splits(CUdevice device)
{
    CUdevResource all, groups[8], rest, wrong;
    OK(cuDeviceGetDevResource(device, &all, CU_DEV_RESOURCE_TYPE_SM));
    int processors = 0, major = 0;
    OK(cuDeviceGetAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device));
    OK(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device));
    const unsigned least = major >= 9 ? 8 : 4, step = major >= 9 ? 8 : 2;
    REQUIRE(all.sm.smCount == (unsigned)processors);
    REQUIRE(all.sm.minSmPartitionSize == least && all.sm.smCoscheduledAlignment == step);
    unsigned count = 0;
    OK(cuDevSmResourceSplitByCount(NULL, &count, &all, NULL, 0, 1));
    REQUIRE(count == processors / least);
    count = 1;
    OK(cuDevSmResourceSplitByCount(groups, &count, &all, &rest, 0, least + 1));
    REQUIRE(count == 1 && groups[0].sm.smCount == least + step);
    REQUIRE(rest.type == (rest.sm.smCount ? CU_DEV_RESOURCE_TYPE_SM : CU_DEV_RESOURCE_TYPE_INVALID));
    REQUIRE(groups[0].sm.smCount + rest.sm.smCount == (unsigned)processors);
    EXPECT(cuDevSmResourceSplitByCount(groups, &count, &all, &rest, 0, processors + 1),
           CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION);
    memset(&wrong, 0, sizeof wrong);
    EXPECT(cuDevSmResourceSplitByCount(groups, &count, &wrong, &rest, 0, 1), CUDA_ERROR_INVALID_RESOURCE_TYPE);
    EXPECT(cuDeviceGetDevResource(device, &wrong, CU_DEV_RESOURCE_TYPE_INVALID), CUDA_ERROR_INVALID_RESOURCE_TYPE);

    // Two groups of different size.
    CU_DEV_SM_RESOURCE_GROUP_PARAMS parameters[2];
    memset(parameters, 0, sizeof parameters);
    parameters[0].smCount = least;
    OK(cuDevSmResourceSplit(groups, 2, &all, &rest, 0, parameters));
    REQUIRE(groups[0].sm.smCount == least && groups[1].sm.smCount == parameters[1].smCount);
    REQUIRE(parameters[1].smCount > 0 && parameters[1].smCount + least + rest.sm.smCount == (unsigned)processors);
    // One group twice is no configuration.
    CUdevResource twice[2] = {groups[0], groups[0]};
    CUdevResourceDesc description;
    EXPECT(cuDevResourceGenerateDesc(&description, twice, 2), CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION);
    OK(cuDevResourceGenerateDesc(&description, groups, 2));
}

int main(void)
{
    const CUdevice device = begin();
    splits(device);
    CUcontext primary, context, popped;
    OK(cuCtxGetCurrent(&primary));
    CUfunction add = load(add_ptx, "add");
    CUdeviceptr memory;
    OK(cuMemAlloc_v2(&memory, 3 * 256 * sizeof(float)));

    CUdevResource all, piece, rest, shown;
    OK(cuDeviceGetDevResource(device, &all, CU_DEV_RESOURCE_TYPE_SM));
    unsigned count = 1;
    OK(cuDevSmResourceSplitByCount(&piece, &count, &all, &rest, 0, 1));
    CUdevResourceDesc description;
    OK(cuDevResourceGenerateDesc(&description, &piece, 1));
    CUgreenCtx green, named;
    EXPECT(cuGreenCtxCreate(&green, description, device, 0), CUDA_ERROR_INVALID_VALUE);
    OK(cuGreenCtxCreate(&green, description, device, CU_GREEN_CTX_DEFAULT_STREAM));
    OK(cuGreenCtxGetDevResource(green, &shown, CU_DEV_RESOURCE_TYPE_SM));
    REQUIRE(shown.sm.smCount == piece.sm.smCount);
    unsigned long long id = 0, other = 0;
    OK(cuGreenCtxGetId(green, &id));
    OK(cuCtxGetId(primary, &other));
    REQUIRE(id != 0 && id != other);
    OK(cuCtxFromGreenCtx(&context, green));
    REQUIRE(context != NULL && context != primary);
    OK(cuCtxGetDevResource(context, &shown, CU_DEV_RESOURCE_TYPE_SM));
    REQUIRE(shown.sm.smCount == piece.sm.smCount);
    OK(cuCtxGetDevResource(primary, &shown, CU_DEV_RESOURCE_TYPE_SM));
    REQUIRE(shown.sm.smCount == all.sm.smCount);

    // Memory and kernels of the primary context work in it; the stack shows the context that was pushed.
    OK(cuCtxPushCurrent_v2(context));
    OK(cuCtxGetCurrent(&popped));
    REQUIRE(popped == context);
    CUstream stream, plain;
    EXPECT(cuGreenCtxStreamCreate(&stream, green, CU_STREAM_DEFAULT, 0), CUDA_ERROR_INVALID_VALUE);
    OK(cuGreenCtxStreamCreate(&stream, green, CU_STREAM_NON_BLOCKING, 0));
    OK(cuStreamGetGreenCtx(stream, &named));
    REQUIRE(named == green);
    OK(cuStreamGetDevResource(stream, &shown, CU_DEV_RESOURCE_TYPE_SM));
    REQUIRE(shown.sm.smCount == piece.sm.smCount);
    float host[256];
    for (int i = 0; i < 256; i++) host[i] = (float)i;
    OK(cuMemcpyHtoD_v2(memory, host, sizeof host));
    CUdeviceptr b = memory + sizeof host, out = memory + 2 * sizeof host;
    OK(cuMemsetD8_v2(b, 0, sizeof host));
    unsigned n = 256;
    void *arguments[] = {&memory, &memory, &out, &n};
    OK(cuLaunchKernel(add, 1, 1, 1, 256, 1, 1, 0, stream, arguments, NULL));
    CUevent event;
    OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    OK(cuGreenCtxRecordEvent(green, event));
    OK(cuCtxPopCurrent_v2(&popped));
    REQUIRE(popped == context);
    OK(cuStreamCreate(&plain, CU_STREAM_NON_BLOCKING));
    OK(cuStreamGetGreenCtx(plain, &named));
    REQUIRE(named == NULL);
    OK(cuStreamWaitEvent(plain, event, 0));
    OK(cuMemcpyDtoHAsync_v2(host, out, sizeof host, plain));
    OK(cuStreamSynchronize(plain));
    for (int i = 0; i < 256; i++) REQUIRE(host[i] == 2.0f * (float)i);

    // The other way: its streams wait for work elsewhere, and so do those of a whole context.
    OK(cuEventRecord(event, plain));
    OK(cuGreenCtxWaitEvent(green, event));
    OK(cuCtxRecordEvent(primary, event));
    OK(cuCtxWaitEvent(primary, event));
    OK(cuEventSynchronize(event));
    OK(cuCtxSynchronize());
    EXPECT(cuCtxDestroy_v2(context), CUDA_ERROR_INVALID_CONTEXT);
    OK(cuGreenCtxDestroy(green));
    EXPECT(cuGreenCtxDestroy(green), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
    OK(cuCtxSynchronize());
    OK(cuMemFree_v2(memory));
    puts("PASS");
    return 0;
}
