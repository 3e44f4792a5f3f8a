// Streams wait for words in memory and write them; a waiting stream holds no other one back.
#include "check.h"

static CUstream make(unsigned flags)
{
    CUstream stream;
    OK(cuStreamCreate(&stream, flags));
    return stream;
}

static unsigned word(CUdeviceptr address)
{
    unsigned value;
    OK(cuMemcpyDtoHAsync_v2(&value, address, 4, CU_STREAM_PER_THREAD));
    OK(cuStreamSynchronize(CU_STREAM_PER_THREAD));
    return value;
}

static void waits(CUdeviceptr words)
{
    CUstream waiting = make(CU_STREAM_NON_BLOCKING), other = make(CU_STREAM_NON_BLOCKING);
    OK(cuMemsetD32_v2(words, 0, 8));
    OK(cuStreamWaitValue32_v2(waiting, words, 1, CU_STREAM_WAIT_VALUE_GEQ));
    OK(cuStreamWriteValue32_v2(waiting, words + 4, 11, 0));
    OK(cuStreamWriteValue64_v2(other, words + 8, 0x100000002ull, 0));
    OK(cuStreamSynchronize(other));
    REQUIRE(cuStreamQuery(waiting) == CUDA_ERROR_NOT_READY);
    REQUIRE(word(words + 4) == 0);
    REQUIRE(word(words + 12) == 1);
    OK(cuStreamWriteValue32_v2(other, words, 1, CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER));
    OK(cuStreamSynchronize(waiting));
    REQUIRE(word(words + 4) == 11);
    OK(cuStreamDestroy_v2(waiting));
    OK(cuStreamDestroy_v2(other));
}

static void batch(CUdeviceptr words)
{
    CUstream waiting = make(CU_STREAM_NON_BLOCKING), other = make(CU_STREAM_NON_BLOCKING);
    CUstreamBatchMemOpParams operations[4];
    memset(operations, 0, sizeof operations);
    OK(cuMemsetD32_v2(words, 0, 8));
    operations[0].waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_64;
    operations[0].waitValue.address = words + 8;
    operations[0].waitValue.value64 = 1ull << 40;
    operations[0].waitValue.flags = CU_STREAM_WAIT_VALUE_AND;
    operations[1].memoryBarrier.operation = CU_STREAM_MEM_OP_BARRIER;
    operations[2].writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    operations[2].writeValue.address = words;
    operations[2].writeValue.value = 5;
    operations[3].waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
    operations[3].waitValue.address = words + 4;
    operations[3].waitValue.value = 6;
    operations[3].waitValue.flags = CU_STREAM_WAIT_VALUE_EQ;
    OK(cuStreamBatchMemOp_v2(waiting, 4, operations, 0));
    OK(cuStreamWriteValue64_v2(other, words + 8, 3ull << 40, 0));
    OK(cuStreamWriteValue32_v2(other, words + 4, 6, 0));
    OK(cuStreamSynchronize(waiting));
    REQUIRE(word(words) == 5);
    REQUIRE(cuStreamBatchMemOp_v2(waiting, 0, operations, 0) == CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuStreamBatchMemOp_v2(waiting, 257, operations, 0) == CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuStreamBatchMemOp_v2(waiting, 1, NULL, 0) == CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuStreamBatchMemOp_v2(waiting, 1, operations, 1) == CUDA_ERROR_INVALID_VALUE);
    operations[0].operation = CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES;
    REQUIRE(cuStreamBatchMemOp_v2(waiting, 1, operations, 0) == CUDA_ERROR_NOT_SUPPORTED);
    OK(cuStreamDestroy_v2(waiting));
    OK(cuStreamDestroy_v2(other));
}

// The host's own write ends a wait for pinned memory.
static void host_words(void)
{
    volatile unsigned *host;
    CUdeviceptr words;
    CUstream waiting = make(CU_STREAM_NON_BLOCKING);
    OK(cuMemHostAlloc((void **)&host, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
    OK(cuMemHostGetDevicePointer_v2(&words, (void *)host, 0));
    host[0] = host[1] = 0;
    OK(cuStreamWaitValue32_v2(waiting, words, 1, CU_STREAM_WAIT_VALUE_EQ));
    OK(cuStreamWriteValue32_v2(waiting, words + 4, 3, 0));
    REQUIRE(cuStreamQuery(waiting) == CUDA_ERROR_NOT_READY);
    host[0] = 1;
    OK(cuStreamSynchronize(waiting));
    REQUIRE(host[1] == 3);
    OK(cuStreamDestroy_v2(waiting));
    OK(cuMemFreeHost((void *)host));
}

static void refusals(CUdeviceptr words)
{
    REQUIRE(cuStreamWaitValue32_v2(NULL, words + 1, 0, 0) == CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuStreamWaitValue64_v2(NULL, words + 4, 0, 0) == CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuStreamWaitValue32_v2(NULL, 0, 0, 0) == CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuStreamWaitValue32_v2(NULL, words, 0, 9) == CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuStreamWaitValue32_v2(NULL, words, 0, CU_STREAM_WAIT_VALUE_FLUSH) == CUDA_ERROR_NOT_SUPPORTED);
    REQUIRE(cuStreamWriteValue32_v2(NULL, words, 0, 2) == CUDA_ERROR_INVALID_VALUE);
    REQUIRE(cuStreamWriteValue32_v2((CUstream)0x1234, words, 0, 0) == CUDA_ERROR_INVALID_HANDLE);
}

int main(void)
{
    CUdeviceptr words;
    int value;
    begin();
    OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS, 0));
    REQUIRE(value == 1);
    OK(cuMemAlloc_v2(&words, 64));
    waits(words);
    batch(words);
    host_words();
    refusals(words);
    OK(cuMemFree_v2(words));
    puts("PASS");
    return 0;
}
