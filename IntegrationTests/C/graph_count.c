// A graph of a hundred kernels, launched a hundred times: the test counts the commands.
#include "check.h"
#include "kernels.h"

int main(void)
{
    CUdeviceptr a, b, c;
    CUstream stream;
    CUgraph graph;
    CUgraphExec exec;
    unsigned n = 32;
    begin();
    CUfunction add = load(add_ptx, "add");
    OK(cuMemAlloc_v2(&a, 128));
    OK(cuMemAlloc_v2(&b, 128));
    OK(cuMemAlloc_v2(&c, 128));
    OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    for (int i = 0; i < 100; i++) {
        void *arguments[] = { &a, &b, &c, &n };
        OK(cuLaunchKernel(add, 1, 1, 1, 32, 1, 1, 0, stream, arguments, NULL));
    }
    OK(cuStreamEndCapture(stream, &graph));
    OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
    for (int i = 0; i < 100; i++) {
        CUgraphExecUpdateResultInfo info;
        OK(cuGraphExecUpdate_v2(exec, graph, &info)); // Nothing changed, so nothing is sent.
        OK(cuGraphLaunch(exec, stream));
    }
    OK(cuStreamSynchronize(stream));
    puts("PASS");
    return 0;
}
