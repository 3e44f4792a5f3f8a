// Adds two vectors, with a launch that has more threads than elements, and checks the versions that both sides report.
#include "check.cuh"

#include <vector>

__global__ void add(const float *a, const float *b, float *sum, int count)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) sum[i] = a[i] + b[i];
}

int main()
{
    int runtime = 0, driver = 0, devices = 0;
    OK(cudaRuntimeGetVersion(&runtime));
    OK(cudaDriverGetVersion(&driver));
    REQUIRE(runtime / 1000 == CUDART_VERSION / 1000);
    if (const char *const expected = getenv("VECTOR_ADD_DRIVER")) REQUIRE(driver == atoi(expected));
    OK(cudaGetDeviceCount(&devices));
    REQUIRE(devices == 1);

    const int count = 50000;
    std::vector<float> a(count), b(count), sum(count);
    for (int i = 0; i < count; i++) {
        a[i] = 0.5f * i;
        b[i] = 3.0f - i;
    }
    float *const da = device_array<float>(count), *const db = device_array<float>(count);
    float *const dsum = device_array<float>(count);
    OK(cudaMemcpy(da, a.data(), count * sizeof(float), cudaMemcpyHostToDevice));
    OK(cudaMemcpy(db, b.data(), count * sizeof(float), cudaMemcpyHostToDevice));
    add<<<(count + 255) / 256, 256>>>(da, db, dsum, count);
    OK(cudaGetLastError());
    OK(cudaMemcpy(sum.data(), dsum, count * sizeof(float), cudaMemcpyDeviceToHost));
    for (int i = 0; i < count; i++) REQUIRE(sum[i] == a[i] + b[i]);

    // More threads in a block than there may be: an error of the launch, which is not sticky.
    // The runtimes before 13 say what is wrong with it; that of 13 passes on what the driver says.
    add<<<1, 2048>>>(da, db, dsum, count);
    const cudaError_t refusal = cudaGetLastError();
    REQUIRE(refusal == cudaErrorInvalidConfiguration || (CUDART_VERSION >= 13000 && refusal == cudaErrorInvalidValue));
    OK(cudaGetLastError());
    OK(cudaDeviceSynchronize());
    OK(cudaFree(da));
    OK(cudaFree(db));
    OK(cudaFree(dsum));
    OK(cudaFree(nullptr));
    return pass();
}
