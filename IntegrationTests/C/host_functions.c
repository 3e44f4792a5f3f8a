// Host functions on pinned memory: launching one waits for nobody, and it finds what the stream put there before it.
#include <pthread.h>

#include "check.h"
#include "kernels.h"

enum { COUNT = 1024, ROUNDS = 20 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int is_open;

static void hold(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    while (!is_open) pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void let_go(void)
{
    pthread_mutex_lock(&mutex);
    is_open = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
}

struct look {
    const float *bytes;
    float wanted;
    int right_count;
};

static void look_at(void *argument)
{
    struct look *look = argument;
    for (int i = 0; i < COUNT; i++) look->right_count += look->bytes[i] == look->wanted;
}

static void add_one(CUfunction add, CUdeviceptr x, CUdeviceptr one, CUdeviceptr y, CUstream stream)
{
    unsigned count = COUNT;
    void *arguments[] = {&x, &one, &y, &count};
    OK(cuLaunchKernel(add, COUNT / 64, 1, 1, 64, 1, 1, 0, stream, arguments, NULL));
}

static void fill(CUdeviceptr at, float value)
{
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    OK(cuMemsetD32_v2(at, bits, COUNT));
}

int main(void)
{
    begin();
    CUfunction add = load(add_ptx, "add");
    CUdeviceptr x, one, seen;
    CUstream stream;
    float *copied[ROUNDS], *mapped;
    struct look looks[ROUNDS] = {{0}};
    OK(cuMemAlloc_v2(&x, COUNT * sizeof(float)));
    OK(cuMemAlloc_v2(&one, COUNT * sizeof(float)));
    fill(x, 0);
    fill(one, 1);
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    for (int i = 0; i < ROUNDS; i++) OK(cuMemAllocHost_v2((void **)&copied[i], COUNT * sizeof(float)));
    OK(cuCtxSynchronize());

    // While the first function holds the stream, a call that waited for the stream would wait for ever.
    OK(cuLaunchHostFunc(stream, hold, NULL));
    for (int i = 0; i < ROUNDS; i++) {
        add_one(add, x, one, x, stream);
        OK(cuMemcpyDtoHAsync_v2(copied[i], x, COUNT * sizeof(float), stream));
        looks[i] = (struct look){copied[i], (float)(i + 1), 0};
        OK(cuLaunchHostFunc(stream, look_at, &looks[i]));
    }
    let_go();
    OK(cuStreamSynchronize(stream));
    for (int i = 0; i < ROUNDS; i++) REQUIRE(looks[i].right_count == COUNT);

    // What kernels write to pinned memory themselves is there too.
    OK(cuMemHostAlloc((void **)&mapped, COUNT * sizeof(float), CU_MEMHOSTALLOC_DEVICEMAP));
    OK(cuMemHostGetDevicePointer_v2(&seen, mapped, 0));
    for (int i = 0; i < ROUNDS; i++) {
        struct look look = {mapped, (float)(ROUNDS + i + 1), 0};
        add_one(add, x, one, x, stream);
        add_one(add, x, one, seen, stream);
        look.wanted += 1;
        OK(cuLaunchHostFunc(stream, look_at, &look));
        OK(cuStreamSynchronize(stream));
        REQUIRE(look.right_count == COUNT);
    }
    puts("PASS");
    return 0;
}
