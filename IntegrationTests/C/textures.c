// Kernels read textures, read and write surfaces, through objects and through references.
#include "check.h"
#include <math.h>

static const char *image =
    ".version 7.0\n.target sm_75\n.address_size 64\n"
    ".global .texref plane_reference;\n.global .surfref surface_reference;\n"
    ".visible .entry sample(.param .u64 out, .param .u64 texture, .param .f32 x, .param .f32 y)\n{\n"
    ".reg .f32 %f<8>; .reg .b64 %rd<4>; .reg .b32 %r<4>;\n"
    "ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [texture]; ld.param.f32 %f1, [x]; ld.param.f32 %f2, [y];\n"
    "tex.2d.v4.f32.f32 {%f3, %f4, %f5, %f6}, [%rd2, {%f1, %f2}];\n"
    "st.global.v4.f32 [%rd1], {%f3, %f4, %f5, %f6}; ret;\n}\n"
    ".visible .entry fetch(.param .u64 out, .param .u64 texture)\n{\n"
    ".reg .b64 %rd<4>; .reg .b32 %r<8>;\n"
    "ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [texture]; mov.u32 %r1, %tid.x;\n"
    "tex.1d.v4.u32.s32 {%r2, %r3, %r4, %r5}, [%rd2, {%r1}];\n"
    "mul.wide.u32 %rd3, %r1, 4; add.s64 %rd1, %rd1, %rd3; st.global.u32 [%rd1], %r2; ret;\n}\n"
    ".visible .entry twice(.param .u64 surface)\n{\n"
    ".reg .b64 %rd<4>; .reg .b32 %r<8>;\n"
    "ld.param.u64 %rd1, [surface]; mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; shl.b32 %r3, %r1, 2;\n"
    "suld.b.2d.b32.trap %r4, [%rd1, {%r3, %r2}]; add.u32 %r4, %r4, %r4;\n"
    "sust.b.2d.b32.trap [%rd1, {%r3, %r2}], %r4; ret;\n}\n"
    ".visible .entry by_reference(.param .u64 out, .param .f32 x, .param .f32 y)\n{\n"
    ".reg .f32 %f<8>; .reg .b64 %rd<4>; .reg .b32 %r<4>;\n"
    "ld.param.u64 %rd1, [out]; ld.param.f32 %f1, [x]; ld.param.f32 %f2, [y];\n"
    "tex.2d.v4.f32.f32 {%f3, %f4, %f5, %f6}, [plane_reference, {%f1, %f2}];\n"
    "st.global.v4.f32 [%rd1], {%f3, %f4, %f5, %f6};\n"
    "mov.u32 %r1, 4; mov.u32 %r2, 1; mov.u32 %r3, 77; sust.b.2d.b32.zero [surface_reference, {%r1, %r2}], %r3; ret;\n}\n";

static CUmodule module;
static CUdeviceptr out;

static CUfunction kernel(const char *name)
{
    CUfunction function;
    OK(cuModuleGetFunction(&function, module, name));
    return function;
}

static void sampled(CUtexObject texture, float x, float y, float expected)
{
    float answer[4];
    void *arguments[] = {&out, &texture, &x, &y};
    OK(launch(kernel("sample"), 1, 1, arguments));
    OK(cuMemcpyDtoH_v2(answer, out, sizeof answer));
    if (fabsf(answer[0] - expected) > 1e-5f) {
        fprintf(stderr, "at %g, %g: %g, not %g\n", x, y, answer[0], expected);
        exit(1);
    }
}

static CUarray plane(CUarray_format format, const void *texels, size_t width, size_t height, size_t size, unsigned flags)
{
    CUDA_ARRAY3D_DESCRIPTOR wanted = {width, height, 0, format, 1, flags};
    CUDA_MEMCPY2D copy;
    CUarray array;
    OK(cuArray3DCreate_v2(&array, &wanted));
    memset(&copy, 0, sizeof copy);
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = texels;
    copy.srcPitch = copy.WidthInBytes = width * size;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.Height = height;
    OK(cuMemcpy2D_v2(&copy));
    return array;
}

static CUDA_RESOURCE_DESC of(CUarray array)
{
    CUDA_RESOURCE_DESC resource;
    memset(&resource, 0, sizeof resource);
    resource.resType = CU_RESOURCE_TYPE_ARRAY;
    resource.res.array.hArray = array;
    return resource;
}

