// Kernels as templates, lambdas of the device, and structures as arguments.
#include "check.cuh"

template <typename T, int FACTOR>
struct Scale {
    T shift;
    __host__ __device__ T operator()(T value) const { return value * FACTOR + shift; }
};

template <typename T, typename Function>
__global__ void transform(T *values, int count, Function function)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) values[i] = function(values[i]);
}

struct Large {
    double words[100];
    char letter;
    short number;
};

__global__ void pick(Large large, int index, double *out)
{
    *out = large.words[index] + large.letter + large.number;
}

template <typename T, typename Function>
static void run(Function function)
{
    const int count = 77;
    T host[count], expected[count];
    for (int i = 0; i < count; i++) {
        host[i] = static_cast<T>(i) / 2;
        expected[i] = function(host[i]);
    }
    T *const values = device_array<T>(count);
    OK(cudaMemcpy(values, host, sizeof host, cudaMemcpyHostToDevice));
    transform<<<3, 32>>>(values, count, function);
    OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < count; i++) REQUIRE(host[i] == expected[i]);
    OK(cudaFree(values));
}

int main()
{
    run<int>(Scale<int, 3>{4});
    run<double>(Scale<double, -2>{0.25});
    run<unsigned long long>(Scale<unsigned long long, 7>{1ull << 40});
    const short captured = 12;
    run<int>([captured] __host__ __device__(int value) { return value * captured; });
    run<float>([=] __host__ __device__(float value) { return value + captured; });

    Large large = {};
    large.words[42] = 0.5;
    large.letter = 'A';
    large.number = 1000;
    double *const out = device_array<double>(1);
    double host = 0;
    pick<<<1, 1>>>(large, 42, out);
    OK(cudaMemcpy(&host, out, sizeof host, cudaMemcpyDeviceToHost));
    REQUIRE(host == 1065.5);
    return pass();
}
