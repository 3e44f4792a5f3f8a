// Four threads, each with its own stream and buffers, and a hand-over of one buffer from thread to thread.
#include "check.h"
#include "kernels.h"
#include <pthread.h>

#define THREADS 4
#define ROUNDS 50
#define N 2048

static CUcontext context;
static CUfunction add;
static CUdeviceptr baton;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *argument)
{
    float mine = (float)(intptr_t)argument, out[N], values[N];
    CUdeviceptr a, b, c;
    CUcontext current = (CUcontext)1;
    CUstream stream;

    // A new thread has no context, whatever other threads have.
    OK(cuCtxGetCurrent(&current));
    REQUIRE(current == NULL);
    EXPECT(cuMemAlloc_v2(&a, 4), CUDA_ERROR_INVALID_CONTEXT);
    OK(cuCtxSetCurrent(context));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuMemAlloc_v2(&a, sizeof values));
    OK(cuMemAlloc_v2(&b, sizeof values));
    OK(cuMemAlloc_v2(&c, sizeof values));
    unsigned n = N;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++)
            values[i] = mine + (float)(i * round);
        OK(cuMemcpyHtoDAsync_v2(a, values, sizeof values, stream));
        OK(cuMemcpyDtoDAsync_v2(b, a, sizeof values, stream));
        void *arguments[] = { &a, &b, &c, &n };
        OK(cuLaunchKernel(add, N / 128, 1, 1, 128, 1, 1, 0, stream, arguments, NULL));
        OK(cuMemcpyDtoHAsync_v2(out, c, sizeof out, stream));
        OK(cuStreamSynchronize(stream));
        for (int i = 0; i < N; i++)
            REQUIRE(out[i] == 2 * values[i]);

        // Without a wait of its own: what one thread sent before it let go of the lock is done before what the next sends.
        pthread_mutex_lock(&lock);
        OK(cuMemcpyDtoDAsync_v2(a, baton, sizeof values, stream));
        OK(cuLaunchKernel(add, N / 128, 1, 1, 128, 1, 1, 0, stream, (void *[]){ &a, &c, &baton, &n }, NULL));
        OK(cuStreamSynchronize(stream));
        pthread_mutex_unlock(&lock);
    }
    OK(cuMemFree_v2(a));
    OK(cuMemFree_v2(b));
    OK(cuMemFree_v2(c));
    OK(cuStreamDestroy_v2(stream));
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    float sum[N];

    begin();
    OK(cuCtxGetCurrent(&context));
    add = load(add_ptx, "add");
    OK(cuMemAlloc_v2(&baton, sizeof sum));
    OK(cuMemsetD32_v2(baton, 0, N));
    OK(cuCtxSynchronize());
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);

    // Every thread added twice its number each round (index 0 has no other term).
    OK(cuMemcpyDtoH_v2(sum, baton, sizeof sum));
    REQUIRE(sum[0] == (float)(2 * ROUNDS * (THREADS * (THREADS - 1) / 2)));
    puts("PASS");
    return 0;
}
