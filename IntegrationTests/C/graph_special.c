// Conditional nodes, memory nodes, memory operations, user objects, and a picture of a graph.
#include "check.h"
#include "kernels.h"
#include <sched.h>
#include <unistd.h>

// count(handle, counter, limit): adds 1 to the counter; the conditional's value becomes whether it is below the limit.
static const char count_ptx[] = PTX_HEADER
    ".extern .func cudaGraphSetConditional (.param .b64 handle, .param .b32 value);\n"
    ".visible .entry count(.param .u64 handle, .param .u64 counter, .param .u32 limit)\n"
    "{\n"
    "    .reg .pred %p;\n"
    "    .reg .b32 %r<5>;\n"
    "    .reg .b64 %rd<3>;\n"
    "    ld.param.u64 %rd1, [handle];\n"
    "    ld.param.u64 %rd2, [counter];\n"
    "    ld.param.u32 %r1, [limit];\n"
    "    ld.global.u32 %r2, [%rd2];\n"
    "    add.u32 %r2, %r2, 1;\n"
    "    st.global.u32 [%rd2], %r2;\n"
    "    setp.lt.u32 %p, %r2, %r1;\n"
    "    selp.u32 %r3, 1, 0, %p;\n"
    "    {\n"
    "    .param .b64 p0;\n"
    "    .param .b32 p1;\n"
    "    st.param.b64 [p0], %rd1;\n"
    "    st.param.b32 [p1], %r3;\n"
    "    call.uni cudaGraphSetConditional, (p0, p1);\n"
    "    }\n"
    "    ret;\n"
    "}\n";

static volatile int ended;

static void end(void *data) { *(volatile int *)data = 1; }

static CUgraphNode conditional(CUgraph graph, CUgraphConditionalHandle handle, CUgraphConditionalNodeType type,
    unsigned size, CUgraph *bodies)
{
    CUgraphNode node;
    CUgraphNodeParams request = { .type = CU_GRAPH_NODE_TYPE_CONDITIONAL };
    request.conditional.handle = handle;
    request.conditional.type = type;
    request.conditional.size = size;
    OK(cuGraphAddNode(&node, graph, NULL, 0, &request));
    for (unsigned i = 0; i < size; i++)
        bodies[i] = request.conditional.phGraph_out[i];
    return node;
}

static void add_fill(CUgraph graph, CUdeviceptr place, unsigned value)
{
    CUgraphNode node;
    CUcontext context;
    CUDA_MEMSET_NODE_PARAMS fill = { .dst = place, .value = value, .elementSize = 4, .width = 1, .height = 1 };
    OK(cuCtxGetCurrent(&context));
    OK(cuGraphAddMemsetNode(&node, graph, NULL, 0, &fill, context));
}

static unsigned run(CUgraph graph, CUdeviceptr place, int times)
{
    CUgraphExec exec;
    unsigned value;
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    for (int i = 0; i < times; i++)
        OK(cuGraphLaunch(exec, NULL));
    OK(cuMemcpyDtoH_v2(&value, place, 4));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(graph));
    return value;
}

static void conditionals(CUdeviceptr place)
{
    CUgraph graph, bodies[4];
    CUgraphConditionalHandle handle;
    CUfunction count = load(count_ptx, "count");
    unsigned limit = 10;

    // While the kernel says so; the default begins every launch anew.
    OK(cuMemsetD32_v2(place, 0, 1));
    OK(cuGraphCreate(&graph, 0));
    OK(cuGraphConditionalHandleCreate(&handle, graph, NULL, 1, CU_GRAPH_COND_ASSIGN_DEFAULT));
    conditional(graph, handle, CU_GRAPH_COND_TYPE_WHILE, 1, bodies);
    CUgraphNode node;
    CUDA_KERNEL_NODE_PARAMS launch = { .func = count, .gridDimX = 1, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 1,
        .blockDimY = 1, .blockDimZ = 1, .kernelParams = (void *[]){ &handle, &place, &limit } };
    OK(cuGraphAddKernelNode_v2(&node, bodies[0], NULL, 0, &launch));
    REQUIRE(run(graph, place, 1) == 10);

    // If and else.
    for (unsigned value = 0; value < 2; value++) {
        OK(cuGraphCreate(&graph, 0));
        OK(cuGraphConditionalHandleCreate(&handle, graph, NULL, value, CU_GRAPH_COND_ASSIGN_DEFAULT));
        conditional(graph, handle, CU_GRAPH_COND_TYPE_IF, 2, bodies);
        add_fill(bodies[0], place, 100);
        add_fill(bodies[1], place, 200);
        REQUIRE(run(graph, place, 2) == (value ? 100 : 200));
    }

    // One of four.
    OK(cuGraphCreate(&graph, 0));
    OK(cuGraphConditionalHandleCreate(&handle, graph, NULL, 2, CU_GRAPH_COND_ASSIGN_DEFAULT));
    conditional(graph, handle, CU_GRAPH_COND_TYPE_SWITCH, 4, bodies);
    for (unsigned i = 0; i < 4; i++)
        add_fill(bodies[i], place, 1000 + i);
    REQUIRE(run(graph, place, 1) == 1002);

    // A handle that no node has is a mistake.
    CUgraphExec exec;
    CUDA_GRAPH_INSTANTIATE_PARAMS how = { 0 };
    OK(cuGraphCreate(&graph, 0));
    OK(cuGraphConditionalHandleCreate(&handle, graph, NULL, 2, 0));
    EXPECT(cuGraphInstantiateWithParams(&exec, graph, &how), CUDA_ERROR_INVALID_VALUE);
    REQUIRE(how.result_out == CUDA_GRAPH_INSTANTIATE_CONDITIONAL_HANDLE_UNUSED);
    OK(cuGraphDestroy(graph));
}

