// The small families: attributes of streams and launches, launches as before CUDA 4, settings of core dumps, the lock of
// a process, limits of the device.
#include "check.h"
#include "kernels.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static void stream_attributes(void)
{
    CUstream first, second;
    OK(cuStreamCreate(&first, 0));
    OK(cuStreamCreateWithPriority(&second, CU_STREAM_NON_BLOCKING, -2));
    CUstreamAttrValue value, back;
    memset(&value, 0, sizeof value);
    value.syncPolicy = CU_SYNC_POLICY_BLOCKING_SYNC;
    OK(cuStreamSetAttribute(first, CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value));
    OK(cuStreamGetAttribute(second, CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY, &back));
    REQUIRE(back.syncPolicy == CU_SYNC_POLICY_AUTO);
    value.memSyncDomain = CU_LAUNCH_MEM_SYNC_DOMAIN_REMOTE;
    OK(cuStreamSetAttribute(first, CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN, &value));
    OK(cuStreamCopyAttributes(second, first));
    OK(cuStreamGetAttribute(second, CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY, &back));
    REQUIRE(back.syncPolicy == CU_SYNC_POLICY_BLOCKING_SYNC);
    OK(cuStreamGetAttribute(second, CU_STREAM_ATTRIBUTE_MEM_SYNC_DOMAIN, &back));
    REQUIRE(back.memSyncDomain == CU_LAUNCH_MEM_SYNC_DOMAIN_REMOTE);
    OK(cuStreamGetAttribute(second, CU_STREAM_ATTRIBUTE_PRIORITY, &back));
    REQUIRE(back.priority == -2);
    value.accessPolicyWindow.hitRatio = 2.0f;
    EXPECT(cuStreamSetAttribute(first, CU_STREAM_ATTRIBUTE_ACCESS_POLICY_WINDOW, &value), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamGetAttribute(first, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &back), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuStreamGetAttribute(first, CU_STREAM_ATTRIBUTE_PRIORITY, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cuStreamDestroy_v2(first));
    EXPECT(cuStreamGetAttribute(first, CU_STREAM_ATTRIBUTE_PRIORITY, &back), CUDA_ERROR_INVALID_HANDLE);
    OK(cuStreamDestroy_v2(second));
}

static void legacy_launches(CUfunction add)
{
    float host[64];
    for (int i = 0; i < 64; i++) host[i] = (float)i;
    CUdeviceptr a, out;
    OK(cuMemAlloc_v2(&a, sizeof host));
    OK(cuMemAlloc_v2(&out, sizeof host));
    OK(cuMemcpyHtoD_v2(a, host, sizeof host));
    OK(cuFuncSetBlockShape(add, 32, 1, 1));
    OK(cuFuncSetSharedSize(add, 0));
    OK(cuParamSetv(add, 0, &a, sizeof a));
    OK(cuParamSetv(add, 8, &a, sizeof a));
    OK(cuParamSetv(add, 16, &out, sizeof out));
    EXPECT(cuLaunch(add), CUDA_ERROR_INVALID_VALUE);
    OK(cuParamSeti(add, 24, 64));
    OK(cuParamSetSize(add, 28));
    OK(cuLaunchGrid(add, 2, 1));
    OK(cuMemcpyDtoH_v2(host, out, sizeof host));
    for (int i = 0; i < 64; i++) REQUIRE(host[i] == 2.0f * (float)i);
    OK(cuParamSetv(add, 0, &out, sizeof out));
    OK(cuLaunch(add));
    OK(cuMemcpyDtoH_v2(host, out, sizeof host));
    for (int i = 0; i < 64; i++) REQUIRE(host[i] == (i < 32 ? 3.0f : 2.0f) * (float)i);
    EXPECT(cuParamSetv(add, -4, &a, 8), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuParamSetv(add, 32764, &a, 8), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuFuncSetBlockShape(add, 0, 1, 1), CUDA_ERROR_INVALID_VALUE);

    // A launch with events among its attributes, and one that starts early if it can.
    CUevent event;
    CUstream stream;
    OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    OK(cuStreamCreate(&stream, 0));
    CUlaunchAttribute attributes[3];
    memset(attributes, 0, sizeof attributes);
    attributes[0].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attributes[0].value.programmaticStreamSerializationAllowed = 1;
    attributes[1].id = CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT;
    attributes[1].value.launchCompletionEvent.event = event;
    attributes[2].id = CU_LAUNCH_ATTRIBUTE_PRIORITY;
    CUlaunchConfig config = {.gridDimX = 2, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 32, .blockDimY = 1,
                             .blockDimZ = 1, .hStream = stream, .attrs = attributes, .numAttrs = 3};
    unsigned count = 64;
    void *arguments[] = {&a, &a, &out, &count};
    OK(cuLaunchKernelEx(&config, add, arguments, NULL));
    OK(cuEventSynchronize(event));
    OK(cuMemcpyDtoH_v2(host, out, sizeof host));
    for (int i = 0; i < 64; i++) REQUIRE(host[i] == 2.0f * (float)i);
    attributes[2].id = 999;
    EXPECT(cuLaunchKernelEx(&config, add, arguments, NULL), CUDA_ERROR_INVALID_VALUE);
    CUDA_LAUNCH_PARAMS list = {.function = add, .gridDimX = 1, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 32,
                               .blockDimY = 1, .blockDimZ = 1, .hStream = stream, .kernelParams = arguments};
    OK(cuLaunchCooperativeKernelMultiDevice(&list, 1, 0));
    OK(cuStreamSynchronize(stream));
    EXPECT(cuLaunchCooperativeKernel(add, 1 << 24, 1, 1, 32, 1, 1, 0, stream, arguments),
           CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    OK(cuMemFree_v2(a));
    OK(cuMemFree_v2(out));
}

static void core_dumps(void)
{
    _Bool on = 1;
    size_t size = sizeof on;
    OK(cuCoredumpSetAttributeGlobal(CU_COREDUMP_ENABLE_ON_EXCEPTION, &on, &size));
    on = 0;
    OK(cuCoredumpGetAttribute(CU_COREDUMP_ENABLE_ON_EXCEPTION, &on, &size));
    REQUIRE(on == 1 && size == 1);
    char name[32] = "core.%p", back[32];
    size = sizeof name;
    OK(cuCoredumpSetAttribute(CU_COREDUMP_FILE, name, &size));
    OK(cuCoredumpGetAttribute(CU_COREDUMP_FILE, NULL, &size));
    REQUIRE(size == 8);
    OK(cuCoredumpGetAttribute(CU_COREDUMP_FILE, back, &size));
    REQUIRE(strcmp(back, name) == 0);
    size = sizeof back;
    OK(cuCoredumpGetAttributeGlobal(CU_COREDUMP_FILE, back, &size));
    REQUIRE(back[0] == 0);
    EXPECT(cuCoredumpGetAttributeGlobal((CUcoredumpSettings)77, back, &size), CUDA_ERROR_INVALID_VALUE);
}

static atomic_int arrived;

static void *allocate(void *context)
{
    CUdeviceptr memory;
    OK(cuCtxSetCurrent(context));
    atomic_store(&arrived, 1);
    OK(cuMemAlloc_v2(&memory, 256));
    atomic_store(&arrived, 2);
    OK(cuMemFree_v2(memory));
    return NULL;
}

static void process_lock(void)
{
    const int own = (int)getpid();
    CUprocessState state;
    OK(cuCheckpointProcessGetState(own, &state));
    REQUIRE(state == CU_PROCESS_STATE_RUNNING);
    EXPECT(cuCheckpointProcessUnlock(own, NULL), CUDA_ERROR_ILLEGAL_STATE);
    OK(cuCheckpointProcessLock(own, NULL));
    EXPECT(cuCheckpointProcessLock(own, NULL), CUDA_ERROR_ILLEGAL_STATE);
    OK(cuCheckpointProcessGetState(own, &state));
    REQUIRE(state == CU_PROCESS_STATE_LOCKED);
    // A call of another thread waits for the unlock.
    CUcontext context;
    pthread_t thread;
    OK(cuCtxGetCurrent(&context));
    REQUIRE(pthread_create(&thread, NULL, allocate, context) == 0);
    while (atomic_load(&arrived) == 0) sched_yield();
    EXPECT(cuCheckpointProcessCheckpoint(own, NULL), CUDA_ERROR_NOT_SUPPORTED);
    REQUIRE(atomic_load(&arrived) == 1);
    OK(cuCheckpointProcessUnlock(own, NULL));
    REQUIRE(pthread_join(thread, NULL) == 0 && atomic_load(&arrived) == 2);
    EXPECT(cuCheckpointProcessGetState(1, &state), CUDA_ERROR_NOT_SUPPORTED);
    EXPECT(cuCheckpointProcessGetState(-1, &state), CUDA_ERROR_INVALID_VALUE);
}

int main(void)
{
    const CUdevice device = begin();
    stream_attributes();
    legacy_launches(load(add_ptx, "add"));
    core_dumps();
    process_lock();
    size_t width = 0;
    OK(cuDeviceGetTexture1DLinearMaxWidth(&width, CU_AD_FORMAT_FLOAT, 4, device));
    REQUIRE(width >= 1 << 16);
    EXPECT(cuDeviceGetTexture1DLinearMaxWidth(&width, CU_AD_FORMAT_FLOAT, 3, device), CUDA_ERROR_INVALID_VALUE);
    char luid[8];
    unsigned mask;
    EXPECT(cuDeviceGetLuid(luid, &mask, device), CUDA_ERROR_NOT_SUPPORTED);
    OK(cuProfilerStart());
    OK(cuProfilerStop());
    puts("PASS");
    return 0;
}
