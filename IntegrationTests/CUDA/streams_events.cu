// Streams that wait for each other by events, timing, queries, and priorities.
#include "check.cuh"

__global__ void multiply(int *values, int factor) { values[threadIdx.x] *= factor; }
__global__ void add(int *values, int term) { values[threadIdx.x] += term; }

__global__ void work(float *out, int rounds)
{
    float x = threadIdx.x;
    for (int i = 0; i < rounds; i++) x = x * 0.999f + 1.0f;
    out[threadIdx.x] = x;
}

int main()
{
    int *const values = device_array<int>(64);
    cudaStream_t first, second;
    cudaEvent_t done, begin, end;
    OK(cudaStreamCreate(&first));
    int least = 0, greatest = 0;
    OK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    REQUIRE(greatest <= least);
    OK(cudaStreamCreateWithPriority(&second, cudaStreamNonBlocking, greatest));
    int priority = 1;
    unsigned flags = 0;
    OK(cudaStreamGetPriority(second, &priority));
    REQUIRE(priority == greatest);
    OK(cudaStreamGetFlags(second, &flags));
    REQUIRE(flags == cudaStreamNonBlocking);
    OK(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
    OK(cudaEventCreate(&begin));
    OK(cudaEventCreate(&end));

    int host[64];
    for (int i = 0; i < 64; i++) host[i] = i;
    for (int round = 0; round < 5; round++) {
        OK(cudaMemcpyAsync(values, host, sizeof host, cudaMemcpyHostToDevice, first));
        multiply<<<1, 64, 0, first>>>(values, 3);
        OK(cudaEventRecord(done, first));
        OK(cudaStreamWaitEvent(second, done, 0));
        add<<<1, 64, 0, second>>>(values, 7);
        OK(cudaMemcpyAsync(host, values, sizeof host, cudaMemcpyDeviceToHost, second));
        OK(cudaStreamSynchronize(second));
        for (int i = 0, expected = 0; i < 64; i++) {
            expected = i;
            for (int k = 0; k <= round; k++) expected = expected * 3 + 7;
            REQUIRE(host[i] == expected);
        }
    }
    OK(cudaStreamQuery(second));
    OK(cudaEventQuery(done));

    float *const out = device_array<float>(64);
    OK(cudaEventRecord(begin, first));
    work<<<1, 64, 0, first>>>(out, 2000);
    OK(cudaEventRecord(end, first));
    OK(cudaEventSynchronize(end));
    float milliseconds = -1;
    OK(cudaEventElapsedTime(&milliseconds, begin, end));
    REQUIRE(milliseconds > 0 && milliseconds < 60000);
    EXPECT(cudaEventElapsedTime(&milliseconds, done, end), cudaErrorInvalidResourceHandle);
    (void)cudaGetLastError();
    OK(cudaEventDestroy(done));
    OK(cudaEventDestroy(begin));
    OK(cudaEventDestroy(end));
    OK(cudaStreamDestroy(first));
    OK(cudaStreamDestroy(second));
    return pass();
}
