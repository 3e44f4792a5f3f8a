// The private tables that NVIDIA's runtime libraries ask for: their sizes, what their functions do, and that others are
// denied.
#include "check.h"
#include "kernels.h"

typedef struct {
    unsigned char bytes[16];
} Name;

static const Name runtime_name = {{0x6B, 0xD5, 0xFB, 0x6C, 0x5B, 0xF4, 0xE7, 0x4A, 0x89, 0x87, 0xD9, 0x39,
    0x12, 0xFD, 0x9D, 0xF9}};
static const Name hooks_name = {{0xA0, 0x94, 0x79, 0x8C, 0x2E, 0x74, 0x2E, 0x74, 0x93, 0xF2, 0x08, 0x00,
    0x20, 0x0C, 0x0A, 0x66}};
static const Name thread_name = {{0x42, 0xD8, 0x5A, 0x81, 0x23, 0xF6, 0xCB, 0x47, 0x82, 0x98, 0xF6, 0xE7,
    0x8A, 0x3A, 0xEC, 0xDC}};
static const Name storage_name = {{0xC6, 0x93, 0x33, 0x6E, 0x11, 0x21, 0xDF, 0x11, 0xA8, 0xC3, 0x68, 0xF3,
    0x55, 0xD8, 0x95, 0x93}};
static const Name checks_name = {{0x26, 0x3E, 0x88, 0x60, 0x7C, 0xD2, 0x61, 0x43, 0x92, 0xF6, 0xBB, 0xD5,
    0x00, 0x6D, 0xFA, 0x7E}};
static const Name integrity_name = {{0xD4, 0x08, 0x20, 0x55, 0xBD, 0xE6, 0x70, 0x4B, 0x8D, 0x34, 0xBA, 0x12,
    0x3C, 0x66, 0xE1, 0xF2}};
static const Name tools_name = {{0x21, 0x31, 0x8C, 0x60, 0x97, 0x14, 0x32, 0x48, 0x8C, 0xA6, 0x41, 0xFF,
    0x73, 0x24, 0xC8, 0xF2}};
static const Name library_name = {{0x17, 0x34, 0xDC, 0x26, 0x80, 0x0D, 0x47, 0x45, 0x87, 0x26, 0xC0, 0xF1,
    0xE7, 0xDD, 0x8B, 0xCA}};
// What cudart asks for first of all, NVRTC's, and one that nobody has.
static const Name denied[] = {
    {{0xF8, 0xCF, 0xF9, 0x51, 0x21, 0x46, 0x8B, 0x4E, 0xB9, 0xE2, 0xFB, 0x46, 0x9E, 0x7C, 0x0D, 0xD9}},
    {{0xDA, 0x91, 0x51, 0xD3, 0x3A, 0xE6, 0xCC, 0x41, 0xA5, 0xC0, 0x4F, 0x26, 0xD5, 0x33, 0xE3, 0x28}},
    {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
};

static void *const *table(const Name *name)
{
    const void *found = NULL, *again = NULL;
    CUuuid id;
    memcpy(&id, name, sizeof id);
    OK(cuGetExportTable(&found, &id));
    OK(cuGetExportTable(&again, &id));
    REQUIRE(found != NULL && found == again);
    return found;
}

static void sizes(void)
{
    const struct {
        const Name *name;
        size_t slots;
    } known[] = {{&runtime_name, 13}, {&hooks_name, 7}, {&thread_name, 4}, {&checks_name, 4}, {&integrity_name, 3}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        void *const *const slots = table(known[i].name);
        REQUIRE((size_t)slots[0] == known[i].slots * sizeof(void *));
        for (size_t k = 1; k < known[i].slots; k++) REQUIRE(slots[k] != NULL || (i == 0 && k == 10));
    }
    // 52 functions are called by their place in this one.
    REQUIRE((size_t)table(&tools_name)[0] >= 52 * sizeof(void *));
    REQUIRE((size_t)table(&library_name)[0] >= 5 * sizeof(void *));
    REQUIRE(table(&storage_name)[3] == NULL);
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
        const void *found = &found;
        CUuuid id;
        memcpy(&id, &denied[i], sizeof id);
        REQUIRE(cuGetExportTable(&found, &id) != CUDA_SUCCESS && found == NULL);
    }
    EXPECT(cuGetExportTable(NULL, NULL), CUDA_ERROR_INVALID_VALUE);
}

