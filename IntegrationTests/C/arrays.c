// Arrays of all shapes, with copies to and from them, and what they count against the vGPU's memory.
#include "check.h"

static void describe(CUarray array, size_t width, size_t height, size_t depth, unsigned flags)
{
    CUDA_ARRAY3D_DESCRIPTOR whole;
    CUDA_ARRAY_DESCRIPTOR flat;
    OK(cuArray3DGetDescriptor_v2(&whole, array));
    REQUIRE(whole.Width == width && whole.Height == height && whole.Depth == depth && whole.Flags == flags);
    REQUIRE(whole.Format == CU_AD_FORMAT_UNSIGNED_INT32 && whole.NumChannels == 1);
    OK(cuArrayGetDescriptor_v2(&flat, array));
    REQUIRE(flat.Width == width && flat.Height == height);
}

static CUarray make(size_t width, size_t height, size_t depth, unsigned flags)
{
    CUDA_ARRAY3D_DESCRIPTOR wanted = {width, height, depth, CU_AD_FORMAT_UNSIGNED_INT32, 1, flags};
    CUarray array;
    OK(cuArray3DCreate_v2(&array, &wanted));
    describe(array, width, height, depth, flags);
    return array;
}

static void line(void)
{
    CUDA_ARRAY_DESCRIPTOR wanted = {64, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1};
    unsigned in[64], out[64];
    CUarray first, second;
    CUdeviceptr memory;
    for (unsigned i = 0; i < 64; i++) in[i] = i * 3 + 1;
    OK(cuArrayCreate_v2(&first, &wanted));
    OK(cuArrayCreate_v2(&second, &wanted));
    OK(cuMemAlloc_v2(&memory, 256));
    OK(cuMemcpyHtoA_v2(first, 0, in, 256));
    OK(cuMemcpyAtoD_v2(memory, first, 64, 128));
    OK(cuMemcpyDtoA_v2(second, 0, memory, 128));
    OK(cuMemcpyAtoA_v2(second, 128, first, 0, 128));
    OK(cuMemcpyAtoH_v2(out, second, 0, 256));
    for (unsigned i = 0; i < 32; i++) REQUIRE(out[i] == in[16 + i] && out[32 + i] == in[i]);
    OK(cuMemcpyHtoAAsync_v2(first, 128, in, 128, NULL));
    OK(cuMemcpyAtoHAsync_v2(out, first, 0, 256, CU_STREAM_PER_THREAD));
    OK(cuCtxSynchronize());
    OK(cuMemcpyAtoH_v2(out, first, 128, 128));
    REQUIRE(memcmp(out, in, 128) == 0);
    EXPECT(cuMemcpyHtoA_v2(first, 4, in, 256), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyHtoA_v2(first, 1, in, 4), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemcpyHtoA_v2((CUarray)0x10, 0, in, 4), CUDA_ERROR_INVALID_HANDLE);
    OK(cuMemFree_v2(memory));
    OK(cuArrayDestroy(first));
    OK(cuArrayDestroy(second));
    EXPECT(cuArrayDestroy(first), CUDA_ERROR_INVALID_HANDLE);
}

static unsigned volume[4][8][16], back[4][8][16];

static void box(void)
{
    CUarray first = make(16, 8, 4, 2), second = make(16, 8, 4, 1);
    CUdeviceptr memory;
    CUDA_MEMCPY3D copy;
    for (unsigned i = 0; i < 512; i++) (&volume[0][0][0])[i] = i;
    memset(&copy, 0, sizeof copy);
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = volume;
    copy.srcPitch = 64;
    copy.srcHeight = 8;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = first;
    copy.WidthInBytes = 64;
    copy.Height = 8;
    copy.Depth = 4;
    OK(cuMemcpy3D_v2(&copy));
    // The box at (4, 2, 1) goes to the layered array's corner.
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = first;
    copy.srcXInBytes = 16;
    copy.srcY = 2;
    copy.srcZ = 1;
    copy.dstArray = second;
    copy.WidthInBytes = 48;
    copy.Height = 6;
    copy.Depth = 3;
    OK(cuMemcpy3DAsync_v2(&copy, NULL));
    OK(cuMemAlloc_v2(&memory, sizeof back));
    copy.srcArray = second;
    copy.srcXInBytes = copy.srcY = copy.srcZ = 0;
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = memory;
    copy.dstPitch = 64;
    copy.dstHeight = 8;
    OK(cuMemcpy3DAsync_v2(&copy, NULL));
    OK(cuMemcpyDtoH_v2(back, memory, sizeof back));
    for (unsigned z = 0; z < 3; z++)
        for (unsigned y = 0; y < 6; y++)
            for (unsigned x = 0; x < 12; x++) REQUIRE(back[z][y][x] == volume[z + 1][y + 2][x + 4]);
    copy.srcZ = 2;
    EXPECT(cuMemcpy3D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemFree_v2(memory));
    OK(cuArrayDestroy(first));
    OK(cuArrayDestroy(second));
}

