// Copies between devices in every way that CUDA has, with the order of streams on both sides, in both directions at
// once and from several threads. With the argument "lost", the worker of device 1 is killed while a copy waits for it.
#include "check.h"
#include "kernels.h"
#include <pthread.h>

#define N (3 << 20)
#define WORDS (N / 4)
#define THREADS 4

static CUcontext contexts[3];
static int count;

static CUdeviceptr allocate(int device, size_t bytes)
{
    CUdeviceptr place;
    OK(cuCtxSetCurrent(contexts[device]));
    OK(cuMemAlloc_v2(&place, bytes));
    return place;
}

static void expect(int device, CUdeviceptr place, unsigned first, unsigned step)
{
    unsigned *words = malloc(N);
    OK(cuCtxSetCurrent(contexts[device]));
    OK(cuMemcpyDtoH_v2(words, place, N));
    for (unsigned i = 0; i < WORDS; i++)
        REQUIRE(words[i] == first + step * i);
    free(words);
}

static void put(int device, CUdeviceptr place, unsigned first, unsigned step)
{
    unsigned *words = malloc(N);
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = first + step * i;
    OK(cuCtxSetCurrent(contexts[device]));
    OK(cuMemcpyHtoD_v2(place, words, N));
    free(words);
}

static void answers_are_truthful(void)
{
    int can = 1, value = 1;

    OK(cuDeviceCanAccessPeer(&can, 0, 1));
    REQUIRE(can == 0);
    OK(cuDeviceGetP2PAttribute(&value, CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED, 0, 1));
    REQUIRE(value == 0);
    OK(cuDeviceGetP2PAttribute(&value, CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED, 0, 1));
    REQUIRE(value == 0);
    EXPECT(cuDeviceGetP2PAttribute(&value, CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED, 0, 0), CUDA_ERROR_INVALID_DEVICE);
    OK(cuCtxSetCurrent(contexts[0]));
    EXPECT(cuCtxEnablePeerAccess(contexts[1], 0), CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
    EXPECT(cuCtxEnablePeerAccess(contexts[0], 0), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuCtxDisablePeerAccess(contexts[1]), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
}

static void every_way(CUdeviceptr a, CUdeviceptr b)
{
    put(0, a, 1, 3);
    OK(cuMemcpyPeer(b, contexts[1], a, contexts[0], N));
    expect(1, b, 1, 3);
    put(1, b, 2, 5);
    OK(cuCtxSetCurrent(contexts[1]));
    OK(cuMemcpyPeerAsync(a, contexts[0], b, contexts[1], N, NULL));
    expect(0, a, 2, 5);

    OK(cuMemsetD32_v2(b, 7, WORDS));
    OK(cuMemcpyDtoD_v2(a, b, N));
    expect(0, a, 7, 0);
    put(0, a, 4, 1);
    OK(cuMemcpy(b, a, N));
    expect(1, b, 4, 1);
    OK(cuMemcpyDtoDAsync_v2(a + 4, b, N - 4, NULL));
    OK(cuMemcpyDtoDAsync_v2(a, b, 4, NULL));
    unsigned words[3];
    OK(cuMemcpyDtoH_v2(words, a, sizeof words));
    REQUIRE(words[0] == 4 && words[1] == 4 && words[2] == 5);

    // Host copies and fills of another device's memory, from whatever context.
    OK(cuCtxSetCurrent(contexts[0]));
    OK(cuMemsetD32_v2(b, 9, WORDS));
    OK(cuMemcpyDtoH_v2(words, b + N - sizeof words, sizeof words));
    REQUIRE(words[0] == 9 && words[2] == 9);
    words[1] = 11;
    OK(cuMemcpyHtoD_v2(b, words, sizeof words));
    OK(cuMemcpyDtoH_v2(words, b, 8));
    REQUIRE(words[0] == 9 && words[1] == 11);

    EXPECT(cuMemcpyPeer(a, contexts[1], b, contexts[1], N), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyPeer(b, NULL, a, contexts[0], N), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT(cuMemcpyPeer(b, contexts[1], a, contexts[0], (size_t)N + 1), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemcpyPeer(b, contexts[1], a, contexts[0], 0));
}

static void boxes(CUdeviceptr a, CUdeviceptr b)
{
    put(0, a, 0, 1);
    OK(cuCtxSetCurrent(contexts[1]));
    OK(cuMemsetD32_v2(b, 0xffffffffu, WORDS));
    CUDA_MEMCPY3D_PEER box = {
        .srcMemoryType = CU_MEMORYTYPE_DEVICE, .srcDevice = a, .srcContext = contexts[0], .srcPitch = 256, .srcHeight = 32,
        .srcXInBytes = 16, .srcY = 2, .srcZ = 1, .dstMemoryType = CU_MEMORYTYPE_DEVICE, .dstDevice = b,
        .dstContext = contexts[1], .dstPitch = 512, .dstHeight = 16, .dstXInBytes = 8, .dstY = 1, .dstZ = 2,
        .WidthInBytes = 64, .Height = 8, .Depth = 3,
    };
    OK(cuMemcpy3DPeer(&box));
    unsigned *words = malloc(N);
    OK(cuMemcpyDtoH_v2(words, b, N));
    unsigned hits = 0;
    for (unsigned z = 0; z < 3; z++)
        for (unsigned y = 0; y < 8; y++)
            for (unsigned x = 0; x < 16; x++, hits++)
                REQUIRE(words[((z + 2) * 16 + y + 1) * 128 + x + 2] == ((z + 1) * 32 + y + 2) * 64 + x + 4);
    for (unsigned i = 0; i < WORDS; i++)
        hits += words[i] == 0xffffffffu;
    REQUIRE(hits == WORDS);
    free(words);
    box.dstContext = contexts[0];
    EXPECT(cuMemcpy3DPeerAsync(&box, NULL), CUDA_ERROR_INVALID_VALUE);
}

// A value goes round and round the devices, with nothing but streams and events to keep the order.
static void order(CUdeviceptr a, CUdeviceptr b)
{
    CUstream streams[2];
    CUevent events[2];
    CUdeviceptr places[2] = { a, b };
    CUfunction add[2];
    unsigned n = 1024;

    for (int i = 0; i < 2; i++) {
        OK(cuCtxSetCurrent(contexts[i]));
        OK(cuStreamCreate(&streams[i], CU_STREAM_NON_BLOCKING));
        OK(cuEventCreate(&events[i], CU_EVENT_DISABLE_TIMING));
        add[i] = load(add_ptx, "add");
        float ones[1024];
        for (int k = 0; k < 1024; k++)
            ones[k] = 1;
        OK(cuMemcpyHtoD_v2(places[i], ones, sizeof ones));
    }
    for (int round = 0; round < 20; round++) {
        int here = round % 2, there = 1 - here;
        OK(cuCtxSetCurrent(contexts[here]));
        OK(cuLaunchKernel(add[here], 8, 1, 1, 128, 1, 1, 0, streams[here],
                          (void *[]){ &places[here], &places[here], &places[here], &n }, NULL));
        if (round % 3 == 0) {
            // The copy in the sender's stream, and the receiver waits for an event of the other device.
            OK(cuMemcpyPeerAsync(places[there], contexts[there], places[here], contexts[here], 4 * n, streams[here]));
            OK(cuEventRecord(events[here], streams[here]));
            OK(cuStreamWaitEvent(streams[there], events[here], 0));
        } else {
            // The copy in the receiver's stream, after an event of the other device.
            OK(cuEventRecord(events[here], streams[here]));
            OK(cuCtxSetCurrent(contexts[there]));
            OK(cuStreamWaitEvent(streams[there], events[here], 0));
            OK(cuMemcpyPeerAsync(places[there], contexts[there], places[here], contexts[here], 4 * n, streams[there]));
        }
    }
    OK(cuStreamSynchronize(streams[0]));
    OK(cuStreamSynchronize(streams[1]));
    float values[1024];
    OK(cuCtxSetCurrent(contexts[0]));
    OK(cuMemcpyDtoH_v2(values, a, sizeof values));
    REQUIRE(values[0] == (float)(1 << 20) && values[1023] == (float)(1 << 20));
    for (int i = 0; i < 2; i++) {
        OK(cuCtxSetCurrent(contexts[i]));
        OK(cuEventDestroy_v2(events[i]));
        OK(cuStreamDestroy_v2(streams[i]));
    }
}

// The current device is neither of the two.
static void third_party(CUdeviceptr a, CUdeviceptr b)
{
    CUstream stream;
    put(0, a, 100, 1);
    OK(cuCtxSetCurrent(contexts[2]));
    OK(cuStreamCreate(&stream, 0));
    OK(cuMemcpyPeerAsync(b, contexts[1], a, contexts[0], N, stream));
    OK(cuStreamSynchronize(stream));
    expect(1, b, 100, 1);
    OK(cuCtxSetCurrent(contexts[2]));
    OK(cuStreamDestroy_v2(stream));
}

static void *both_ways(void *argument)
{
    int index = (int)(intptr_t)argument, here = index % 2, there = 1 - here;
    CUdeviceptr source = allocate(here, N), destination = allocate(there, N);
    CUstream stream;

    OK(cuCtxSetCurrent(contexts[index < 2 ? here : there]));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    for (int round = 0; round < 10; round++) {
        put(here, source, (unsigned)(index * 1000 + round), 1);
        OK(cuCtxSetCurrent(contexts[index < 2 ? here : there]));
        OK(cuMemcpyPeerAsync(destination, contexts[there], source, contexts[here], N, stream));
        OK(cuStreamSynchronize(stream));
        expect(there, destination, (unsigned)(index * 1000 + round), 1);
    }
    OK(cuMemFree_v2(source));
    OK(cuMemFree_v2(destination));
    return NULL;
}

// A fault on one side ends the copy on the other side too.
static void faults(void)
{
    CUcontext broken;
    CUdeviceptr here, there = allocate(1, 4096);
    unsigned value = 5;

    OK(cuMemcpyHtoD_v2(there, &value, 4));
    OK(cuCtxCreate_v2(&broken, 0, 0));
    OK(cuMemAlloc_v2(&here, 4096));
    // Where every call waits, the fault shows at once.
    int status = (int)launch(load(illegal_ptx, "illegal"), 1, 1, NULL);
    REQUIRE(status == CUDA_SUCCESS || status == CUDA_ERROR_ILLEGAL_ADDRESS);
    status = (int)cuMemcpyPeerAsync(there, contexts[1], here, broken, 4096, NULL);
    REQUIRE(status == CUDA_SUCCESS || status == CUDA_ERROR_ILLEGAL_ADDRESS);
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    OK(cuCtxDestroy_v2(broken));
    OK(cuCtxSetCurrent(contexts[1]));
    OK(cuCtxSynchronize());
    OK(cuMemcpyDtoH_v2(&value, there, 4));
    REQUIRE(value == 5);
    OK(cuMemFree_v2(there));
}

static void lose_device_1(void)
{
    CUdeviceptr here = allocate(0, N), there = allocate(1, N), flag = allocate(1, 4);
    CUfunction endless;
    CUstream stream;

    OK(cuMemcpyPeer(there, contexts[1], here, contexts[0], N));
    OK(cuCtxSetCurrent(contexts[1]));
    OK(cuCtxSynchronize());
    OK(cuMemsetD32_v2(flag, 0, 1));
    endless = load(endless_ptx, "endless");
    OK(launch(endless, 1, 1, (void *[]){ &flag }));
    // The other worker never comes to this copy, so device 0 waits for it.
    OK(cuCtxSetCurrent(contexts[0]));
    OK(cuStreamCreate(&stream, 0));
    OK(cuMemcpyPeerAsync(here, contexts[0], there, contexts[1], N, stream));
    puts("ready");
    fflush(stdout);
    EXPECT(cuStreamSynchronize(stream), CUDA_ERROR_DEVICE_UNAVAILABLE);
    // Once told, device 0 goes on.
    OK(cuMemsetD32_v2(here, 3, WORDS));
    expect(0, here, 3, 0);
    OK(cuCtxSetCurrent(contexts[1]));
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_DEVICE_UNAVAILABLE);
    OK(cuCtxSetCurrent(contexts[0]));
    EXPECT(cuMemcpyPeer(here, contexts[0], there, contexts[1], N), CUDA_ERROR_DEVICE_UNAVAILABLE);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    OK(cuInit(0));
    OK(cuDeviceGetCount(&count));
    for (int i = 0; i < count && i < 3; i++)
        OK(cuDevicePrimaryCtxRetain(&contexts[i], i));
    if (argc > 1 && strcmp(argv[1], "lost") == 0) {
        lose_device_1();
        puts("PASS");
        return 0;
    }
    CUdeviceptr a = allocate(0, N), b = allocate(1, N);
    answers_are_truthful();
    every_way(a, b);
    boxes(a, b);
    order(a, b);
    if (count > 2)
        third_party(a, b);
    faults();
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, both_ways, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    puts("PASS");
    return 0;
}