static int destroyed[4], destroyed_count;

static void destroy(CUcontext context, void *key, void *value)
{
    REQUIRE(context != NULL && key == value);
    destroyed[destroyed_count++] = (int)(size_t)key;
}

typedef CUresult Put(CUcontext, void *, void *, void (*)(CUcontext, void *, void *));
typedef CUresult Remove(CUcontext, void *);
typedef CUresult Get(void **, CUcontext, void *);

static void context_storage(CUdevice device)
{
    void *const *const slots = table(&storage_name);
    Put *const put = (Put *)slots[0];
    Remove *const take_out = (Remove *)slots[1];
    Get *const get = (Get *)slots[2];
    CUcontext context, primary;
    void *value = NULL;
    OK(cuCtxCreate_v4(&context, NULL, 0, device));
    EXPECT(get(&value, context, (void *)1), CUDA_ERROR_INVALID_HANDLE);
    for (size_t key = 1; key <= 3; key++) OK(put(context, (void *)key, (void *)key, destroy));
    // No context, and -1, are the current one.
    OK(get(&value, NULL, (void *)2));
    REQUIRE(value == (void *)2);
    OK(get(&value, (CUcontext)(intptr_t)-1, (void *)3));
    REQUIRE(value == (void *)3);
    OK(put(context, (void *)1, (void *)1, destroy));
    OK(take_out(context, (void *)2));
    EXPECT(get(&value, context, (void *)2), CUDA_ERROR_INVALID_HANDLE);
    REQUIRE(destroyed_count == 0);
    OK(cuCtxDestroy_v2(context));
    REQUIRE(destroyed_count == 2 && destroyed[0] == 1 && destroyed[1] == 3);

    OK(cuDevicePrimaryCtxRetain(&primary, device));
    OK(put(primary, (void *)7, (void *)7, destroy));
    OK(cuDevicePrimaryCtxReset_v2(device));
    REQUIRE(destroyed_count == 3 && destroyed[2] == 7);
    EXPECT(get(&value, primary, (void *)7), CUDA_ERROR_INVALID_HANDLE);
    OK(cuDevicePrimaryCtxRelease_v2(device));
}

// A fatbin with one entry, PTX that is not compressed, and the wrapper that compilers put around it.
static struct {
    struct {
        uint32_t magic;
        uint16_t version, header;
        uint64_t size;
    } head;
    struct {
        uint16_t kind, version;
        uint32_t header;
        uint64_t payload;
        uint32_t compressed, unknown;
        uint16_t minor, major;
        uint32_t arch, name, name_size;
        uint64_t flags, zero, uncompressed;
    } entry;
    char text[1024];
} fatbin;

static void modules(void)
{
    memset(&fatbin, 0, sizeof fatbin);
    fatbin.head.magic = 0xBA55ED50;
    fatbin.head.version = 1;
    fatbin.head.header = sizeof fatbin.head;
    fatbin.head.size = sizeof fatbin.entry + sizeof fatbin.text;
    fatbin.entry.kind = 1;
    fatbin.entry.version = 0x101;
    fatbin.entry.header = sizeof fatbin.entry;
    fatbin.entry.payload = sizeof fatbin.text;
    fatbin.entry.major = 7;
    fatbin.entry.arch = 80;
    fatbin.entry.flags = 0x11;
    REQUIRE(sizeof fatbin.entry == 64 && sizeof add_ptx <= sizeof fatbin.text);
    memcpy(fatbin.text, add_ptx, sizeof add_ptx);
    const struct {
        uint32_t magic, version;
        const void *data;
        void *unused;
    } wrapper = {0x466243B1, 1, &fatbin, NULL};

    void *const *const slots = table(&runtime_name);
    CUmodule loaded[3];
    CUfunction function;
    OK(((CUresult(*)(CUmodule *, const void *))slots[1])(&loaded[0], &wrapper));
    typedef CUresult Wrapped(CUmodule *, const void *, void *, void *, unsigned);
    typedef CUresult Bare(const void *, CUmodule *, void *, void *, unsigned);
    OK(((Wrapped *)slots[6])(&loaded[1], &wrapper, NULL, NULL, 0));
    OK(((Bare *)slots[8])(&fatbin, &loaded[2], NULL, NULL, 0));
    for (int i = 0; i < 3; i++) {
        OK(cuModuleGetFunction(&function, loaded[i], "add"));
        OK(cuModuleUnload(loaded[i]));
    }
    ((void (*)(size_t))slots[7])(1);
    OK(((CUresult(*)(void))slots[12])());
    REQUIRE(((CUresult(*)(void))slots[3])() != CUDA_SUCCESS);
}

