extern "C" __global__ void sampleTexture(cudaTextureObject_t texture, cudaSurfaceObject_t surface, float* output) {
    float2 at = make_float2(threadIdx.x * 0.5f, threadIdx.y * 0.5f);
    float4 v = tex2D<float4>(texture, at.x, at.y);
    float w = tex1Dfetch<float>(texture, (int)threadIdx.x);
    output[threadIdx.x] = v.x + v.w + w;
    surf2Dwrite(v, surface, threadIdx.x * 16, threadIdx.y);
}
