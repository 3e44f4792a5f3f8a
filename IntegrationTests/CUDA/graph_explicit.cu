// A graph built node by node: copies, a fill, kernels and a host function; changed after it was instantiated.
#include "check.cuh"

__global__ void scale(int *values, int factor) { values[threadIdx.x] *= factor; }

static void CUDART_CB count(void *data) { ++*static_cast<int *>(data); }

int main()
{
    int host[16], back[16], calls = 0;
    for (int i = 0; i < 16; i++) host[i] = i;
    int *values = device_array<int>(16);
    cudaGraph_t graph;
    OK(cudaGraphCreate(&graph, 0));
    cudaGraphNode_t in, kernel, out, called;
    OK(cudaGraphAddMemcpyNode1D(&in, graph, nullptr, 0, values, host, sizeof host, cudaMemcpyHostToDevice));
    int factor = 3;
    void *arguments[] = {&values, &factor};
    cudaKernelNodeParams parameters = {};
    parameters.func = reinterpret_cast<void *>(scale);
    parameters.gridDim = dim3(1);
    parameters.blockDim = dim3(16);
    parameters.kernelParams = arguments;
    OK(cudaGraphAddKernelNode(&kernel, graph, &in, 1, &parameters));
    OK(cudaGraphAddMemcpyNode1D(&out, graph, &kernel, 1, back, values, sizeof back, cudaMemcpyDeviceToHost));
    cudaHostNodeParams function = {count, &calls};
    OK(cudaGraphAddHostNode(&called, graph, &out, 1, &function));
    cudaGraphNodeType type;
    OK(cudaGraphNodeGetType(kernel, &type));
    REQUIRE(type == cudaGraphNodeTypeKernel);
    // The values of arguments are those of the moment when the node was made.
    factor = 1000;

    cudaGraphExec_t executable;
    OK(cudaGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cudaGraphLaunch(executable, 0));
    OK(cudaDeviceSynchronize());
    for (int i = 0; i < 16; i++) REQUIRE(back[i] == 3 * i);
    REQUIRE(calls == 1);

    factor = 5;
    OK(cudaGraphExecKernelNodeSetParams(executable, kernel, &parameters));
    host[7] = 70;
    OK(cudaGraphLaunch(executable, 0));
    OK(cudaDeviceSynchronize());
    for (int i = 0; i < 16; i++) REQUIRE(back[i] == 5 * host[i]);
    REQUIRE(calls == 2);
    OK(cudaGraphExecDestroy(executable));
    OK(cudaGraphDestroy(graph));
    return pass();
}
