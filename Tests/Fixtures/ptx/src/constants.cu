__constant__ float coefficients[8] = {1, 2, 3, 4, 0.5f, -0.25f, 1e-5f, 100};
__constant__ int table[2][3] = {{1, 2, 3}, {4, 5}};
__device__ double globalValue = 3.5;
__device__ int counter;
__device__ const char message[] = "hello";
__device__ int values[4] = {1, -2, 3, -4};
__device__ int* pointer = values + 2;

extern "C" __global__ void useConstants(const float* x, float* y, int row) {
    float sum = 0;
    for (int i = 0; i < 8; i++) sum += coefficients[i] * x[i];
    y[threadIdx.x] = sum + table[row][threadIdx.x % 3] + (float)globalValue + *pointer + message[threadIdx.x % 5];
    atomicAdd(&counter, 1);
}
