// Tensor maps through the driver: what is refused, and kernels that copy boxes and pixels by them. The only argument
// says whether the device has them.
#include "check.h"
#include <stdalign.h>

// Each loads bytes into shared memory, waits for them at a barrier, and writes them out.
#define HEAD                                                                                                     \
    "{\n.reg .pred %p<4>; .reg .b16 %h<4>; .reg .b32 %r<12>; .reg .b64 %rd<8>;\n"                                  \
    ".shared .align 1024 .b8 box[4096]; .shared .align 8 .b64 bar;\n"
#define BEGIN                                                                                                    \
    "mov.u32 %r1, %tid.x; ld.param.u64 %rd2, [out]; ld.param.u32 %r2, [x]; ld.param.u32 %r3, [y];\n"               \
    "ld.param.u32 %r6, [bytes]; mov.u32 %r4, box; mov.u32 %r5, bar; mov.u32 %r9, 0;\n"                             \
    "setp.ne.u32 %p1, %r1, 0; @%p1 bra READY; mbarrier.init.shared::cta.b64 [%r5], 1; fence.proxy.async;\n"        \
    "mbarrier.arrive.expect_tx.shared::cta.b64 %rd3, [%r5], %r6;\n"
#define FINISH                                                                                                   \
    "READY: bar.sync 0;\nWAIT: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r5], 0; @!%p2 bra WAIT;\n"          \
    "mov.u32 %r7, %r1;\nNEXT: shl.b32 %r8, %r7, 2; setp.ge.u32 %p3, %r8, %r6; @%p3 bra DONE;\n"                    \
    "cvt.u64.u32 %rd4, %r8; add.s64 %rd4, %rd4, %rd2; add.u32 %r8, %r8, %r4; ld.shared.u32 %r8, [%r8];\n"          \
    "st.global.u32 [%rd4], %r8; add.u32 %r7, %r7, 32; bra NEXT;\nDONE: ret;\n}\n"

static const char *image =
    ".version 8.0\n.target sm_90\n.address_size 64\n"
    ".visible .entry load_box(.param .align 64 .b8 map[128], .param .u64 out, .param .u32 x, .param .u32 y,\n"
    ".param .u32 bytes)\n" HEAD "mov.b64 %rd1, map; cvta.param.u64 %rd1, %rd1;\n" BEGIN
    "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r4],\n"
    "[%rd1, {%r2, %r3}], [%r5];\n"
    FINISH
    ".visible .entry load_pixels(.param .align 64 .b8 map[128], .param .u64 out, .param .u32 x, .param .u32 y,\n"
    ".param .u32 bytes)\n" HEAD "mov.b64 %rd1, map; cvta.param.u64 %rd1, %rd1; mov.u16 %h1, 1; mov.u16 %h2, 0;\n" BEGIN
    "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%r4],\n"
    "[%rd1, {%r9, %r2, %r3, %r9}], [%r5], {%h1, %h2};\n" FINISH
    ".visible .entry add_box(.param .align 64 .b8 map[128], .param .u32 x, .param .u32 y)\n" HEAD
    "mov.b64 %rd1, map; cvta.param.u64 %rd1, %rd1; mov.u32 %r1, %tid.x; ld.param.u32 %r2, [x]; ld.param.u32 %r3, [y];\n"
    "mov.u32 %r4, box; shl.b32 %r5, %r1, 2; add.u32 %r5, %r5, %r4; st.shared.u32 [%r5], %r1; fence.proxy.async;\n"
    "bar.sync 0; setp.ne.u32 %p1, %r1, 0; @%p1 ret;\n"
    "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%rd1, {%r2, %r3}], [%r4];\n"
    "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0; ret;\n}\n";

enum { WIDTH = 16, HEIGHT = 12 };

static CUmodule module;
static CUdeviceptr tensor, out;
static cuuint64_t sizes[5] = {WIDTH, HEIGHT, 1, 1, 1}, strides[4] = {WIDTH * 4, WIDTH * HEIGHT * 4, 0, 0};
static cuuint32_t box[5] = {8, 4, 1, 1, 1}, steps[5] = {1, 1, 1, 1, 1};

// A map of 128 bytes, and one that is not aligned.
static alignas(128) unsigned char room[192];
static CUtensorMap *const map = (CUtensorMap *)(void *)room;