static void memory_nodes(void)
{
    CUgraph graph, clone;
    CUgraphExec exec;
    CUgraphNode allocate, fill, free_node;
    CUcontext context;
    unsigned value = 0;
    OK(cuCtxGetCurrent(&context));
    CUDA_MEM_ALLOC_NODE_PARAMS request = { 0 };
    request.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    request.poolProps.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    request.bytesize = 4096;
    OK(cuGraphCreate(&graph, 0));
    OK(cuGraphAddMemAllocNode(&allocate, graph, NULL, 0, &request));
    REQUIRE(request.dptr != 0);
    CUDA_MEMSET_NODE_PARAMS zeros = { .dst = request.dptr, .value = 77, .elementSize = 4, .width = 1024, .height = 1 };
    OK(cuGraphAddMemsetNode(&fill, graph, &allocate, 1, &zeros, context));
    EXPECT(cuGraphClone(&clone, graph), CUDA_ERROR_NOT_SUPPORTED);
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    OK(cuGraphLaunch(exec, NULL));
    OK(cuMemcpyDtoH_v2(&value, request.dptr + 400, 4));
    REQUIRE(value == 77);
    EXPECT(cuGraphLaunch(exec, NULL), CUDA_ERROR_INVALID_VALUE); // Its memory was not freed.
    OK(cuMemFree_v2(request.dptr));
    EXPECT(cuMemFree_v2(request.dptr), CUDA_ERROR_INVALID_VALUE);
    OK(cuGraphLaunch(exec, NULL));
    OK(cuMemFreeAsync(request.dptr, NULL));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphInstantiateWithFlags(&exec, graph, CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH));
    for (int i = 0; i < 3; i++)
        OK(cuGraphLaunch(exec, NULL));
    OK(cuMemFreeAsync(request.dptr, NULL));
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphAddMemFreeNode(&free_node, graph, &fill, 1, request.dptr));
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    for (int i = 0; i < 3; i++)
        OK(cuGraphLaunch(exec, NULL));
    OK(cuCtxSynchronize());
    OK(cuGraphExecDestroy(exec));
    OK(cuGraphDestroy(graph));
}

static void memory_operations(CUdeviceptr place)
{
    CUgraph graph;
    CUgraphNode node;
    CUcontext context;
    OK(cuCtxGetCurrent(&context));
    CUstreamBatchMemOpParams operations[2] = { 0 };
    operations[0].writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    operations[0].writeValue.address = place;
    operations[0].writeValue.value = 4711;
    operations[1].waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
    operations[1].waitValue.address = place;
    operations[1].waitValue.value = 4711;
    operations[1].waitValue.flags = CU_STREAM_WAIT_VALUE_EQ;
    CUDA_BATCH_MEM_OP_NODE_PARAMS request = { .ctx = context, .count = 2, .paramArray = operations }, read;
    OK(cuGraphCreate(&graph, 0));
    OK(cuGraphAddBatchMemOpNode(&node, graph, NULL, 0, &request));
    OK(cuGraphBatchMemOpNodeGetParams(node, &read));
    REQUIRE(read.count == 2 && read.paramArray[0].writeValue.value == 4711);
    REQUIRE(run(graph, place, 3) == 4711);
}

static void user_objects(void)
{
    CUgraph graph;
    CUgraphExec exec;
    CUuserObject object;
    CUgraphNode node;
    OK(cuUserObjectCreate(&object, (void *)&ended, end, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
    OK(cuGraphCreate(&graph, 0));
    OK(cuGraphAddEmptyNode(&node, graph, NULL, 0));
    OK(cuGraphRetainUserObject(graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE));
    EXPECT(cuGraphReleaseUserObject(graph, object, 2), CUDA_ERROR_INVALID_VALUE);
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    OK(cuGraphDestroy(graph));
    OK(cuGraphLaunch(exec, NULL));
    OK(cuCtxSynchronize());
    REQUIRE(!ended);
    OK(cuGraphExecDestroy(exec));
    while (!ended)
        sched_yield();
    EXPECT(cuUserObjectRelease(object, 1), CUDA_ERROR_INVALID_VALUE);
}

int main(void)
{
    CUdeviceptr place;
    CUgraph graph;
    begin();
    OK(cuMemAlloc_v2(&place, 4));
    conditionals(place);
    memory_nodes();
    memory_operations(place);
    user_objects();
    OK(cuGraphCreate(&graph, 0));
    add_fill(graph, place, 1);
    char path[64], text[64] = { 0 };
    snprintf(path, sizeof path, "/tmp/roost-graph-%d.dot", (int)getpid());
    OK(cuGraphDebugDotPrint(graph, path, 0));
    FILE *picture = fopen(path, "r");
    REQUIRE(picture && fread(text, 1, 7, picture) == 7 && strcmp(text, "digraph") == 0);
    fclose(picture);
    remove(path);
    puts("PASS");
    return 0;
}
