// Pitched memory in two and three dimensions, and parts of it.
#include "check.cuh"

#include <vector>

__global__ void negate(char *base, size_t pitch, int width, int height)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x < width && y < height) {
        float *const row = reinterpret_cast<float *>(base + y * pitch);
        row[x] = -row[x];
    }
}

int main()
{
    const int width = 75, height = 20, depth = 6;
    std::vector<float> host(width * height), back(width * height, 7.0f);
    for (int i = 0; i < width * height; i++) host[i] = i + 1.0f;
    char *device = nullptr;
    size_t pitch = 0;
    OK(cudaMallocPitch(reinterpret_cast<void **>(&device), &pitch, width * sizeof(float), height));
    REQUIRE(pitch >= width * sizeof(float) && pitch % 32 == 0);
    OK(cudaMemset2D(device, pitch, 0, width * sizeof(float), height));
    OK(cudaMemcpy2D(device, pitch, host.data(), width * sizeof(float), width * sizeof(float), height,
                    cudaMemcpyHostToDevice));
    negate<<<dim3((width + 31) / 32, height), 32>>>(device, pitch, width, height);
    // The middle of the image, in the middle of another.
    OK(cudaMemcpy2D(back.data() + 2 * width + 3, width * sizeof(float), device + 5 * pitch + 10 * sizeof(float), pitch,
                    40 * sizeof(float), 9, cudaMemcpyDeviceToHost));
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const bool inside = x >= 3 && x < 43 && y >= 2 && y < 11;
            const float expected = inside ? -host[(y + 3) * width + x + 7] : 7.0f;
            REQUIRE(back[y * width + x] == expected);
        }
    }

    const cudaExtent extent = make_cudaExtent(width * sizeof(float), height, depth);
    cudaPitchedPtr volume;
    OK(cudaMalloc3D(&volume, extent));
    OK(cudaMemset3D(volume, 0, extent));
    std::vector<float> block(width * height * depth), result(width * height * depth);
    for (size_t i = 0; i < block.size(); i++) block[i] = i * 0.5f;
    cudaMemcpy3DParms parameters = {};
    parameters.srcPtr = make_cudaPitchedPtr(block.data(), width * sizeof(float), width, height);
    parameters.dstPtr = volume;
    parameters.extent = extent;
    parameters.kind = cudaMemcpyHostToDevice;
    OK(cudaMemcpy3D(&parameters));
    parameters.srcPtr = volume;
    parameters.srcPos = make_cudaPos(0, 0, 1);
    parameters.dstPtr = make_cudaPitchedPtr(result.data(), width * sizeof(float), width, height);
    parameters.dstPos = make_cudaPos(0, 0, 0);
    parameters.extent = make_cudaExtent(width * sizeof(float), height, depth - 1);
    parameters.kind = cudaMemcpyDeviceToHost;
    OK(cudaMemcpy3DAsync(&parameters));
    OK(cudaDeviceSynchronize());
    for (int i = 0; i < width * height * (depth - 1); i++) REQUIRE(result[i] == block[i + width * height]);
    OK(cudaFree(device));
    OK(cudaFree(volume.ptr));
    return pass();
}
