// Built with --default-stream per-thread: the stream 0 of each thread is its own.
#include "check.cuh"

#include <thread>
#include <vector>

__global__ void step(int *values, int term) { values[threadIdx.x] = values[threadIdx.x] * 2 + term; }

static void work(int term)
{
    OK(cudaSetDevice(0));
    int host[32];
    for (int i = 0; i < 32; i++) host[i] = i;
    int *const values = device_array<int>(32);
    OK(cudaMemcpyAsync(values, host, sizeof host, cudaMemcpyHostToDevice, 0));
    for (int round = 0; round < 10; round++) step<<<1, 32>>>(values, term);
    OK(cudaMemcpyAsync(host, values, sizeof host, cudaMemcpyDeviceToHost, 0));
    OK(cudaStreamSynchronize(0));
    for (int i = 0; i < 32; i++) {
        int expected = i;
        for (int round = 0; round < 10; round++) expected = expected * 2 + term;
        REQUIRE(host[i] == expected);
    }
    OK(cudaStreamSynchronize(cudaStreamPerThread));
    OK(cudaStreamQuery(cudaStreamLegacy));
    OK(cudaFree(values));
}

int main()
{
#ifndef CUDA_API_PER_THREAD_DEFAULT_STREAM
#error "built without --default-stream per-thread"
#endif
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) threads.emplace_back(work, i);
    for (std::thread &thread : threads) thread.join();
    work(99);
    return pass();
}
