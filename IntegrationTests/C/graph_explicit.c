// A graph built by hand: copies, a fill, a kernel, a host function, edges, queries, a clone, a child, switches, updates.
#include "check.h"
#include "kernels.h"

#define N 1024

static float host_in[N], host_out[N], seen;
static int calls;

static void look(void *data)
{
    calls++;
    seen = ((float *)data)[N - 1];
}

static CUDA_MEMCPY3D copy(int to_device, CUdeviceptr device, void *host)
{
    CUDA_MEMCPY3D request = { 0 };
    request.srcMemoryType = to_device ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
    request.dstMemoryType = to_device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
    if (to_device) {
        request.srcHost = host;
        request.dstDevice = device;
    } else {
        request.dstHost = host;
        request.srcDevice = device;
    }
    request.srcPitch = request.dstPitch = request.WidthInBytes = sizeof host_in;
    request.Height = request.Depth = 1;
    return request;
}

int main(void)
{
    CUdevice device = begin();
    CUcontext context;
    CUstream stream;
    CUdeviceptr a, b, out;
    unsigned n = N;
    OK(cuCtxGetCurrent(&context));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuMemAlloc_v2(&a, sizeof host_in));
    OK(cuMemAlloc_v2(&b, sizeof host_in));
    OK(cuMemAlloc_v2(&out, sizeof host_in));
    CUfunction add = load(add_ptx, "add");

    CUgraph graph;
    CUgraphNode upload, fill, kernel, download, host, all[8], from[8], to[8];
    OK(cuGraphCreate(&graph, 0));
    CUDA_MEMCPY3D up = copy(1, a, host_in), down = copy(0, out, host_out);
    OK(cuGraphAddMemcpyNode(&upload, graph, NULL, 0, &up, context));
    CUDA_MEMSET_NODE_PARAMS zeros = { .dst = b, .value = 0x3f800000, .elementSize = 4, .width = N, .height = 1 };
    OK(cuGraphAddMemsetNode(&fill, graph, NULL, 0, &zeros, context));
    void *arguments[] = { &a, &b, &out, &n };
    CUDA_KERNEL_NODE_PARAMS launch = { .func = add, .gridDimX = N / 128, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 128,
        .blockDimY = 1, .blockDimZ = 1, .kernelParams = arguments };
    OK(cuGraphAddKernelNode_v2(&kernel, graph, (CUgraphNode[]){ upload, fill }, 2, &launch));
    n = 0; // The node has taken its arguments.
    OK(cuGraphAddMemcpyNode(&download, graph, &kernel, 1, &down, context));
    CUDA_HOST_NODE_PARAMS function = { look, host_out };
    OK(cuGraphAddHostNode(&host, graph, &download, 1, &function));

    size_t count = 8;
    OK(cuGraphGetNodes(graph, NULL, &count));
    REQUIRE(count == 5);
    count = 8;
    OK(cuGraphGetNodes(graph, all, &count));
    REQUIRE(count == 5 && all[0] == upload && all[4] == host);
    count = 8;
    OK(cuGraphGetRootNodes(graph, all, &count));
    REQUIRE(count == 2 && all[2] == NULL);
    count = 8;
    OK(cuGraphGetEdges(graph, from, to, &count));
    REQUIRE(count == 4 && from[0] == upload && to[0] == kernel);
    count = 1;
    OK(cuGraphNodeGetDependencies(kernel, all, &count));
    REQUIRE(count == 1 && all[0] == upload);
    CUgraphNodeType type;
    OK(cuGraphNodeGetType(host, &type));
    REQUIRE(type == CU_GRAPH_NODE_TYPE_HOST);
    CUDA_KERNEL_NODE_PARAMS read = { 0 };
    OK(cuGraphKernelNodeGetParams_v2(kernel, &read));
    REQUIRE(read.func == add && read.gridDimX == N / 128 && *(unsigned *)read.kernelParams[3] == N);
    EXPECT(cuGraphAddDependencies(graph, &upload, &kernel, 1), CUDA_ERROR_INVALID_VALUE);

    // A circle is no graph.
    CUgraphExec exec;
    OK(cuGraphAddDependencies(graph, &host, &upload, 1));
    CUDA_GRAPH_INSTANTIATE_PARAMS how = { 0 };
    EXPECT(cuGraphInstantiateWithParams(&exec, graph, &how), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(how.result_out == CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE);
    OK(cuGraphRemoveDependencies(graph, &host, &upload, 1));
    EXPECT(cuGraphInstantiateWithFlags(&exec, graph, CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH),
        CUDA_ERROR_NOT_SUPPORTED);
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    OK(cuGraphUpload(exec, stream));

    // What the host's memory holds counts when the graph runs.
    for (int round = 1; round <= 20; round++) {
        for (int i = 0; i < N; i++)
            host_in[i] = (float)(i * round);
        OK(cuGraphLaunch(exec, stream));
        OK(cuStreamSynchronize(stream));
        REQUIRE(calls == round && seen == (float)((N - 1) * round) + 1);
        REQUIRE(host_out[7] == (float)(7 * round) + 1);
    }

    // One node of the executable graph changes, then one is switched off.
    n = N;
    void *doubled[] = { &a, &a, &out, &n };
    launch.kernelParams = doubled;
    OK(cuGraphExecKernelNodeSetParams_v2(exec, kernel, &launch));
    OK(cuGraphLaunch(exec, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(host_out[7] == 2 * host_in[7]);
    unsigned enabled = 9;
    OK(cuGraphNodeSetEnabled(exec, kernel, 0));
    OK(cuGraphNodeGetEnabled(exec, kernel, &enabled));
    REQUIRE(enabled == 0);
    OK(cuMemsetD32_v2(out, 0, N));
    OK(cuGraphLaunch(exec, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(host_out[7] == 0);
    OK(cuGraphNodeSetEnabled(exec, kernel, 1));

    // The whole graph: other arguments pass, another shape does not.
    CUgraphExecUpdateResultInfo info;
    OK(cuGraphExecUpdate_v2(exec, graph, &info));
    REQUIRE(info.result == CU_GRAPH_EXEC_UPDATE_SUCCESS);
    OK(cuGraphLaunch(exec, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(host_out[7] == host_in[7] + 1);
    CUgraphNode extra;
    OK(cuGraphAddEmptyNode(&extra, graph, &host, 1));
    EXPECT(cuGraphExecUpdate_v2(exec, graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    REQUIRE(info.result == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
    OK(cuGraphDestroyNode(extra));

    // A clone goes its own way, and so does a child.
    CUgraph clone, parent, child;
    CUgraphNode cloned, nested;
    OK(cuGraphClone(&clone, graph));
    OK(cuGraphNodeFindInClone(&cloned, kernel, clone));
    REQUIRE(cloned != kernel);
    OK(cuGraphKernelNodeSetParams_v2(cloned, &launch));
    OK(cuGraphCreate(&parent, 0));
    OK(cuGraphAddChildGraphNode(&nested, parent, NULL, 0, clone));
    OK(cuGraphChildGraphNodeGetGraph(nested, &child));
    REQUIRE(child != clone);
    OK(cuGraphDestroy(clone));
    CUgraphExec second;
    OK(cuGraphInstantiateWithFlags(&second, parent, 0));
    OK(cuGraphLaunch(second, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(host_out[7] == 2 * host_in[7]);
    OK(cuGraphExecChildGraphNodeSetParams(second, nested, graph));
    OK(cuGraphLaunch(second, stream));
    OK(cuStreamSynchronize(stream));
    REQUIRE(host_out[7] == host_in[7] + 1);

    OK(cuGraphDestroy(parent));
    OK(cuGraphDestroy(graph));
    OK(cuGraphLaunch(exec, stream)); // It needs its graph no more.
    OK(cuStreamSynchronize(stream));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphExecDestroy(second));
    EXPECT(cuGraphLaunch(exec, stream), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
    OK(cuStreamDestroy_v2(stream));
    OK(cuDevicePrimaryCtxRelease_v2(device));
    puts("PASS");
    return 0;
}
