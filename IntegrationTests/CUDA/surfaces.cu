// Surfaces: kernels that write and read an array.
#include "check.cuh"

__global__ void write(cudaSurfaceObject_t surface)
{
    const int x = threadIdx.x, y = blockIdx.x;
    surf2Dwrite(y * 100 + x, surface, x * sizeof(int), y);
}

__global__ void flip(cudaSurfaceObject_t surface, int *out)
{
    const int x = threadIdx.x, y = blockIdx.x;
    int value = 0;
    surf2Dread(&value, surface, (blockDim.x - 1 - x) * sizeof(int), y);
    out[y * blockDim.x + x] = value;
}

int main()
{
    const int width = 16, height = 5;
    cudaArray_t array;
    const cudaChannelFormatDesc format = cudaCreateChannelDesc<int>();
    OK(cudaMallocArray(&array, &format, width, height, cudaArraySurfaceLoadStore));
    cudaResourceDesc resource = {};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = array;
    cudaSurfaceObject_t surface = 0;
    OK(cudaCreateSurfaceObject(&surface, &resource));
    write<<<height, width>>>(surface);
    int *const out = device_array<int>(width * height), host[height][width];
    flip<<<height, width>>>(surface, out);
    OK(cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost));
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) REQUIRE(host[y][x] == y * 100 + width - 1 - x);
    }
    OK(cudaMemcpy2DFromArray(host, sizeof host[0], array, 0, 0, sizeof host[0], height, cudaMemcpyDeviceToHost));
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) REQUIRE(host[y][x] == y * 100 + x);
    }
    OK(cudaDestroySurfaceObject(surface));
    OK(cudaFreeArray(array));
    return pass();
}
