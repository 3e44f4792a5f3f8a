// Managed memory whose pages come when they are touched. Each part is a range of ROOST_STATS; "part NAME" lines say
// which, and test_managed.py knows what each may move.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "kernels.h"

static size_t word_count = 64 << 20;  // 256 MiB

// *at = value
static const char store_ptx[] = PTX_HEADER
    ".visible .entry store(.param .u64 at, .param .u32 value)\n"
    "{\n"
    "  .reg .b64 %rd<2>;\n  .reg .b32 %r<2>;\n"
    "  ld.param.u64 %rd1, [at];\n"
    "  ld.param.u32 %r1, [value];\n"
    "  st.global.u32 [%rd1], %r1;\n"
    "  ret;\n"
    "}\n";

static CUfunction store;
static volatile unsigned *words;

static void begin_part(const char *name)
{
    printf("part %s\n", name);
    OK(cuProfilerStart());
}

static void end_part(void) { OK(cuProfilerStop()); }

static void store_word(const volatile unsigned *at, unsigned value, CUstream stream)
{
    CUdeviceptr address = (CUdeviceptr)at;
    void *arguments[] = {&address, &value};
    OK(cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, stream, arguments, NULL));
}

// The device writes one word far away; after that no page is here.
static void send_away(void)
{
    store_word(&words[word_count - 1], 9, NULL);
    OK(cuCtxSynchronize());
}

static unsigned device_word(const volatile unsigned *at)
{
    unsigned value = 0;
    OK(cuMemcpyDtoH_v2(&value, (CUdeviceptr)at, sizeof value));
    return value;
}

static void touch_parts(void)
{
    begin_part("first-touch");
    REQUIRE(words[12345] == 0);
    words[0] = 1;
    end_part();

    begin_part("read-one-page");
    store_word(&words[word_count / 2], 77, NULL);
    OK(cuCtxSynchronize());
    REQUIRE(words[word_count / 2] == 77);
    REQUIRE(words[word_count / 2 + 1] == 0);
    end_part();

    begin_part("write-one-page");
    words[word_count / 4] = 1234;
    store_word(&words[word_count / 4 + 1], 5678, NULL);
    OK(cuCtxSynchronize());
    REQUIRE(device_word(&words[word_count / 4]) == 1234);
    end_part();
    REQUIRE(words[0] == 1 && words[word_count / 4] == 1234 && words[word_count / 4 + 1] == 5678);

    begin_part("read-all");
    OK(cuMemsetD32_v2((CUdeviceptr)words, 0xA5A5, word_count));
    unsigned long long sum = 0;
    for (size_t i = 0; i < word_count; i++) sum += words[i];
    REQUIRE(sum == 0xA5A5ull * word_count);
    end_part();

    begin_part("write-all");
    for (size_t i = 0; i < word_count; i++) words[i] = (unsigned)i;
    store_word(&words[7], 1, NULL);
    OK(cuCtxSynchronize());
    REQUIRE(device_word(&words[word_count - 5]) == word_count - 5 && device_word(&words[7]) == 1);
    end_part();

    begin_part("prefetch");
    CUdevice device;
    OK(cuCtxGetDevice(&device));
    OK(cuMemPrefetchAsync((CUdeviceptr)words, 4 << 20, CU_DEVICE_CPU, NULL));
    OK(cuCtxSynchronize());
    for (size_t i = 0; i < 1 << 20; i++) REQUIRE(words[i] == (i == 7 ? 1 : i));
    int place = 0;
    OK(cuMemRangeGetAttribute(
        &place, sizeof place, CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, (CUdeviceptr)words, 4 << 20));
    REQUIRE(place == CU_DEVICE_CPU);
    end_part();

    // What the host only looks at stays here while the device works on other memory.
    begin_part("unrelated-copy");
    CUdeviceptr other;
    unsigned bytes[16];
    REQUIRE(words[100] == 100);
    OK(cuMemAlloc_v2(&other, 4096));
    for (int i = 0; i < 100; i++) {
        OK(cuMemcpyHtoD_v2(other, bytes, sizeof bytes));
        OK(cuMemcpyDtoH_v2(bytes, other, sizeof bytes));
        REQUIRE(words[101] == 101);
    }
    OK(cuMemFree_v2(other));
    end_part();
}

