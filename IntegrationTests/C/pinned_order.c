// Pinned memory keeps the order of the stream: what a copy to it brings is there when the next wait returns, and a copy
// from it that follows one to it sends the new bytes, not those of the host at the time of the call.
#include "check.h"
#include "kernels.h"

enum { COUNT = 20000 };

int main(void)
{
    begin();
    float *pinned;
    CUdeviceptr a, b, out;
    CUstream stream;
    CUfunction add = load(add_ptx, "add");
    OK(cuMemHostAlloc((void **)&pinned, COUNT * sizeof(float), 0));
    OK(cuMemAlloc_v2(&a, COUNT * sizeof(float)));
    OK(cuMemAlloc_v2(&b, COUNT * sizeof(float)));
    OK(cuMemAlloc_v2(&out, COUNT * sizeof(float)));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    unsigned count = COUNT;
    for (int round = 1; round <= 5; round++) {
        for (int i = 0; i < COUNT; i++) pinned[i] = (float)(i * round);
        OK(cuMemcpyHtoDAsync_v2(a, pinned, COUNT * sizeof(float), stream));
        void *arguments[] = {&a, &a, &b, &count};
        OK(cuLaunchKernel(add, (COUNT + 255) / 256, 1, 1, 256, 1, 1, 0, stream, arguments, NULL));
        // b to the pinned buffer, and from there on to out: 2 · i · round must arrive.
        OK(cuMemcpyDtoHAsync_v2(pinned, b, COUNT * sizeof(float), stream));
        OK(cuMemcpyHtoDAsync_v2(out, pinned, COUNT * sizeof(float), stream));
        OK(cuMemsetD32Async(b, 0, COUNT, stream));
        OK(cuStreamSynchronize(stream));
        for (int i = 0; i < COUNT; i++) REQUIRE(pinned[i] == 2.0f * (float)(i * round));
        memset(pinned, 0, COUNT * sizeof(float));
        OK(cuMemcpyDtoHAsync_v2(pinned, out, COUNT * sizeof(float), stream));
        CUevent event;
        OK(cuEventCreate(&event, 0));
        OK(cuEventRecord(event, stream));
        OK(cuEventSynchronize(event));
        for (int i = 0; i < COUNT; i++) REQUIRE(pinned[i] == 2.0f * (float)(i * round));
        OK(cuEventDestroy_v2(event));
    }
    // Host memory that the program reuses at once after a copy from pageable memory.
    float own[256];
    for (int i = 0; i < 256; i++) own[i] = 5;
    OK(cuMemcpyHtoDAsync_v2(a, own, sizeof own, stream));
    for (int i = 0; i < 256; i++) own[i] = 6;
    OK(cuMemcpyDtoHAsync_v2(own, a, sizeof own, stream));
    OK(cuStreamSynchronize(stream));
    for (int i = 0; i < 256; i++) REQUIRE(own[i] == 5);
    OK(cuMemFreeHost(pinned));
    puts("PASS");
    return 0;
}
