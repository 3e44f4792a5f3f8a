// Memory and events of one process in another: the program starts itself again as the reader.
#include "check.cuh"

#include <sys/wait.h>
#include <unistd.h>

struct Handles {
    cudaIpcMemHandle_t memory;
    cudaIpcEventHandle_t event;
};

__global__ void fill(int *values, int from) { values[threadIdx.x] = from + threadIdx.x; }

static int read_side()
{
    Handles handles;
    REQUIRE(read(0, &handles, sizeof handles) == static_cast<ssize_t>(sizeof handles));
    int *values = nullptr, host[32];
    cudaEvent_t event;
    OK(cudaIpcOpenMemHandle(reinterpret_cast<void **>(&values), handles.memory, cudaIpcMemLazyEnablePeerAccess));
    OK(cudaIpcOpenEventHandle(&event, handles.event));
    OK(cudaStreamWaitEvent(0, event, 0));
    OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 32; i++) REQUIRE(host[i] == 700 + i);
    fill<<<1, 32>>>(values, -50);
    OK(cudaDeviceSynchronize());
    OK(cudaEventDestroy(event));
    OK(cudaIpcCloseMemHandle(values));
    return 0;
}

int main(int count, char **words)
{
    if (count > 1) return read_side();
    int pipes[2];
    REQUIRE(pipe(pipes) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        dup2(pipes[0], 0);
        execl(words[0], words[0], "reader", nullptr);
        _exit(9);
    }
    int *const values = device_array<int>(32), host[32];
    cudaEvent_t event;
    OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventInterprocess));
    fill<<<1, 32>>>(values, 700);
    OK(cudaEventRecord(event, 0));
    Handles handles;
    OK(cudaIpcGetMemHandle(&handles.memory, values));
    OK(cudaIpcGetEventHandle(&handles.event, event));
    REQUIRE(write(pipes[1], &handles, sizeof handles) == static_cast<ssize_t>(sizeof handles));
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 32; i++) REQUIRE(host[i] == i - 50);
    return pass();
}