// MARK: - Threads

static void *touch_own(void *argument)
{
    unsigned long long seed = (unsigned long long)argument * 2654435761u + 1;
    for (int i = 0; i < 500; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        // Every thread writes words of its own, next to those of the others.
        size_t index = ((seed >> 33) % (word_count / 8)) * 8 + (size_t)argument;
        unsigned value = words[index];
        if (value != (index == 7 ? 1 : (unsigned)index) && value != ~(unsigned)index) return (void *)"a wrong word";
        words[index] = ~(unsigned)index;
    }
    return NULL;
}

static void thread_part(void)
{
    begin_part("threads");
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++) REQUIRE(pthread_create(&threads[i], NULL, touch_own, (void *)i) == 0);
    // Meanwhile other work goes on, which gives pages up under the threads' hands.
    for (int i = 0; i < 20; i++) {
        store_word(&words[word_count - 1], 9, NULL);
        OK(cuCtxSynchronize());
    }
    for (int i = 0; i < 8; i++) {
        void *failure = NULL;
        REQUIRE(pthread_join(threads[i], &failure) == 0);
        REQUIRE(failure == NULL);
    }
    send_away();
    for (size_t i = 0; i + 1 < word_count; i += 4093) {
        unsigned value = device_word(&words[i]);
        REQUIRE(value == (i == 7 ? 1 : (unsigned)i) || value == ~(unsigned)i);
    }
    end_part();
}

// MARK: - Whoever touches

static void system_call_part(void)
{
    begin_part("system-calls");
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    words[1000] = 42;
    send_away();
    REQUIRE(write(ends[0], (const void *)&words[1000], 4) == 4);
    send_away();
    REQUIRE(read(ends[1], (void *)&words[2000], 4) == 4);
    close(ends[0]);
    close(ends[1]);
    store_word(&words[2001], 43, NULL);
    OK(cuCtxSynchronize());
    REQUIRE(words[2000] == 42 && words[2001] == 43 && device_word(&words[2000]) == 42);
    end_part();
}

static void copy_part(void)
{
    begin_part("copies");
    CUdeviceptr other;
    unsigned some[1024];
    OK(cuMemAlloc_v2(&other, 4096));
    for (int i = 0; i < 1024; i++) words[5000 + i] = (unsigned)i * 3;
    send_away();
    // Managed memory as the host's end of copies, whole and in rows.
    OK(cuMemcpyHtoD_v2(other, (const void *)&words[5000], 4096));
    OK(cuMemcpyDtoH_v2(some, other, 4096));
    for (int i = 0; i < 1024; i++) REQUIRE(some[i] == (unsigned)i * 3);
    OK(cuMemsetD32_v2(other, 6, 1024));
    OK(cuMemcpyDtoH_v2((void *)&words[7000], other, 4096));
    for (int i = 0; i < 1024; i++) REQUIRE(words[7000 + i] == 6);
    CUDA_MEMCPY2D rows = {
        .srcMemoryType = CU_MEMORYTYPE_HOST, .srcHost = (const void *)&words[5000], .srcPitch = 64,
        .dstMemoryType = CU_MEMORYTYPE_DEVICE, .dstDevice = other, .dstPitch = 32, .WidthInBytes = 32, .Height = 8,
    };
    send_away();
    OK(cuMemcpy2D_v2(&rows));
    OK(cuMemcpyDtoH_v2(some, other, 256));
    for (int i = 0; i < 64; i++) REQUIRE(some[i] == (unsigned)(i / 8 * 16 + i % 8) * 3);
    OK(cuMemFree_v2(other));
    end_part();
}

