// Shared memory whose size the launch says, and more of it than is granted without asking.
#include "check.cuh"

extern __shared__ int shared[];

__global__ void reverse(const int *from, int *to, int count)
{
    for (int i = threadIdx.x; i < count; i += blockDim.x) shared[i] = from[i];
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += blockDim.x) to[i] = shared[count - 1 - i];
}

static void run(int count)
{
    int *const host = new int[count], *const back = new int[count];
    for (int i = 0; i < count; i++) host[i] = i * 3;
    int *const from = device_array<int>(count), *const to = device_array<int>(count);
    OK(cudaMemcpy(from, host, count * sizeof(int), cudaMemcpyHostToDevice));
    reverse<<<1, 128, count * sizeof(int)>>>(from, to, count);
    OK(cudaGetLastError());
    OK(cudaMemcpy(back, to, count * sizeof(int), cudaMemcpyDeviceToHost));
    for (int i = 0; i < count; i++) REQUIRE(back[i] == host[count - 1 - i]);
    OK(cudaFree(from));
    OK(cudaFree(to));
    delete[] host;
    delete[] back;
}

int main()
{
    int optin = 0, usual = 0;
    OK(cudaDeviceGetAttribute(&optin, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
    OK(cudaDeviceGetAttribute(&usual, cudaDevAttrMaxSharedMemoryPerBlock, 0));
    REQUIRE(usual >= 48 << 10 && optin >= usual);
    run(usual / sizeof(int));
    if (optin > usual) {
        int value = 0;
        int *const pointer = device_array<int>(1);
        reverse<<<1, 32, optin>>>(pointer, pointer, 0);
        EXPECT(cudaGetLastError(), cudaErrorInvalidValue);
        OK(cudaFuncSetAttribute(reverse, cudaFuncAttributeMaxDynamicSharedMemorySize, optin));
        cudaFuncAttributes attributes;
        OK(cudaFuncGetAttributes(&attributes, reverse));
        value = attributes.maxDynamicSharedSizeBytes;
        REQUIRE(value == optin);
        run(optin / sizeof(int));
        OK(cudaFree(pointer));
    }
    EXPECT(cudaFuncSetAttribute(reverse, cudaFuncAttributeMaxDynamicSharedMemorySize, optin + 4),
           cudaErrorInvalidValue);
    (void)cudaGetLastError();
    return pass();
}
