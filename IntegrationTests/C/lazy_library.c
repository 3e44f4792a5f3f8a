// Loading a library sends nothing: far from its worker, a hundred big fatbins load in no time, and only the kernel that
// is used brings its image to the worker.
#define _GNU_SOURCE
#include "check.h"
#include "kernels.h"

#include <time.h>

enum { TEXT = 1 << 20, LIBRARIES = 100 };

struct fatbin {
    uint32_t magic;
    uint16_t version, header;
    uint64_t size;
    uint16_t kind, entry_version;
    uint32_t entry_header;
    uint64_t payload;
    uint32_t compressed, unknown;
    uint16_t minor, major;
    uint32_t arch, name, name_size;
    uint64_t flags, zero, uncompressed;
    char text[TEXT];
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static struct fatbin *make(int number)
{
    struct fatbin *fatbin = calloc(1, sizeof *fatbin);
    REQUIRE(fatbin != NULL);
    fatbin->magic = 0xBA55ED50;
    fatbin->version = 1;
    fatbin->header = 16;
    fatbin->size = sizeof *fatbin - 16;
    fatbin->kind = 1;
    fatbin->entry_version = 0x101;
    fatbin->entry_header = 64;
    fatbin->payload = TEXT;
    fatbin->major = 7;
    fatbin->arch = 80;
    fatbin->flags = 0x11;
    // All different, so that none is known from another.
    const int count = snprintf(fatbin->text, TEXT, "%s// library %d\n", add_ptx, number);
    memset(fatbin->text + count, '\n', (size_t)(TEXT - count - 1));
    return fatbin;
}

int main(void)
{
    const char *distance = getenv("ROOST_RTT_US");
    REQUIRE(distance != NULL);
    const double round_trip = atof(distance) * 1e-6;
    struct fatbin *images[LIBRARIES];
    CUlibrary libraries[LIBRARIES];
    CUlibraryOption option = CU_LIBRARY_BINARY_IS_PRESERVED;
    void *value = (void *)1;
    begin();
    OK(cuCtxSynchronize());
    for (int i = 0; i < LIBRARIES; i++) images[i] = make(i);
    const double start = now();
    for (int i = 0; i < LIBRARIES; i++) {
        OK(cuLibraryLoadData(&libraries[i], images[i], NULL, NULL, 0, &option, &value, 1));
    }
    const double loading = (now() - start) / round_trip;
    printf("loading took the time of %.2f round trips\n", loading);
    REQUIRE(loading < 1);

    CUkernel kernel;
    float host[64];
    unsigned count = 64;
    CUdeviceptr memory;
    for (int i = 0; i < 64; i++) host[i] = (float)i;
    OK(cuMemAlloc_v2(&memory, sizeof host));
    OK(cuMemcpyHtoD_v2(memory, host, sizeof host));
    OK(cuLibraryGetKernel(&kernel, libraries[57], "add"));
    void *arguments[] = {&memory, &memory, &memory, &count};
    OK(cuLaunchKernel((CUfunction)kernel, 1, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL));
    OK(cuMemcpyDtoH_v2(host, memory, sizeof host));
    for (int i = 0; i < 64; i++) REQUIRE(host[i] == 2.0f * (float)i);
    for (int i = 0; i < LIBRARIES; i++) OK(cuLibraryUnload(libraries[i]));
    puts("PASS");
    return 0;
}
