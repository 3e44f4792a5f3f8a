// Many threads of the host on one device: shared memory of the device, streams of their own, handover by events.
#include "check.cuh"

#include <thread>
#include <vector>

__global__ void advance(int *values, int step)
{
    for (int i = threadIdx.x; i < 256; i += blockDim.x) values[i] += step;
}

static int *shared_values;
static cudaEvent_t handed[9];

static void chain(int index)
{
    cudaStream_t stream;
    OK(cudaSetDevice(0));
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    OK(cudaStreamWaitEvent(stream, handed[index], 0));
    advance<<<1, 64, 0, stream>>>(shared_values, index + 1);
    OK(cudaEventRecord(handed[index + 1], stream));
    OK(cudaStreamDestroy(stream));
}

static void alone(int index)
{
    int host[256], *const values = device_array<int>(256);
    cudaStream_t stream;
    OK(cudaStreamCreate(&stream));
    OK(cudaMemsetAsync(values, 0, sizeof host, stream));
    for (int round = 0; round < 50; round++) advance<<<1, 64, 0, stream>>>(values, index);
    OK(cudaMemcpyAsync(host, values, sizeof host, cudaMemcpyDeviceToHost, stream));
    OK(cudaStreamSynchronize(stream));
    for (int i = 0; i < 256; i++) REQUIRE(host[i] == 50 * index);
    // An error belongs to the thread that made it.
    if (index % 2) {
        EXPECT(cudaSetDevice(77), cudaErrorInvalidDevice);
        EXPECT(cudaGetLastError(), cudaErrorInvalidDevice);
    }
    OK(cudaGetLastError());
    OK(cudaFree(values));
}

int main()
{
    shared_values = device_array<int>(256);
    OK(cudaMemset(shared_values, 0, 256 * sizeof(int)));
    for (cudaEvent_t &event : handed) OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    OK(cudaEventRecord(handed[0], 0));
    for (int index = 0; index < 8; index++) {
        std::thread thread(chain, index);
        thread.join();
    }
    std::vector<std::thread> threads;
    for (int index = 0; index < 8; index++) threads.emplace_back(alone, index);
    for (std::thread &thread : threads) thread.join();
    OK(cudaEventSynchronize(handed[8]));
    int host[256];
    OK(cudaMemcpy(host, shared_values, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 256; i++) REQUIRE(host[i] == 36);
    return pass();
}
