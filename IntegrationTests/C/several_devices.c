// Several devices in one program: contexts of all of them in one thread and in many, disjoint memory, own errors.
// With the argument "lost", the worker of device 1 is killed meanwhile (by the test), and only that device fails.
#include "check.h"
#include "kernels.h"
#include <pthread.h>

#define DEVICES_MAX 8
#define N 1024

static CUcontext contexts[DEVICES_MAX];
static int count;

// Adds on one device; everything in the device's own context.
static void add_on(int index, float value)
{
    CUdeviceptr a, out;
    float values[N], sums[N];
    unsigned n = N;
    CUfunction add = load(add_ptx, "add");

    for (int i = 0; i < N; i++)
        values[i] = value + (float)i;
    OK(cuMemAlloc_v2(&a, sizeof values));
    OK(cuMemAlloc_v2(&out, sizeof values));
    OK(cuMemcpyHtoD_v2(a, values, sizeof values));
    OK(launch(add, N / 128, 128, (void *[]){ &a, &a, &out, &n }));
    OK(cuMemcpyDtoH_v2(sums, out, sizeof sums));
    for (int i = 0; i < N; i++)
        REQUIRE(sums[i] == 2 * values[i]);
    int ordinal = -1;
    OK(cuPointerGetAttribute(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, a));
    REQUIRE(ordinal == index);
    OK(cuMemFree_v2(a));
    OK(cuMemFree_v2(out));
}

static void *work(void *argument)
{
    int index = (int)(intptr_t)argument;

    for (int round = 0; round < 20; round++) {
        OK(cuCtxSetCurrent(contexts[index]));
        add_on(index, (float)(index * 100 + round));
        // Another device for a moment, from the same thread.
        int other = (index + 1) % count;
        OK(cuCtxPushCurrent_v2(contexts[other]));
        add_on(other, (float)round);
        OK(cuCtxPopCurrent_v2(NULL));
    }
    return NULL;
}

static void memory_is_disjoint(void)
{
    CUdeviceptr places[DEVICES_MAX];
    size_t total, free_bytes;

    for (int i = 0; i < count; i++) {
        OK(cuCtxSetCurrent(contexts[i]));
        OK(cuMemAlloc_v2(&places[i], 1 << 20));
        OK(cuMemsetD32_v2(places[i], 0x1000u + (unsigned)i, 1 << 18));
        OK(cuMemGetInfo_v2(&free_bytes, &total));
        REQUIRE(free_bytes <= total - (1 << 20));
        for (int k = 0; k < i; k++)
            REQUIRE(places[k] + (1 << 20) <= places[i] || places[i] + (1 << 20) <= places[k]);
    }
    for (int i = 0; i < count; i++) {
        unsigned value = 0;
        OK(cuCtxSetCurrent(contexts[i]));
        OK(cuMemcpyDtoH_v2(&value, places[i] + 4096, 4));
        REQUIRE(value == 0x1000u + (unsigned)i);
        OK(cuMemFree_v2(places[i]));
    }
}

static void errors_stay_on_their_device(void)
{
    CUcontext own;

    OK(cuCtxCreate_v2(&own, 0, count - 1));
    OK(launch(load(illegal_ptx, "illegal"), 1, 1, NULL));
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    for (int i = 0; i < count - 1; i++) {
        OK(cuCtxSetCurrent(contexts[i]));
        add_on(i, 1);
        OK(cuCtxSynchronize());
    }
    OK(cuCtxDestroy_v2(own));
}

static void lose_device_1(void)
{
    puts("ready");
    fflush(stdout);
    REQUIRE(getchar() == '\n');
    OK(cuCtxSetCurrent(contexts[1]));
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_DEVICE_UNAVAILABLE);
    CUdeviceptr place;
    EXPECT(cuMemAlloc_v2(&place, 16), CUDA_ERROR_DEVICE_UNAVAILABLE);
    for (int i = 0; i < count; i++) {
        if (i == 1)
            continue;
        OK(cuCtxSetCurrent(contexts[i]));
        add_on(i, 5);
        OK(cuCtxSynchronize());
    }
}

int main(int argc, char **argv)
{
    pthread_t threads[2 * DEVICES_MAX];

    OK(cuInit(0));
    OK(cuDeviceGetCount(&count));
    REQUIRE(count > 1 && count <= DEVICES_MAX);
    for (int i = 0; i < count; i++)
        OK(cuDevicePrimaryCtxRetain(&contexts[i], i));
    for (int i = 0; i < count; i++) {
        CUdevice device = -1;
        OK(cuCtxSetCurrent(contexts[i]));
        OK(cuCtxGetDevice(&device));
        REQUIRE(device == i);
        add_on(i, (float)i);
    }
    if (argc > 1 && strcmp(argv[1], "lost") == 0) {
        lose_device_1();
    } else {
        memory_is_disjoint();
        errors_stay_on_their_device();
        for (int i = 0; i < 2 * count; i++)
            REQUIRE(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)(i % count)) == 0);
        for (int i = 0; i < 2 * count; i++)
            REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    puts("PASS");
    return 0;
}
