// The whole path once: initialize, ask, allocate, copy in, load PTX, launch, copy out.
#include "check.h"
#include "kernels.h"

#define N 10000

int main(void)
{
    int count = 0, major = 0, minor = 0, version = 0;
    char name[256];
    size_t total = 0, free_bytes = 0, all_bytes = 0;
    CUuuid uuid;

    CUdevice device = begin();
    OK(cuDeviceGetCount(&count));
    REQUIRE(count == 1);
    OK(cuDriverGetVersion(&version));
    REQUIRE(version >= 13000);
    OK(cuDeviceGetName(name, sizeof name, device));
    REQUIRE(strlen(name) > 0);
    OK(cuDeviceGetUuid(&uuid, device));
    OK(cuDeviceTotalMem_v2(&total, device));
    OK(cuMemGetInfo_v2(&free_bytes, &all_bytes));
    REQUIRE(total == all_bytes && free_bytes <= all_bytes);
    OK(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device));
    OK(cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device));
    printf("%s, compute capability %d.%d, %zu MiB\n", name, major, minor, total >> 20);

    static float a[N], b[N], out[N];
    for (int i = 0; i < N; i++) {
        a[i] = (float)i;
        b[i] = 0.5f * (float)i;
    }
    CUdeviceptr d_a, d_b, d_out;
    OK(cuMemAlloc_v2(&d_a, sizeof a));
    OK(cuMemAlloc_v2(&d_b, sizeof b));
    OK(cuMemAlloc_v2(&d_out, sizeof out));
    REQUIRE(d_a % 256 == 0 && d_a != d_b && d_b != d_out);
    OK(cuMemcpyHtoD_v2(d_a, a, sizeof a));
    OK(cuMemcpyHtoD_v2(d_b, b, sizeof b));
    OK(cuMemsetD8_v2(d_out, 0xff, sizeof out));

    CUfunction add = load(add_ptx, "add");
    unsigned n = N;
    void *arguments[] = { &d_a, &d_b, &d_out, &n };
    OK(launch(add, (N + 127) / 128, 128, arguments));
    n = 0; // The launch has taken its arguments already.
    OK(cuMemcpyDtoH_v2(out, d_out, sizeof out));
    for (int i = 0; i < N; i++)
        REQUIRE(out[i] == 1.5f * (float)i);

    // The same through a packed parameter block, on a stream, timed by events.
    struct {
        CUdeviceptr a, b, out;
        unsigned n;
    } packed = { d_a, d_b, d_out, N / 2 };
    size_t packed_size = sizeof packed;
    void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &packed_size,
        CU_LAUNCH_PARAM_END };
    CUstream stream;
    CUevent start, stop;
    float elapsed = -1;
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuEventCreate(&start, CU_EVENT_DEFAULT));
    OK(cuEventCreate(&stop, CU_EVENT_DEFAULT));
    OK(cuMemsetD32Async(d_out, 0, N, stream));
    OK(cuEventRecord(start, stream));
    OK(cuLaunchKernel(add, (N + 127) / 128, 1, 1, 128, 1, 1, 0, stream, NULL, extra));
    OK(cuEventRecord(stop, stream));
    OK(cuStreamSynchronize(stream));
    OK(cuEventElapsedTime(&elapsed, start, stop));
    REQUIRE(elapsed >= 0);
    OK(cuMemcpyDtoH_v2(out, d_out, sizeof out));
    REQUIRE(out[N / 2 - 1] == 1.5f * (float)(N / 2 - 1) && out[N / 2] == 0);
    OK(cuEventDestroy_v2(start));
    OK(cuEventDestroy_v2(stop));
    OK(cuStreamDestroy_v2(stream));

    OK(cuMemFree_v2(d_a));
    OK(cuMemFree_v2(d_b));
    OK(cuMemFree_v2(d_out));
    EXPECT(cuMemFree_v2(d_out), CUDA_ERROR_INVALID_VALUE);
    OK(cuDevicePrimaryCtxRelease_v2(device));
    puts("PASS");
    return 0;
}
