// Copies to and from arrays as nodes of graphs: captured, added, read back, changed in the graph and in what was made
// executable.
#include "check.h"

enum { WIDTH = 16, HEIGHT = 4, COUNT = WIDTH * HEIGHT };

static CUarray make(void)
{
    CUDA_ARRAY_DESCRIPTOR wanted = {WIDTH, HEIGHT, CU_AD_FORMAT_UNSIGNED_INT32, 1};
    CUarray array;
    OK(cuArrayCreate_v2(&array, &wanted));
    return array;
}

// All of an array, from or to the host, the device, or another array.
static CUDA_MEMCPY3D whole(CUarray to, const void *host, CUdeviceptr device, CUarray from)
{
    CUDA_MEMCPY3D copy = {.WidthInBytes = WIDTH * 4, .Height = HEIGHT, .Depth = 1};
    copy.srcMemoryType = from ? CU_MEMORYTYPE_ARRAY : host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
    copy.srcArray = from;
    copy.srcHost = host;
    copy.srcDevice = device;
    copy.srcPitch = from ? 0 : WIDTH * 4;
    copy.srcHeight = from ? 0 : HEIGHT;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = to;
    return copy;
}

static CUDA_MEMCPY3D back(void *host, CUdeviceptr device, CUarray from)
{
    CUDA_MEMCPY3D copy = {.WidthInBytes = WIDTH * 4, .Height = HEIGHT, .Depth = 1};
    copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.srcArray = from;
    copy.dstMemoryType = host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
    copy.dstHost = host;
    copy.dstDevice = device;
    copy.dstPitch = WIDTH * 4;
    copy.dstHeight = HEIGHT;
    return copy;
}

static unsigned in[COUNT], out[COUNT];

static void fill(unsigned seed)
{
    for (unsigned i = 0; i < COUNT; i++) in[i] = seed * 1000 + i;
    memset(out, 0, sizeof out);
}

