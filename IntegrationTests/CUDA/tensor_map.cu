// Boxes of a matrix by a tensor map, as programs for compute capability 9.0 load and store them: the map comes from the
// driver's function and is a parameter of the kernel.
#include "check.cuh"

#include <cuda.h>
#include <cstdint>

constexpr int WIDTH = 100, HEIGHT = 40, COLUMNS = 32, ROWS = 8;

__device__ static uint32_t shared_address(const void *pointer)
{
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// Each block doubles one box in shared memory.
__global__ void twice(const __grid_constant__ CUtensorMap map, float *sum)
{
    __shared__ alignas(128) float box[ROWS][COLUMNS];
    __shared__ alignas(8) uint64_t arrived;
    const int x = blockIdx.x * COLUMNS, y = blockIdx.y * ROWS;
    const uint32_t bar = shared_address(&arrived), place = shared_address(box);
    if (threadIdx.x == 0) {
        const unsigned count = blockDim.x;
        asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(bar), "r"(count) : "memory");
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    }
    __syncthreads();
    uint64_t token;
    if (threadIdx.x == 0) {
        asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
        asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
                     "[%0], [%1, {%2, %3}], [%4];" ::"r"(place),
                     "l"(&map), "r"(x), "r"(y), "r"(bar)
                     : "memory");
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 %0, [%1], %2;"
                     : "=l"(token)
                     : "r"(bar), "r"(static_cast<unsigned>(sizeof box))
                     : "memory");
    } else {
        asm volatile("mbarrier.arrive.shared::cta.b64 %0, [%1];" : "=l"(token) : "r"(bar) : "memory");
    }
    int isOver = 0;
    while (!isOver)
        asm volatile("{ .reg .pred p; mbarrier.try_wait.shared::cta.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
                     : "=r"(isOver)
                     : "r"(bar), "l"(token)
                     : "memory");
    float own = 0;
    for (int i = threadIdx.x; i < ROWS * COLUMNS; i += blockDim.x) {
        float *const element = &box[i / COLUMNS][i % COLUMNS];
        own += *element;
        *element *= 2;
    }
    atomicAdd(sum, own);
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    if (threadIdx.x == 0) {
        asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&map),
                     "r"(x), "r"(y), "r"(place)
                     : "memory");
        asm volatile("cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0;" ::: "memory");
    }
}

using Encode = decltype(&cuTensorMapEncodeTiled);

static Encode driver_function()
{
    void *function = nullptr;
    cudaDriverEntryPointQueryResult found;
#if CUDART_VERSION >= 12050
    OK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found));
#else
    OK(cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &function, cudaEnableDefault, &found));
#endif
    REQUIRE(found == cudaDriverEntryPointSuccess);
    return reinterpret_cast<Encode>(function);
}

int main()
{
    static float matrix[HEIGHT][WIDTH];
    double expected = 0;
    for (int i = 0; i < HEIGHT * WIDTH; i++) expected += matrix[i / WIDTH][i % WIDTH] = static_cast<float>(i % 64);
    float *const device = device_array<float>(HEIGHT * WIDTH), *const sum = device_array<float>(1);
    OK(cudaMemcpy(device, matrix, sizeof matrix, cudaMemcpyHostToDevice));
    OK(cudaMemset(sum, 0, sizeof(float)));

    CUtensorMap map;
    const cuuint64_t sizes[2] = {WIDTH, HEIGHT}, strides[1] = {WIDTH * sizeof(float)};
    const cuuint32_t box[2] = {COLUMNS, ROWS}, steps[2] = {1, 1};
    EXPECT(driver_function()(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2, device, sizes, strides, box, steps,
                             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
           CUDA_SUCCESS);
    // The last boxes reach beyond the matrix.
    const dim3 grid((WIDTH + COLUMNS - 1) / COLUMNS, (HEIGHT + ROWS - 1) / ROWS);
    twice<<<grid, 64>>>(map, sum);
    OK(cudaGetLastError());
    static float doubled[HEIGHT][WIDTH];
    float total = 0;
    OK(cudaMemcpy(doubled, device, sizeof doubled, cudaMemcpyDeviceToHost));
    OK(cudaMemcpy(&total, sum, sizeof total, cudaMemcpyDeviceToHost));
    REQUIRE(total == static_cast<float>(expected));
    for (int i = 0; i < HEIGHT * WIDTH; i++) REQUIRE(doubled[i / WIDTH][i % WIDTH] == 2 * matrix[i / WIDTH][i % WIDTH]);
    return pass();
}
