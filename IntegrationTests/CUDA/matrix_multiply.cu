// Multiplies matrices with tiles in shared memory; sizes that are no multiple of the tile.
#include "check.cuh"

#include <vector>

constexpr int TILE = 16;

__global__ void multiply(const float *a, const float *b, float *c, int rows, int inner, int columns)
{
    __shared__ float tile_a[TILE][TILE], tile_b[TILE][TILE + 1];
    const int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
    float sum = 0;
    for (int start = 0; start < inner; start += TILE) {
        const int k = start + threadIdx.x, l = start + threadIdx.y;
        tile_a[threadIdx.y][threadIdx.x] = row < rows && k < inner ? a[row * inner + k] : 0;
        tile_b[threadIdx.y][threadIdx.x] = l < inner && column < columns ? b[l * columns + column] : 0;
        __syncthreads();
        for (int i = 0; i < TILE; i++) sum += tile_a[threadIdx.y][i] * tile_b[i][threadIdx.x];
        __syncthreads();
    }
    if (row < rows && column < columns) c[row * columns + column] = sum;
}

int main()
{
    const int rows = 45, inner = 70, columns = 33;
    std::vector<float> a(rows * inner), b(inner * columns), c(rows * columns);
    for (size_t i = 0; i < a.size(); i++) a[i] = static_cast<float>(static_cast<int>(i % 13) - 6);
    for (size_t i = 0; i < b.size(); i++) b[i] = static_cast<float>(static_cast<int>(i % 7) - 3);
    float *const da = device_array<float>(a.size()), *const db = device_array<float>(b.size());
    float *const dc = device_array<float>(c.size());
    OK(cudaMemcpy(da, a.data(), a.size() * sizeof(float), cudaMemcpyHostToDevice));
    OK(cudaMemcpy(db, b.data(), b.size() * sizeof(float), cudaMemcpyHostToDevice));
    const dim3 block(TILE, TILE), grid((columns + TILE - 1) / TILE, (rows + TILE - 1) / TILE);
    multiply<<<grid, block>>>(da, db, dc, rows, inner, columns);
    OK(cudaGetLastError());
    OK(cudaMemcpy(c.data(), dc, c.size() * sizeof(float), cudaMemcpyDeviceToHost));
    // Small integers: sums are exact in any order.
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            float expected = 0;
            for (int k = 0; k < inner; k++) expected += a[row * inner + k] * b[k * columns + column];
            REQUIRE(c[row * columns + column] == expected);
        }
    }
    return pass();
}
