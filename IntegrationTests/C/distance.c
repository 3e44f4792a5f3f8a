// Far from its worker (ROOST_RTT_US adds to every waiting call), a program pays for its waits and for nothing else: creating, allocating,
// copying to the device and launching hundreds of times costs a few round trips, not hundreds.
#define _GNU_SOURCE
#include "check.h"
#include "kernels.h"

#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(void)
{
    const char *distance = getenv("ROOST_RTT_US");
    REQUIRE(distance != NULL);
    double roundTrip = atof(distance) * 1e-6;
    float host[64] = {1}, result[64] = {0};
    unsigned count = 64;
    begin();
    CUfunction add = load(add_ptx, "add");

    double start = now();
    CUstream stream;
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    for (int i = 0; i < 100; i++) {
        CUdeviceptr a;
        CUevent event;
        OK(cuMemAlloc_v2(&a, sizeof host));
        OK(cuMemcpyHtoD_v2(a, host, sizeof host));
        void *arguments[] = {&a, &a, &a, &count};
        OK(launch(add, 1, 64, arguments));
        OK(cuEventCreate(&event, 0));
        OK(cuEventRecord(event, stream));
        OK(cuStreamWaitEvent(NULL, event, 0));
        OK(cuEventDestroy_v2(event));
        if (i == 99) OK(cuMemcpyDtoH_v2(result, a, sizeof result));
        OK(cuMemFree_v2(a));
    }
    OK(cuCtxSynchronize());
    double roundTrips = (now() - start) / roundTrip;

    REQUIRE(result[0] == 2);
    printf("700 calls took the time of %.1f round trips\n", roundTrips);
    // The copy back and the synchronization wait, and the memory grant may; the rest of the bound is the work itself.
    REQUIRE(roundTrips >= 2 && roundTrips < 20);
    puts("PASS");
    return 0;
}
