// Four threads capture and replay at once; one capture is fed by two threads.
#include "check.h"
#include "kernels.h"
#include <pthread.h>

#define THREADS 4
#define ROUNDS 20
#define N 256

static CUcontext context;
static CUfunction add;
static unsigned n = N;

static void *own_graph(void *argument)
{
    float mine = (float)(intptr_t)argument, in[N], out[N];
    CUdeviceptr a, c;
    CUstream stream;
    CUgraph graph;
    CUgraphExec exec;
    OK(cuCtxSetCurrent(context));
    OK(cuMemAlloc_v2(&a, sizeof in));
    OK(cuMemAlloc_v2(&c, sizeof in));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    OK(cuMemcpyHtoDAsync_v2(a, in, sizeof in, stream));
    for (int i = 0; i < 10; i++) {
        void *arguments[] = { &a, &a, &c, &n };
        OK(cuLaunchKernel(add, 2, 1, 1, 128, 1, 1, 0, stream, arguments, NULL));
        OK(cuMemcpyDtoDAsync_v2(a, c, sizeof in, stream));
    }
    OK(cuMemcpyDtoHAsync_v2(out, c, sizeof out, stream));
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    OK(cuGraphDestroy(graph));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++)
            in[i] = mine + (float)round;
        OK(cuGraphLaunch(exec, stream));
        OK(cuStreamSynchronize(stream));
        for (int i = 0; i < N; i++)
            REQUIRE(out[i] == 1024 * (mine + (float)round));
    }
    OK(cuGraphExecDestroy(exec));
    OK(cuStreamDestroy_v2(stream));
    OK(cuMemFree_v2(a));
    OK(cuMemFree_v2(c));
    return NULL;
}

struct Shared {
    CUstream side;
    CUevent fork, join;
    CUdeviceptr memory;
};

static void *feed(void *argument)
{
    struct Shared *shared = argument;
    OK(cuCtxSetCurrent(context));
    OK(cuStreamWaitEvent(shared->side, shared->fork, 0));
    OK(cuMemsetD32Async(shared->memory + 4, 2, 1, shared->side));
    OK(cuEventRecord(shared->join, shared->side));
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS], feeder;
    struct Shared shared;
    CUstream stream;
    CUgraph graph;
    CUgraphExec exec;
    unsigned values[2];
    begin();
    OK(cuCtxGetCurrent(&context));
    add = load(add_ptx, "add");
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, own_graph, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);

    OK(cuMemAlloc_v2(&shared.memory, 8));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuStreamCreate(&shared.side, CU_STREAM_NON_BLOCKING));
    OK(cuEventCreate(&shared.fork, CU_EVENT_DISABLE_TIMING));
    OK(cuEventCreate(&shared.join, CU_EVENT_DISABLE_TIMING));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuMemsetD32Async(shared.memory, 1, 1, stream));
    OK(cuEventRecord(shared.fork, stream));
    REQUIRE(pthread_create(&feeder, NULL, feed, &shared) == 0);
    REQUIRE(pthread_join(feeder, NULL) == 0);
    OK(cuStreamWaitEvent(stream, shared.join, 0));
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    OK(cuGraphLaunch(exec, stream));
    OK(cuStreamSynchronize(stream));
    OK(cuMemcpyDtoH_v2(values, shared.memory, sizeof values));
    REQUIRE(values[0] == 1 && values[1] == 2);
    puts("PASS");
    return 0;
}