static CUresult encode(CUtensorMap *result, CUdeviceptr address, int rank, int type, int swizzle, int fill)
{
    return cuTensorMapEncodeTiled(
        result, (CUtensorMapDataType)type, rank, (void *)address, sizes, strides, box, steps,
        CU_TENSOR_MAP_INTERLEAVE_NONE, (CUtensorMapSwizzle)swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_128B, (CUtensorMapFloatOOBfill)fill);
}

static CUresult encode_pixels(int lower, int pixels, const cuuint64_t *pixel_sizes)
{
    const cuuint64_t pixel_strides[3] = {16, 64, 256};
    const int lowers[2] = {lower, -1}, uppers[2] = {-1, -1};
    return cuTensorMapEncodeIm2col(
        map, CU_TENSOR_MAP_DATA_TYPE_UINT32, 4, (void *)tensor, pixel_sizes, pixel_strides, lowers, uppers, 4, pixels,
        steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_L2_PROMOTION_NONE,
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

static void refused(void)
{
    CUtensorMap *const crooked = (CUtensorMap *)(void *)(room + 16);
    EXPECT(encode(NULL, tensor, 2, 2, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode(crooked, tensor, 2, 2, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode(map, tensor + 8, 2, 2, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode(map, tensor, 0, 2, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode(map, tensor, 6, 2, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode(map, tensor, 2, 16, 0, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode(map, tensor, 2, 2, 7, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode(map, tensor, 2, 2, 0, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode(map, tensor, 2, 7, 0, 2), CUDA_ERROR_INVALID_VALUE);
    strides[0] = 60;
    EXPECT(encode(map, tensor, 2, 2, 0, 0), CUDA_ERROR_INVALID_VALUE);
    strides[0] = WIDTH * 4;
    steps[1] = 0;
    EXPECT(encode(map, tensor, 2, 2, 0, 0), CUDA_ERROR_INVALID_VALUE);
    steps[1] = 1;
    const CUtensorMapDataType words = CU_TENSOR_MAP_DATA_TYPE_UINT32;
    EXPECT(cuTensorMapEncodeTiled(map, words, 2, (void *)tensor, NULL, strides, box, steps, 0, 0, 0, 0),
           CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuTensorMapEncodeTiled(map, words, 2, (void *)tensor, sizes, NULL, box, steps, 0, 0, 0, 0),
           CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuTensorMapReplaceAddress(NULL, (void *)tensor), CUDA_ERROR_INVALID_VALUE);
    memset(room, 0, sizeof room);
    EXPECT(cuTensorMapReplaceAddress(map, (void *)tensor), CUDA_ERROR_INVALID_VALUE);
    OK(encode(map, tensor, 2, 2, 0, 0));
    EXPECT(cuTensorMapReplaceAddress(map, (void *)(tensor + 4)), CUDA_ERROR_INVALID_VALUE);
}

static unsigned value(int column, int row)
{
    return column >= 0 && column < WIDTH && row >= 0 && row < HEIGHT ? 1 + row * WIDTH + column : 0;
}

static void load_box(const char *name, int x, int y, unsigned bytes, unsigned *found)
{
    CUfunction function;
    void *arguments[] = {room, &out, &x, &y, &bytes};
    OK(cuModuleGetFunction(&function, module, name));
    OK(launch(function, 1, 32, arguments));
    OK(cuMemcpyDtoH_v2(found, out, bytes));
}

static void boxes(void)
{
    const int origins[4][2] = {{0, 0}, {12, 10}, {-3, -2}, {100, 0}};
    unsigned found[64];
    OK(encode(map, tensor, 2, 2, 0, 0));
    for (int i = 0; i < 4; i++) {
        load_box("load_box", origins[i][0], origins[i][1], 128, found);
        for (int word = 0; word < 32; word++)
            REQUIRE(found[word] == value(origins[i][0] + word % 8, origins[i][1] + word / 8));
    }
    // Rows of 32 bytes, whose halves change places in every second group of four rows.
    OK(encode(map, tensor, 2, 2, CU_TENSOR_MAP_SWIZZLE_32B, 0));
    box[1] = 8;
    OK(encode(map, tensor, 2, 2, CU_TENSOR_MAP_SWIZZLE_32B, 0));
    load_box("load_box", 4, 0, 256, found);
    for (int word = 0; word < 64; word++)
        REQUIRE(found[word ^ (word / 32 & 1) << 2] == value(4 + word % 8, word / 8));
    // A quiet NaN in the place of what is outside.
    box[1] = 4;
    OK(encode(map, tensor, 2, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 0, 1));
    load_box("load_box", 12, 0, 128, found);
    REQUIRE(found[3] == value(15, 0) && (found[4] & 0x7f800000) == 0x7f800000 && (found[4] & 0x7fffff) != 0);
}

static void replaced(void)
{
    unsigned words[WIDTH * HEIGHT], found[32];
    CUdeviceptr other;
    for (int i = 0; i < WIDTH * HEIGHT; i++) words[i] = 7000 + i;
    OK(cuMemAlloc_v2(&other, sizeof words));
    OK(cuMemcpyHtoD_v2(other, words, sizeof words));
    OK(encode(map, tensor, 2, 2, 0, 0));
    OK(cuTensorMapReplaceAddress(map, (void *)other));
    load_box("load_box", 1, 1, 128, found);
    REQUIRE(found[0] == 7000 + WIDTH + 1 && found[31] == 7000 + 4 * WIDTH + 8);

    // Sums go to the tensor, as far as they are inside.
    CUfunction function;
    int x = 12, y = 9;
    void *arguments[] = {room, &x, &y};
    OK(cuModuleGetFunction(&function, module, "add_box"));
    OK(launch(function, 1, 32, arguments));
    OK(cuMemcpyDtoH_v2(words, other, sizeof words));
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const int column = i % WIDTH - x, row = i / WIDTH - y;
        REQUIRE(words[i] == 7000u + i + (column >= 0 && row >= 0 ? row * 8 + column : 0));
    }
    OK(cuMemFree_v2(other));
}

static void pixels(void)
{
    // Two images of 4 by 4 pixels.
    const cuuint64_t pixel_sizes[4] = {4, 4, 4, 2}, none[4] = {4, 0, 4, 2};
    unsigned words[128], found[64];
    for (int i = 0; i < 128; i++) words[i] = i / 4 + 1;
    OK(cuMemcpyHtoD_v2(tensor, words, sizeof words));
    EXPECT(encode_pixels(-129, 16, pixel_sizes), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode_pixels(-1, 1025, pixel_sizes), CUDA_ERROR_INVALID_VALUE);
    EXPECT(encode_pixels(-1, 16, none), CUDA_ERROR_INVALID_VALUE);
    OK(encode_pixels(-1, 16, pixel_sizes));
    // From x = 2, moved by one: the box is as wide as the image then, and one row higher.
    load_box("load_pixels", 2, 1, 256, found);
    const unsigned shifted[16] = {8, 9, 10, 11, 12, 0, 0, 0, 0, 17, 18, 19, 20, 21, 22, 23};
    for (int i = 0; i < 64; i++) REQUIRE(found[i] == shifted[i / 4]);
}

int main(int count, char **words)
{
    const CUdevice device = begin();
    const int wanted = count > 1 ? atoi(words[1]) : 0;
    unsigned values[WIDTH * HEIGHT];
    int has = -1;
    OK(cuDeviceGetAttribute(&has, CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED, device));
    REQUIRE(has == wanted);
    OK(cuMemAlloc_v2(&tensor, sizeof values));
    OK(cuMemAlloc_v2(&out, 4096));
    if (!has) {
        EXPECT(encode(map, tensor, 2, 2, 0, 0), CUDA_ERROR_NOT_SUPPORTED);
        EXPECT(encode(map, tensor + 4, 2, 2, 0, 0), CUDA_ERROR_INVALID_VALUE);
        printf("PASS\n");
        return 0;
    }
    for (int i = 0; i < WIDTH * HEIGHT; i++) values[i] = i + 1;
    OK(cuMemcpyHtoD_v2(tensor, values, sizeof values));
    OK(cuModuleLoadData(&module, image));
    refused();
    boxes();
    replaced();
    pixels();
    // What the software GPU lacks says so.
    OK(encode(map, tensor, 2, 2, CU_TENSOR_MAP_SWIZZLE_32B, 0));
    EXPECT(encode(map, tensor, 2, 2, CU_TENSOR_MAP_SWIZZLE_64B, 0), CUDA_ERROR_NOT_SUPPORTED);
    printf("PASS\n");
    return 0;
}
