// printf in kernels, which appears at the next call that waits, in the order of the launches.
#include "check.cuh"

__global__ void speak(int round, double value, const char *word)
{
    printf("round %d thread %u value %.3f %s %c%%\n", round, threadIdx.x, value, word, 'a' + threadIdx.x);
}

__device__ char text[8] = "deep";

int main()
{
    size_t size = 0;
    OK(cudaDeviceGetLimit(&size, cudaLimitPrintfFifoSize));
    REQUIRE(size >= 1 << 16);
    char *word = nullptr;
    OK(cudaGetSymbolAddress(reinterpret_cast<void **>(&word), text));
    for (int round = 0; round < 3; round++) speak<<<1, 2>>>(round, round / 3.0, word);
    OK(cudaDeviceSynchronize());
    fflush(stdout);
    return pass();
}
