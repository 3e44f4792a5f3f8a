// Textures over linear memory and arrays: fetches, filtering, and addresses beyond the edge.
#include "check.cuh"

#include <cmath>

__global__ void fetch(cudaTextureObject_t texture, float *out) { out[threadIdx.x] = tex1Dfetch<float>(texture, threadIdx.x); }

__global__ void sample(cudaTextureObject_t texture, float *out, float x, float y)
{
    if (threadIdx.x == 0) *out = tex2D<float>(texture, x, y);
}

int main()
{
    float host[64];
    for (int i = 0; i < 64; i++) host[i] = static_cast<float>(i);
    float *const linear = device_array<float>(64), *const out = device_array<float>(64);
    OK(cudaMemcpy(linear, host, sizeof host, cudaMemcpyHostToDevice));
    cudaResourceDesc resource = {};
    resource.resType = cudaResourceTypeLinear;
    resource.res.linear.devPtr = linear;
    resource.res.linear.desc = cudaCreateChannelDesc<float>();
    resource.res.linear.sizeInBytes = sizeof host;
    cudaTextureDesc description = {};
    description.readMode = cudaReadModeElementType;
    cudaTextureObject_t texture = 0;
    OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
    fetch<<<1, 64>>>(texture, out);
    float back[64];
    OK(cudaMemcpy(back, out, sizeof back, cudaMemcpyDeviceToHost));
    REQUIRE(memcmp(back, host, sizeof host) == 0);
    OK(cudaDestroyTextureObject(texture));

    cudaArray_t array;
    const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
    OK(cudaMallocArray(&array, &format, 8, 8));
    OK(cudaMemcpy2DToArray(array, 0, 0, host, 8 * sizeof(float), 8 * sizeof(float), 8, cudaMemcpyHostToDevice));
    resource = {};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = array;
    description.filterMode = cudaFilterModeLinear;
    description.addressMode[0] = description.addressMode[1] = cudaAddressModeClamp;
    OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
    const float points[4][3] = {{0.5f, 0.5f, 0}, {1.0f, 0.5f, 0.5f}, {3.5f, 4.0f, 31}, {100, 0.5f, 7}};
    for (const auto &point : points) {
        sample<<<1, 32>>>(texture, out, point[0], point[1]);
        OK(cudaMemcpy(back, out, sizeof(float), cudaMemcpyDeviceToHost));
        REQUIRE(std::fabs(back[0] - point[2]) < 0.05f);
    }
    OK(cudaDestroyTextureObject(texture));
    OK(cudaFreeArray(array));
    return pass();
}