static void objects(void)
{
    float texels[4][4], color[4] = {0};
    CUDA_TEXTURE_DESC reading, same;
    CUDA_RESOURCE_DESC resource, seen;
    CUDA_RESOURCE_VIEW_DESC view;
    CUtexObject texture;
    for (int i = 0; i < 16; i++) texels[i / 4][i % 4] = (float)i;
    CUarray array = plane(CU_AD_FORMAT_FLOAT, texels, 4, 4, 4, 0);
    resource = of(array);
    memset(&reading, 0, sizeof reading);
    reading.addressMode[0] = reading.addressMode[1] = CU_TR_ADDRESS_MODE_CLAMP;
    OK(cuTexObjectCreate(&texture, &resource, &reading, NULL));
    sampled(texture, 1.5f, 2.9f, 9);
    sampled(texture, -3, 100, 12);
    OK(cuTexObjectGetResourceDesc(&seen, texture));
    REQUIRE(seen.res.array.hArray == array);
    OK(cuTexObjectGetTextureDesc(&same, texture));
    REQUIRE(same.addressMode[0] == CU_TR_ADDRESS_MODE_CLAMP);
    EXPECT(cuTexObjectGetResourceViewDesc(&view, texture), CUDA_ERROR_INVALID_VALUE);
    OK(cuTexObjectDestroy(texture));
    EXPECT(cuTexObjectDestroy(texture), CUDA_ERROR_INVALID_VALUE);

    reading.filterMode = CU_TR_FILTER_MODE_LINEAR;
    OK(cuTexObjectCreate(&texture, &resource, &reading, NULL));
    sampled(texture, 2, 1, 3.5f);
    sampled(texture, 1.75f, 0.5f, 1.25f);
    OK(cuTexObjectDestroy(texture));

    reading.flags = CU_TRSF_NORMALIZED_COORDINATES;
    reading.filterMode = CU_TR_FILTER_MODE_POINT;
    reading.addressMode[0] = CU_TR_ADDRESS_MODE_WRAP;
    reading.addressMode[1] = CU_TR_ADDRESS_MODE_MIRROR;
    OK(cuTexObjectCreate(&texture, &resource, &reading, NULL));
    sampled(texture, 1.3f, 0.1f, 1);
    sampled(texture, -0.1f, 0.1f, 3);
    sampled(texture, 0.1f, 1.1f, 12);
    sampled(texture, 0.1f, -0.3f, 4);
    OK(cuTexObjectDestroy(texture));

    reading.addressMode[0] = reading.addressMode[1] = CU_TR_ADDRESS_MODE_BORDER;
    reading.borderColor[0] = 42;
    OK(cuTexObjectCreate(&texture, &resource, &reading, NULL));
    sampled(texture, 1.1f, 0.1f, 42);
    sampled(texture, 0.9f, 0.9f, 15);
    OK(cuTexObjectDestroy(texture));
    OK(cuArrayDestroy(array));
    (void)color;

    // Bytes read as numbers from 0 to 1.
    unsigned char bytes[2] = {51, 255};
    array = plane(CU_AD_FORMAT_UNSIGNED_INT8, bytes, 2, 1, 1, 0);
    resource = of(array);
    memset(&reading, 0, sizeof reading);
    OK(cuTexObjectCreate(&texture, &resource, &reading, NULL));
    sampled(texture, 0.5f, 0, 0.2f);
    sampled(texture, 1.5f, 0, 1);
    OK(cuTexObjectDestroy(texture));
    reading.filterMode = CU_TR_FILTER_MODE_LINEAR;
    reading.flags = CU_TRSF_READ_AS_INTEGER;
    EXPECT(cuTexObjectCreate(&texture, &resource, &reading, NULL), CUDA_ERROR_INVALID_VALUE);
    OK(cuArrayDestroy(array));
}

