// Steps of a C program, for counting: each runs ten times between the marks by which ROOST_STATS cuts its counts.
#include "check.h"
#include "kernels.h"

enum { REPEATS = 10, COUNT = 64 };

static CUfunction add;
static CUdeviceptr x, y;
static float host[COUNT];
static float *pinned;
static CUstream stream;
static CUevent event;

static void launch_add(void)
{
    unsigned count = COUNT;
    void *arguments[] = {&x, &x, &y, &count};
    OK(launch(add, 1, COUNT, arguments));
}

static void copy_launch_copy(void)
{
    OK(cuMemcpyHtoD_v2(x, host, sizeof host));
    launch_add();
    OK(cuMemcpyDtoH_v2(host, y, sizeof host));
}

static void allocate_and_free(void)
{
    CUdeviceptr piece;
    OK(cuMemAlloc_v2(&piece, 1 << 20));
    OK(cuMemsetD8_v2(piece, 1, 1 << 20));
    OK(cuMemFree_v2(piece));
}

static void event_and_stream(void)
{
    OK(cuEventRecord(event, stream));
    OK(cuStreamWaitEvent(NULL, event, 0));
    launch_add();
}

static void synchronize(void)
{
    launch_add();
    OK(cuCtxSynchronize());
}

static void look_at(void *argument) { REQUIRE(((float *)argument)[0] == 0); }

// As XLA does it: the copy to pinned memory, and a function that takes the bytes from there.
static void copy_back_to_function(void)
{
    launch_add();
    OK(cuMemcpyDtoHAsync_v2(pinned, y, sizeof host, NULL));
    OK(cuLaunchHostFunc(NULL, look_at, pinned));
    OK(cuStreamSynchronize(NULL));
}

static void count(const char *name, void (*step)(void))
{
    for (int i = 0; i < 3; i++) step();
    OK(cuProfilerStart());
    for (int i = 0; i < REPEATS; i++) step();
    OK(cuProfilerStop());
    printf("step %s\n", name);
}

int main(void)
{
    begin();
    add = load(add_ptx, "add");
    OK(cuMemAlloc_v2(&x, sizeof host));
    OK(cuMemAlloc_v2(&y, sizeof host));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    launch_add();
    OK(cuCtxSynchronize());
    count("launch", launch_add);
    count("copy-launch-copy", copy_launch_copy);
    count("allocate-and-free", allocate_and_free);
    count("event-and-stream", event_and_stream);
    count("launch-and-wait", synchronize);
    OK(cuMemsetD8_v2(x, 0, sizeof host));
    OK(cuMemAllocHost_v2((void **)&pinned, sizeof host));
    count("copy-back-to-function", copy_back_to_function);
    puts("PASS");
    return 0;
}
