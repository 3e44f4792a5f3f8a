// Functions of the host in the order of a stream, and the older callbacks.
#include "check.cuh"

#include <atomic>

struct Log {
    std::atomic<int> count{0};
    int order[8];
    const int *values;
    int seen[4];
    cudaError_t status = cudaErrorUnknown;
};

__global__ void fill(int *values, int value) { values[threadIdx.x] = value; }

static void CUDART_CB note(void *data)
{
    Log *const log = static_cast<Log *>(data);
    const int index = log->count;
    log->seen[index] = log->values[3];
    log->order[index] = index;
    log->count = index + 1;
}

static void CUDART_CB callback(cudaStream_t, cudaError_t status, void *data)
{
    Log *const log = static_cast<Log *>(data);
    log->status = status;
    log->count = log->count + 10;
}

int main()
{
    cudaStream_t stream;
    OK(cudaStreamCreate(&stream));
    int *pinned = nullptr;
    OK(cudaMallocHost(reinterpret_cast<void **>(&pinned), 4 * sizeof(int)));
    int *const values = device_array<int>(4);
    Log log;
    log.values = pinned;
    for (int round = 0; round < 4; round++) {
        fill<<<1, 4, 0, stream>>>(values, round * 11);
        OK(cudaMemcpyAsync(pinned, values, 4 * sizeof(int), cudaMemcpyDeviceToHost, stream));
        OK(cudaLaunchHostFunc(stream, note, &log));
    }
    OK(cudaStreamSynchronize(stream));
    REQUIRE(log.count == 4);
    for (int i = 0; i < 4; i++) REQUIRE(log.order[i] == i && log.seen[i] == i * 11);
    OK(cudaStreamAddCallback(stream, callback, &log, 0));
    OK(cudaStreamSynchronize(stream));
    REQUIRE(log.count == 14 && log.status == cudaSuccess);
    OK(cudaStreamDestroy(stream));
    return pass();
}