int main(void)
{
    sizes();
    CUdevice device;
    CUcontext context = NULL, primary = NULL;
    unsigned flags;
    int active = 1, number = -1;
    OK(cuInit(0));
    OK(cuDeviceGet(&device, 0));
    // The primary context's handle, which does not bring it to life.
    OK(((CUresult(*)(CUcontext *, CUdevice))table(&runtime_name)[2])(&context, device));
    OK(cuDevicePrimaryCtxGetState(device, &flags, &active));
    REQUIRE(context != NULL && !active);
    // Old runtimes look into it: a page of zeros.
    for (int i = 0; i < 4096; i++) REQUIRE(((const volatile char *)context)[i] == 0);
    OK(cuDevicePrimaryCtxRetain(&primary, device));
    REQUIRE(primary == context);
    OK(((CUresult(*)(CUcontext *))table(&thread_name)[2])(&context));
    REQUIRE(context == NULL);
    OK(cuCtxSetCurrent(primary));
    OK(((CUresult(*)(CUcontext *))table(&thread_name)[2])(&context));
    REQUIRE(context == primary);

    uint32_t mark = 9;
    const void *more = NULL;
    OK(((CUresult(*)(CUcontext, uint32_t *, const void **))table(&checks_name)[2])(primary, &mark, &more));
    REQUIRE(mark == 0 && more == NULL);
    REQUIRE(((uint32_t(*)(void))table(&checks_name)[3])() == 0);
    const uint32_t *listeners = NULL;
    size_t count = 0;
    ((void (*)(const uint32_t **, size_t *))table(&hooks_name)[2])(&listeners, &count);
    REQUIRE(count == 1024 && listeners[0] == 0 && listeners[1023] == 0);
    ((void (*)(const uint32_t **, size_t *))table(&hooks_name)[6])(&listeners, &count);
    REQUIRE(count == 14 && listeners[13] == 0);

    unsigned long long id = 0, other = 0;
    void *object = NULL;
    OK(((CUresult(*)(CUcontext, int *))table(&tools_name)[3])(primary, &number));
    REQUIRE(number == device);
    OK(((CUresult(*)(CUcontext, unsigned long long *))table(&tools_name)[4])(NULL, &id));
    OK(cuCtxGetId(primary, &other));
    REQUIRE(id == other);
    OK(((CUresult(*)(CUcontext, CUstream, void **))table(&tools_name)[51])(primary, NULL, &object));
    REQUIRE(object != NULL && *(const volatile char *)object == 0);
    OK(((CUresult(*)(CUcontext, void *, unsigned long long *))table(&tools_name)[39])(primary, object, &id));
    REQUIRE(id == 0);

    uint64_t answer[2], again[2];
    typedef CUresult Answer(uint32_t, uint64_t, uint64_t *);
    OK(((Answer *)table(&integrity_name)[1])(13000, 1, answer));
    REQUIRE(answer[0] == 0x3341181C03CB675Cull && answer[1] == 0x8ED383AA1F4CD1E8ull);
    OK(((Answer *)table(&integrity_name)[1])(13001, 1, answer));
    REQUIRE(answer[0] == 0x1841181C03CB675Cull && answer[1] == 0x8ED383AA1F4CD1E8ull);
    // The third depends on the time and on nothing that changes between two calls.
    OK(((Answer *)table(&integrity_name)[1])(13002, 1, answer));
    OK(((Answer *)table(&integrity_name)[1])(13002, 1, again));
    REQUIRE(memcmp(answer, again, sizeof answer) == 0);
    OK(((Answer *)table(&integrity_name)[1])(13002, 2, again));
    REQUIRE(memcmp(answer, again, sizeof answer) != 0);
    modules();
    OK(cuDevicePrimaryCtxRelease_v2(device));
    context_storage(device);
    puts("PASS");
    return 0;
}