// Through the host, an array, memory, another array and back: five copies.
static void captured(CUstream stream)
{
    CUarray first = make(), second = make(), third = make();
    CUdeviceptr memory;
    CUgraph graph;
    CUgraphExec executable;
    OK(cuMemAlloc_v2(&memory, sizeof in));
    CUDA_MEMCPY3D copies[5] = {
        whole(first, in, 0, NULL), back(NULL, memory, first), whole(second, NULL, memory, NULL),
        whole(third, NULL, 0, second), back(out, 0, third),
    };
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    for (int i = 0; i < 5; i++) OK(cuMemcpy3DAsync_v2(&copies[i], stream));
    OK(cuStreamEndCapture(stream, &graph));
    CUgraphNode nodes[5];
    size_t count = 5;
    OK(cuGraphGetNodes(graph, nodes, &count));
    REQUIRE(count == 5);
    for (int i = 0; i < 5; i++) {
        CUgraphNodeType type;
        CUDA_MEMCPY3D found;
        OK(cuGraphNodeGetType(nodes[i], &type));
        REQUIRE(type == CU_GRAPH_NODE_TYPE_MEMCPY);
        OK(cuGraphMemcpyNodeGetParams(nodes[i], &found));
        REQUIRE(found.srcMemoryType == copies[i].srcMemoryType && found.dstMemoryType == copies[i].dstMemoryType);
        REQUIRE(found.srcArray == copies[i].srcArray && found.dstArray == copies[i].dstArray);
        REQUIRE(found.srcHost == copies[i].srcHost && found.dstHost == copies[i].dstHost);
        REQUIRE(found.WidthInBytes == WIDTH * 4 && found.Height == HEIGHT && found.Depth == 1);
    }
    fill(1);
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    // The host's memory counts when the graph runs.
    for (unsigned round = 2; round < 5; round++) {
        fill(round);
        OK(cuGraphLaunch(executable, stream));
        OK(cuStreamSynchronize(stream));
        REQUIRE(memcmp(in, out, sizeof in) == 0);
    }
    OK(cuGraphExecDestroy(executable));
    OK(cuGraphDestroy(graph));

    // Runs of bytes, of arrays with one dimension.
    CUDA_ARRAY_DESCRIPTOR line = {COUNT, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1};
    CUarray one, two;
    OK(cuArrayCreate_v2(&one, &line));
    OK(cuArrayCreate_v2(&two, &line));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuMemcpyHtoAAsync_v2(one, 0, in, sizeof in, stream));
    OK(cuMemcpyAtoHAsync_v2(out, one, 16, 32, stream));
    EXPECT(cuMemcpyHtoAAsync_v2(one, 1, in, 4, stream), CUDA_ERROR_INVALID_VALUE);
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    fill(6);
    OK(cuGraphLaunch(executable, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(memcmp(out, in + 4, 32) == 0 && out[8] == 0);
    OK(cuGraphExecDestroy(executable));
    OK(cuGraphDestroy(graph));
    OK(cuArrayDestroy(one));
    OK(cuArrayDestroy(two));
    OK(cuMemFree_v2(memory));
    OK(cuArrayDestroy(first));
    OK(cuArrayDestroy(second));
    OK(cuArrayDestroy(third));
}

static void added(CUstream stream, CUcontext context)
{
    CUarray first = make(), second = make();
    CUdeviceptr memory;
    CUgraph graph;
    CUgraphNode up, down;
    CUgraphExec executable;
    static unsigned other[COUNT];
    OK(cuMemAlloc_v2(&memory, sizeof in));
    OK(cuGraphCreate(&graph, 0));
    CUDA_MEMCPY3D request = whole(first, in, 0, NULL), found;
    OK(cuGraphAddMemcpyNode(&up, graph, NULL, 0, &request, context));
    OK(cuGraphMemcpyNodeGetParams(up, &found));
    REQUIRE(found.dstArray == first && found.srcHost == in && found.srcPitch == WIDTH * 4);
    request = back(out, 0, first);
    OK(cuGraphAddMemcpyNode(&down, graph, &up, 1, &request, context));
    request.Height = HEIGHT + 1;
    CUgraphNode refused;
    EXPECT(cuGraphAddMemcpyNode(&refused, graph, NULL, 0, &request, context), CUDA_ERROR_INVALID_VALUE);
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    fill(7);
    OK(cuGraphLaunch(executable, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(memcmp(in, out, sizeof in) == 0);

    // The executable node: other memory and a part of the array.
    for (unsigned i = 0; i < COUNT; i++) other[i] = ~i;
    request = whole(first, other, 0, NULL);
    request.WidthInBytes = 16;
    request.dstXInBytes = 16;
    OK(cuGraphExecMemcpyNodeSetParams(executable, up, &request, context));
    fill(8);
    OK(cuGraphLaunch(executable, stream));
    OK(cuStreamSynchronize(stream));
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned x = i % WIDTH, y = i / WIDTH;
        REQUIRE(out[i] == (x >= 4 && x < 8 ? ~(y * WIDTH + x - 4) : 7000 + i));
    }
    // An array can't become memory.
    CUDA_MEMCPY3D plain = request;
    plain.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    plain.dstDevice = memory;
    plain.dstXInBytes = 0;
    plain.dstPitch = WIDTH * 4;
    plain.dstHeight = HEIGHT;
    EXPECT(cuGraphExecMemcpyNodeSetParams(executable, up, &plain, context), CUDA_ERROR_INVALID_VALUE);

    // The graph's nodes, and an update by them: another array all through.
    request = whole(second, in, 0, NULL);
    OK(cuGraphMemcpyNodeSetParams(up, &request));
    request = back(out, 0, second);
    OK(cuGraphMemcpyNodeSetParams(down, &request));
    CUgraphExecUpdateResultInfo result;
    OK(cuGraphExecUpdate_v2(executable, graph, &result));
    fill(9);
    OK(cuGraphLaunch(executable, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(memcmp(in, out, sizeof in) == 0);
    OK(cuGraphMemcpyNodeSetParams(up, &plain));
    EXPECT(cuGraphExecUpdate_v2(executable, graph, &result), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    REQUIRE(result.result == CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED);
    // A node that is switched off copies nothing.
    OK(cuGraphNodeSetEnabled(executable, up, 0));
    fill(10);
    OK(cuGraphLaunch(executable, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(out[5] == 9005);
    OK(cuGraphExecDestroy(executable));
    OK(cuGraphDestroy(graph));
    OK(cuMemFree_v2(memory));
    OK(cuArrayDestroy(first));
    OK(cuArrayDestroy(second));
}

int main(void)
{
    CUstream stream;
    CUcontext context;
    begin();
    OK(cuCtxGetCurrent(&context));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    captured(stream);
    added(stream, context);
    OK(cuStreamDestroy_v2(stream));
    puts("PASS");
    return 0;
}