static void memory(void)
{
    unsigned values[32], answer[32];
    CUDA_RESOURCE_DESC resource;
    CUDA_TEXTURE_DESC reading;
    CUtexObject texture;
    CUdeviceptr texels, results;
    for (unsigned i = 0; i < 32; i++) values[i] = 1000 + i;
    OK(cuMemAlloc_v2(&texels, 512));
    OK(cuMemAlloc_v2(&results, 512));
    OK(cuMemcpyHtoD_v2(texels, values, sizeof values));
    memset(&resource, 0, sizeof resource);
    memset(&reading, 0, sizeof reading);
    resource.resType = CU_RESOURCE_TYPE_LINEAR;
    resource.res.linear.devPtr = texels;
    resource.res.linear.format = CU_AD_FORMAT_UNSIGNED_INT32;
    resource.res.linear.numChannels = 1;
    resource.res.linear.sizeInBytes = 30 * 4;
    OK(cuTexObjectCreate(&texture, &resource, &reading, NULL));
    void *arguments[] = {&results, &texture};
    OK(launch(kernel("fetch"), 1, 32, arguments));
    OK(cuMemcpyDtoH_v2(answer, results, sizeof answer));
    for (unsigned i = 0; i < 32; i++) REQUIRE(answer[i] == (i < 30 ? values[i] : 0));
    OK(cuTexObjectDestroy(texture));
    OK(cuMemFree_v2(texels));
    OK(cuMemFree_v2(results));
}

static void surfaces(void)
{
    unsigned texels[4][8], answer[4][8];
    CUsurfObject surface;
    CUDA_MEMCPY2D copy;
    for (unsigned i = 0; i < 32; i++) texels[i / 8][i % 8] = i;
    CUarray array = plane(CU_AD_FORMAT_UNSIGNED_INT32, texels, 8, 4, 4, 2);
    CUarray plain = plane(CU_AD_FORMAT_UNSIGNED_INT32, texels, 8, 4, 4, 0);
    CUDA_RESOURCE_DESC resource = of(plain);
    EXPECT(cuSurfObjectCreate(&surface, &resource), CUDA_ERROR_INVALID_VALUE);
    resource = of(array);
    OK(cuSurfObjectCreate(&surface, &resource));
    void *arguments[] = {&surface};
    OK(cuLaunchKernel(kernel("twice"), 1, 1, 1, 8, 4, 1, 0, NULL, arguments, NULL));
    OK(cuSurfObjectDestroy(surface));
    memset(&copy, 0, sizeof copy);
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = array;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = answer;
    copy.dstPitch = copy.WidthInBytes = 32;
    copy.Height = 4;
    OK(cuMemcpy2D_v2(&copy));
    for (unsigned i = 0; i < 32; i++) REQUIRE(answer[i / 8][i % 8] == 2 * i);

    // The same through references.
    CUtexref reference, again;
    CUsurfref surface_reference;
    CUarray bound;
    float numbers[2][2] = {{1, 2}, {3, 4}}, seen[4], x = 1.5f, y = 1.5f;
    CUarray read = plane(CU_AD_FORMAT_FLOAT, numbers, 2, 2, 4, 0);
    OK(cuModuleGetTexRef(&reference, module, "plane_reference"));
    OK(cuModuleGetTexRef(&again, module, "plane_reference"));
    REQUIRE(reference == again);
    EXPECT(cuModuleGetTexRef(&again, module, "surface_reference"), CUDA_ERROR_NOT_FOUND);
    OK(cuModuleGetSurfRef(&surface_reference, module, "surface_reference"));
    OK(cuTexRefSetArray(reference, read, 1));
    OK(cuTexRefGetArray(&bound, reference));
    REQUIRE(bound == read);
    OK(cuSurfRefSetArray(surface_reference, array, 0));
    void *both[] = {&out, &x, &y};
    OK(launch(kernel("by_reference"), 1, 1, both));
    OK(cuMemcpyDtoH_v2(seen, out, sizeof seen));
    REQUIRE(seen[0] == 4);
    OK(cuTexRefSetFilterMode(reference, CU_TR_FILTER_MODE_LINEAR));
    x = y = 1;
    OK(launch(kernel("by_reference"), 1, 1, both));
    OK(cuMemcpyDtoH_v2(seen, out, sizeof seen));
    REQUIRE(seen[0] == 2.5f);
    OK(cuMemcpy2D_v2(&copy));
    REQUIRE(answer[1][1] == 77);
    OK(cuArrayDestroy(read));
    OK(cuArrayDestroy(plain));
    OK(cuArrayDestroy(array));
}

int main(void)
{
    begin();
    OK(cuModuleLoadData(&module, image));
    OK(cuMemAlloc_v2(&out, 16));
    objects();
    memory();
    surfaces();
    // A texture that does not exist.
    CUtexObject nothing = 12345;
    float x = 0;
    void *arguments[] = {&out, &nothing, &x, &x};
    OK(launch(kernel("sample"), 1, 1, arguments));
    EXPECT(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    puts("PASS");
    return 0;
}