static void plane(void)
{
    CUarray array = make(16, 8, 0, 0);
    CUDA_MEMCPY2D copy;
    memset(&copy, 0, sizeof copy);
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = volume;
    copy.srcPitch = 64;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.dstXInBytes = 8;
    copy.dstY = 3;
    copy.WidthInBytes = 32;
    copy.Height = 5;
    OK(cuMemcpy2D_v2(&copy));
    memset(back, 0xFF, sizeof back);
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = array;
    copy.srcXInBytes = 0;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = back;
    copy.dstXInBytes = 0;
    copy.dstY = 0;
    copy.dstPitch = 64;
    copy.WidthInBytes = 64;
    copy.Height = 8;
    OK(cuMemcpy2DUnaligned_v2(&copy));
    for (unsigned y = 0; y < 8; y++)
        for (unsigned x = 0; x < 16; x++)
            REQUIRE(back[0][y][x] == (y < 3 || x < 2 || x >= 10 ? 0 : volume[0][y - 3][x - 2]));
    copy.Height = 9;
    EXPECT(cuMemcpy2D_v2(&copy), CUDA_ERROR_INVALID_VALUE);
    OK(cuArrayDestroy(array));
}

static void levels(void)
{
    CUDA_ARRAY3D_DESCRIPTOR wanted = {32, 16, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1, 0};
    CUmipmappedArray mipmapped;
    CUarray level, again;
    unsigned in[8 * 4], out[8 * 4];
    CUDA_MEMCPY2D copy;
    OK(cuMipmappedArrayCreate(&mipmapped, &wanted, 99));
    OK(cuMipmappedArrayGetLevel(&level, mipmapped, 2));
    OK(cuMipmappedArrayGetLevel(&again, mipmapped, 2));
    REQUIRE(level == again);
    describe(level, 8, 4, 0, 0);
    for (unsigned i = 0; i < 32; i++) in[i] = 7 * i;
    memset(&copy, 0, sizeof copy);
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = in;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = level;
    copy.srcPitch = copy.WidthInBytes = 32;
    copy.Height = 4;
    OK(cuMemcpy2D_v2(&copy));
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = level;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = out;
    copy.dstPitch = 32;
    OK(cuMemcpy2D_v2(&copy));
    REQUIRE(memcmp(in, out, sizeof in) == 0);
    OK(cuMipmappedArrayGetLevel(&again, mipmapped, 5));
    describe(again, 1, 1, 0, 0);
    EXPECT(cuMipmappedArrayGetLevel(&again, mipmapped, 6), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuArrayDestroy(level), CUDA_ERROR_INVALID_HANDLE);
    OK(cuMipmappedArrayDestroy(mipmapped));
    EXPECT(cuArrayGetDescriptor_v2((CUDA_ARRAY_DESCRIPTOR *)in, level), CUDA_ERROR_INVALID_HANDLE);
}

static void refusals(void)
{
    CUDA_ARRAY3D_DESCRIPTOR wanted = {16, 16, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1, 0};
    CUDA_ARRAY_MEMORY_REQUIREMENTS requirements;
    CUDA_ARRAY_SPARSE_PROPERTIES sparse;
    CUarray array, plane;
    EXPECT(cuArray3DCreate_v2(NULL, &wanted), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuArray3DCreate_v2(&array, NULL), CUDA_ERROR_INVALID_VALUE);
    wanted.NumChannels = 3;
    EXPECT(cuArray3DCreate_v2(&array, &wanted), CUDA_ERROR_INVALID_VALUE);
    wanted.NumChannels = 1;
    wanted.Flags = 0x40;
    EXPECT(cuArray3DCreate_v2(&array, &wanted), CUDA_ERROR_NOT_SUPPORTED);
    wanted.Flags = 4;
    EXPECT(cuArray3DCreate_v2(&array, &wanted), CUDA_ERROR_INVALID_VALUE);
    wanted.Depth = 6;
    OK(cuArray3DCreate_v2(&array, &wanted));
    EXPECT(cuArrayGetMemoryRequirements(&requirements, array, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuArrayGetSparseProperties(&sparse, array), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuArrayGetPlane(&plane, array, 0), CUDA_ERROR_INVALID_VALUE);
    OK(cuArrayDestroy(array));
    wanted.Flags = 0;
    wanted.Depth = 0;
    wanted.Format = CU_AD_FORMAT_BC7_UNORM;
    wanted.NumChannels = 4;
    EXPECT(cuArray3DCreate_v2(&array, &wanted), CUDA_ERROR_NOT_SUPPORTED);
    wanted.Width = (size_t)-1;
    wanted.Format = CU_AD_FORMAT_HALF;
    EXPECT(cuArray3DCreate_v2(&array, &wanted), CUDA_ERROR_INVALID_VALUE);
}

static void quota(void)
{
    CUDA_ARRAY3D_DESCRIPTOR wanted = {4096, 4096, 0, CU_AD_FORMAT_FLOAT, 4, 0};
    size_t before, after, total;
    CUarray arrays[64];
    int count = 0;
    CUresult result;
    OK(cuMemGetInfo_v2(&before, &total));
    while (count < 64 && (result = cuArray3DCreate_v2(&arrays[count], &wanted)) == CUDA_SUCCESS) count++;
    if (count < 64) REQUIRE(result == CUDA_ERROR_OUT_OF_MEMORY && count == (int)(before >> 28));
    OK(cuMemGetInfo_v2(&after, &total));
    REQUIRE(before - after == (size_t)count << 28);
    while (count > 0) OK(cuArrayDestroy(arrays[--count]));
    OK(cuMemGetInfo_v2(&after, &total));
    REQUIRE(before == after);
}

int main(void)
{
    begin();
    line();
    box();
    plane();
    levels();
    refusals();
    quota();
    puts("PASS");
    return 0;
}