static void touch_in_function(void *argument)
{
    *(unsigned *)argument = words[3000];
    words[3001] = 8;
}

static void host_function_part(void)
{
    begin_part("host-function");
    unsigned seen = 0;
    store_word(&words[3000], 7, NULL);
    OK(cuLaunchHostFunc(NULL, touch_in_function, &seen));
    OK(cuCtxSynchronize());
    REQUIRE(seen == 7 && words[3001] == 8);
    end_part();
}

// Work of one stream that was not waited for, while another was.
static void stream_part(void)
{
    begin_part("streams");
    CUstream one, two;
    OK(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
    OK(cuStreamCreate(&two, CU_STREAM_NON_BLOCKING));
    for (unsigned i = 0; i < 50; i++) {
        words[4000] = i;
        store_word(&words[4001], i, one);
        store_word(&words[4002], i, two);
        OK(cuStreamSynchronize(two));
        REQUIRE(words[4000] == i && words[4002] == i);
        OK(cuStreamSynchronize(one));
        REQUIRE(words[4001] == i && words[4000] == i);
    }
    OK(cuStreamDestroy_v2(one));
    OK(cuStreamDestroy_v2(two));
    end_part();
}

static void child_part(void)
{
    begin_part("child");
    send_away();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        // What the child sees is its own matter, but it must not wait for a thread that it does not have.
        signal(SIGSEGV, SIG_DFL);
        alarm(20);
        _exit(words[100] == 100 ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    REQUIRE(words[50] == 50);
    end_part();
}

static void unexpected(int number)
{
    (void)number;
    static const char text[] = "a signal came for a page\n";
    ssize_t ignored = write(2, text, sizeof text - 1);
    (void)ignored;
    _exit(3);
}

// Runs after everything that was registered later, as objects of the program do that it made before the driver.
static void at_the_end(void)
{
    if (words[60] != 60) {
        fprintf(stderr, "at the end a word is %u\n", words[60]);
        _exit(4);
    }
}

// "whole" is for memory of 8 MiB that is fetched whole: what threads write while others wait may then lose a byte.
// "nested" is for a device that is itself a vGPU: its engine has no turn for a page while it waits for a host function.
int main(int argc, char **argv)
{
    const int is_whole = argc > 1 && strcmp(argv[1], "whole") == 0;
    const int is_nested = argc > 1 && strcmp(argv[1], "nested") == 0;
    if (argc > 1) word_count = 2 << 20;
    atexit(at_the_end);
    signal(SIGSEGV, unexpected);
    signal(SIGBUS, unexpected);
    begin();
    store = load(store_ptx, "store");
    CUdeviceptr address;
    OK(cuMemAllocManaged(&address, word_count * sizeof(unsigned), CU_MEM_ATTACH_GLOBAL));
    words = (volatile unsigned *)address;
    touch_parts();
    if (!is_whole) thread_part();
    // Known words again.
    for (size_t i = 0; i < 8192; i++) words[i] = (unsigned)i;
    send_away();
    system_call_part();
    copy_part();
    if (!is_nested) host_function_part();
    stream_part();
    child_part();
    // Freed and taken again, it is zero.
    CUdeviceptr small;
    for (unsigned i = 0; i < 20; i++) {
        OK(cuMemAllocManaged(&small, 100000, CU_MEM_ATTACH_GLOBAL));
        volatile unsigned *first = (volatile unsigned *)small;
        REQUIRE(first[i] == 0 && first[24999] == 0);
        first[i] = 1;
        store_word(&first[24999], i, NULL);
        OK(cuCtxSynchronize());
        REQUIRE(first[24999] == i && first[i] == 1);
        OK(cuMemFree_v2(small));
    }
    send_away();
    puts("PASS");
    return 0;
}
