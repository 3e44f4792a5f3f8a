// The error log: a refused call makes an entry, which iterators, dumps and callbacks show.
#include "check.h"

#include <fcntl.h>
#include <unistd.h>

static char heard[512];
static int heard_count;

static void listen(void *data, CUlogLevel level, char *message, size_t length)
{
    REQUIRE(data == &heard_count && level == CU_LOG_LEVEL_ERROR && strlen(message) == length);
    snprintf(heard, sizeof heard, "%s", message);
    heard_count++;
}

int main(void)
{
    CUlogsCallbackHandle handle;
    // Before anything else, as PyTorch does.
    OK(cuLogsRegisterCallback(listen, &heard_count, &handle));
    begin();
    CUlogIterator start, late;
    OK(cuLogsCurrent(&start, 0));
    heard_count = 0;
    CUdeviceptr memory;
    EXPECT(cuMemAlloc_v2(&memory, 0), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(heard_count == 1 && strstr(heard, "cuMemAlloc_v2") && strstr(heard, "CUDA_ERROR_INVALID_VALUE"));
    // What asks in order to learn is no refusal.
    CUpointer_attribute attribute;
    EXPECT(cuPointerGetAttribute(&attribute, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, 64), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(heard_count == 1);
    EXPECT(cuStreamDestroy_v2((CUstream)&memory), CUDA_ERROR_INVALID_HANDLE);
    REQUIRE(heard_count == 2);

    char text[1024];
    size_t size = sizeof text;
    late = start;
    OK(cuLogsDumpToMemory(&late, text, &size, 0));
    REQUIRE(strlen(text) == size);
    const char *first = strstr(text, "cuMemAlloc_v2"), *second = strstr(text, "cuStreamDestroy");
    REQUIRE(first && second && first < second);
    size = sizeof text;
    OK(cuLogsDumpToMemory(&late, text, &size, 0));
    REQUIRE(size == 0 && text[0] == 0);
    // Too little room: the newest lines stay.
    size = 110;
    late = start;
    OK(cuLogsDumpToMemory(&late, text, &size, 0));
    REQUIRE(size < 110 && !strstr(text, "cuMemAlloc_v2") && strstr(text, "cuStreamDestroy"));
    EXPECT(cuLogsDumpToMemory(&late, NULL, &size, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuLogsCurrent(&late, 1), CUDA_ERROR_INVALID_VALUE);

    char path[64];
    snprintf(path, sizeof path, "/tmp/error-log-%d", (int)getpid());
    const int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    REQUIRE(file >= 0);
    late = start;
    OK(cuLogsDumpToFile(&late, path, 0));
    const ssize_t count = read(file, text, sizeof text - 1);
    REQUIRE(count > 0);
    text[count] = 0;
    REQUIRE(strstr(text, "cuMemAlloc_v2") && strstr(text, "cuStreamDestroy"));
    unlink(path);

    // The log is bounded.
    OK(cuLogsUnregisterCallback(handle));
    EXPECT(cuLogsUnregisterCallback(handle), CUDA_ERROR_INVALID_VALUE);
    const int before = heard_count;
    for (int i = 0; i < 2000; i++) EXPECT(cuMemFree_v2(64), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(heard_count == before);
    static char large[30000];
    size = sizeof large;
    OK(cuLogsDumpToMemory(NULL, large, &size, 0));
    REQUIRE(size > 1000 && size <= 25600 && strstr(large, "cuMemFree_v2") && !strstr(large, "cuMemAlloc_v2"));
    puts("PASS");
    return 0;
}
