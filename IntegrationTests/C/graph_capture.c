// Streams captured into graphs: fork and join, what is refused meanwhile, replays, memory of the host and of the graph.
#include "check.h"
#include "kernels.h"

#define N 512

static CUfunction add;
static CUdeviceptr a, b, c;
static unsigned n = N;
static int calls;

static void count_call(void *data) { ++*(int *)data; }

static void run_add(CUstream stream, CUdeviceptr *x, CUdeviceptr *y, CUdeviceptr *out)
{
    void *arguments[] = { x, y, out, &n };
    OK(cuLaunchKernel(add, N / 128, 1, 1, 128, 1, 1, 0, stream, arguments, NULL));
}

static void capture_and_replay(void)
{
    static float in[N], out[N];
    CUstream main_stream, side;
    CUevent fork, join;
    CUgraph graph;
    CUgraphExec exec;
    OK(cuStreamCreate(&main_stream, CU_STREAM_NON_BLOCKING));
    OK(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING));
    OK(cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING));
    OK(cuEventCreate(&join, CU_EVENT_DISABLE_TIMING));

    CUstreamCaptureStatus status;
    cuuint64_t id = 0;
    OK(cuStreamBeginCapture_v2(main_stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT(cuStreamBeginCapture_v2(main_stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_ERROR_ILLEGAL_STATE);
    OK(cuMemcpyHtoDAsync_v2(a, in, sizeof in, main_stream));
    OK(cuEventRecord(fork, main_stream));
    OK(cuStreamWaitEvent(side, fork, 0));
    OK(cuStreamIsCapturing(side, &status));
    REQUIRE(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
    run_add(side, &a, &a, &c);
    OK(cuMemsetD32Async(b, 0x40000000, N, main_stream)); // 2.0
    OK(cuEventRecord(join, side));
    OK(cuStreamWaitEvent(main_stream, join, 0));
    run_add(main_stream, &b, &c, &c);
    OK(cuLaunchHostFunc(main_stream, count_call, &calls));
    OK(cuMemcpyDtoHAsync_v2(out, c, sizeof out, main_stream));
    const CUgraphNode *dependencies;
    size_t count;
    OK(cuStreamGetCaptureInfo_v2(main_stream, &status, &id, &graph, &dependencies, &count));
    REQUIRE(status == CU_STREAM_CAPTURE_STATUS_ACTIVE && id != 0 && graph != NULL && count == 1);
    OK(cuStreamEndCapture(main_stream, &graph));
    EXPECT(cuEventSynchronize(join), CUDA_ERROR_CAPTURED_EVENT);
    OK(cuStreamIsCapturing(main_stream, &status));
    REQUIRE(status == CU_STREAM_CAPTURE_STATUS_NONE);

    count = 0;
    OK(cuGraphGetNodes(graph, NULL, &count));
    REQUIRE(count == 6);
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    OK(cuGraphDestroy(graph));
    REQUIRE(calls == 0);
    for (int round = 1; round <= 50; round++) {
        for (int i = 0; i < N; i++)
            in[i] = (float)(round + i);
        OK(cuGraphLaunch(exec, main_stream));
        OK(cuStreamSynchronize(main_stream));
        REQUIRE(calls == round && out[3] == 2 * (float)(round + 3) + 2);
    }

    // An executable graph in a captured stream is a child.
    CUgraph outer;
    CUgraphExec twice;
    OK(cuStreamBeginCapture_v2(side, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuGraphLaunch(exec, side));
    run_add(side, &c, &c, &c);
    OK(cuMemcpyDtoHAsync_v2(out, c, sizeof out, side));
    OK(cuStreamEndCapture(side, &outer));
    OK(cuGraphInstantiateWithFlags(&twice, outer, 0));
    OK(cuGraphLaunch(twice, side));
    OK(cuStreamSynchronize(side));
    REQUIRE(calls == 51 && out[3] == 2 * (2 * (float)(50 + 3) + 2));
    OK(cuGraphExecDestroy(twice));
    OK(cuGraphDestroy(outer));
    OK(cuGraphExecDestroy(exec));
    OK(cuEventRecord(join, side));
    OK(cuEventSynchronize(join));
    OK(cuEventDestroy_v2(fork));
    OK(cuEventDestroy_v2(join));
    OK(cuStreamDestroy_v2(main_stream));
    OK(cuStreamDestroy_v2(side));
}

static void refusals(void)
{
    CUstream stream, other, blocking;
    CUevent event;
    CUgraph graph = (CUgraph)1;
    CUdeviceptr memory;
    float value;
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    OK(cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
    OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    EXPECT(cuStreamBeginCapture_v2(NULL, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_ILLEGAL_STATE);

    // An unsafe call spoils the capture.
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT(cuMemAlloc_v2(&memory, 64), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT(cuMemsetD8Async(a, 0, 4, stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    REQUIRE(graph == NULL);

    // Not so in relaxed mode, nor for a thread that takes the risk.
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuMemAlloc_v2(&memory, 64));
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphDestroy(graph));
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    OK(cuThreadExchangeStreamCaptureMode(&mode));
    REQUIRE(mode == CU_STREAM_CAPTURE_MODE_GLOBAL);
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuMemFree_v2(memory));
    OK(cuThreadExchangeStreamCaptureMode(&mode));
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphDestroy(graph));

    // To wait for a captured stream makes no sense.
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    EXPECT(cuStreamSynchronize(stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    // The legacy stream would wait for a blocking stream.
    OK(cuStreamBeginCapture_v2(blocking, CU_STREAM_CAPTURE_MODE_RELAXED));
    EXPECT(cuMemcpyDtoH_v2(&value, a, sizeof value), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    EXPECT(cuStreamEndCapture(blocking, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuMemcpyDtoH_v2(&value, a, sizeof value));
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphDestroy(graph));

    // A fork without its join, a foreign event, two captures in one.
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuEventRecord(event, stream));
    OK(cuStreamWaitEvent(other, event, 0));
    OK(cuMemsetD8Async(a, 0, 4, other));
    EXPECT(cuStreamEndCapture(other, &graph), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuEventRecord(event, stream));
    OK(cuStreamWaitEvent(other, event, 0));
    OK(cuMemsetD8Async(a, 0, 4, other));
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    OK(cuEventRecord(event, other));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    EXPECT(cuStreamWaitEvent(stream, event, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuStreamBeginCapture_v2(other, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuEventRecord(event, other));
    EXPECT(cuStreamWaitEvent(stream, event, 0), CUDA_ERROR_STREAM_CAPTURE_MERGE);
    EXPECT(cuStreamEndCapture(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT(cuStreamEndCapture(other, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);

    // Events outside of the graph, by their flag.
    CUgraphExec exec;
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuMemsetD32Async(a, 5, 1, stream));
    OK(cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL));
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    OK(cuGraphLaunch(exec, stream));
    OK(cuEventSynchronize(event));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(graph));
    OK(cuEventDestroy_v2(event));
    OK(cuStreamDestroy_v2(stream));
    OK(cuStreamDestroy_v2(other));
    OK(cuStreamDestroy_v2(blocking));
}

static void memory_in_captures(void)
{
    CUstream stream;
    CUgraph graph;
    CUgraphExec exec;
    CUdeviceptr scratch;
    unsigned value = 0, *pinned;
    cuuint64_t used = 1;
    OK(cuMemHostAlloc((void **)&pinned, 4096, 0));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuMemAllocAsync(&scratch, 1 << 20, stream));
    OK(cuMemcpyHtoDAsync_v2(scratch, pinned, 4, stream));
    OK(cuMemcpyDtoDAsync_v2(a, scratch, 4, stream));
    OK(cuMemFreeAsync(scratch, stream));
    OK(cuMemcpyDtoHAsync_v2(pinned + 1, a, 4, stream));
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    for (unsigned round = 1; round < 10; round++) {
        pinned[0] = round;
        OK(cuGraphLaunch(exec, stream));
        OK(cuStreamSynchronize(stream));
        OK(cuMemcpyDtoH_v2(&value, a, 4));
        REQUIRE(value == round && pinned[1] == round);
    }
    OK(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &used));
    REQUIRE(used == 0);
    OK(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &used));
    REQUIRE(used >= 1 << 20);
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(graph));
    OK(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &used));
    REQUIRE(used == 0);
    OK(cuStreamDestroy_v2(stream));
    OK(cuMemFreeHost(pinned));
}

int main(void)
{
    begin();
    add = load(add_ptx, "add");
    OK(cuMemAlloc_v2(&a, N * 4));
    OK(cuMemAlloc_v2(&b, N * 4));
    OK(cuMemAlloc_v2(&c, N * 4));
    capture_and_replay();
    refusals();
    memory_in_captures();
    puts("PASS");
    return 0;
}
