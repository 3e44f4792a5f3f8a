// Work captured from two streams into a graph that is launched many times.
#include "check.cuh"

__global__ void add(int *values, int term) { values[threadIdx.x] += term; }
__global__ void join(int *values, const int *others) { values[threadIdx.x] += others[threadIdx.x]; }

int main()
{
    cudaStream_t main_stream, side;
    cudaEvent_t fork, joined;
    OK(cudaStreamCreate(&main_stream));
    OK(cudaStreamCreate(&side));
    OK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
    OK(cudaEventCreateWithFlags(&joined, cudaEventDisableTiming));
    int *const values = device_array<int>(32), *const others = device_array<int>(32);
    OK(cudaMemset(values, 0, 32 * sizeof(int)));

    OK(cudaStreamBeginCapture(main_stream, cudaStreamCaptureModeGlobal));
    cudaStreamCaptureStatus status;
    OK(cudaStreamIsCapturing(main_stream, &status));
    REQUIRE(status == cudaStreamCaptureStatusActive);
    OK(cudaEventRecord(fork, main_stream));
    OK(cudaStreamWaitEvent(side, fork, 0));
    OK(cudaMemsetAsync(others, 0, 32 * sizeof(int), side));
    add<<<1, 32, 0, side>>>(others, 10);
    OK(cudaEventRecord(joined, side));
    add<<<1, 32, 0, main_stream>>>(values, 1);
    OK(cudaStreamWaitEvent(main_stream, joined, 0));
    join<<<1, 32, 0, main_stream>>>(values, others);
    cudaGraph_t graph;
    OK(cudaStreamEndCapture(main_stream, &graph));
    size_t nodes = 0;
    OK(cudaGraphGetNodes(graph, nullptr, &nodes));
    REQUIRE(nodes == 4);

    cudaGraphExec_t executable;
    OK(cudaGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cudaGraphDestroy(graph));
    // Nothing ran while it was captured.
    int host[32];
    OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
    REQUIRE(host[0] == 0);
    for (int round = 0; round < 7; round++) OK(cudaGraphLaunch(executable, main_stream));
    OK(cudaStreamSynchronize(main_stream));
    OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 32; i++) REQUIRE(host[i] == 77);
    OK(cudaGraphExecDestroy(executable));

    // A capture that meets a call which waits is broken.
    OK(cudaStreamBeginCapture(main_stream, cudaStreamCaptureModeGlobal));
    add<<<1, 32, 0, main_stream>>>(values, 1);
    EXPECT(cudaStreamSynchronize(main_stream), cudaErrorStreamCaptureUnsupported);
    EXPECT(cudaStreamEndCapture(main_stream, &graph), cudaErrorStreamCaptureInvalidated);
    (void)cudaGetLastError();
    OK(cudaDeviceSynchronize());
    return pass();
}
