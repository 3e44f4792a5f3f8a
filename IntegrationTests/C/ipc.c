// Two processes on one vGPU: the child opens the parent's allocation and event, changes the one and records the other.
// The child is started anew, as CUDA does not survive a fork.
#include "check.h"
#include "kernels.h"
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRANULE ((size_t)2 << 20)

struct message {
    CUipcMemHandle memory;
    CUipcMemHandle small;
    CUipcEventHandle event;
};

static void send_all(int socket, const void *data, size_t size) { REQUIRE(write(socket, data, size) == (ssize_t)size); }

static void receive_all(int socket, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = read(socket, (char *)data + done, size - done);
        REQUIRE(count > 0);
        done += (size_t)count;
    }
}

static void send_descriptor(int socket, int descriptor)
{
    char byte = 0, space[CMSG_SPACE(sizeof(int))];
    struct iovec vector = {&byte, 1};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
    REQUIRE(sendmsg(socket, &header, 0) == 1);
}

static int receive_descriptor(int socket)
{
    char byte, space[CMSG_SPACE(sizeof(int))];
    struct iovec vector = {&byte, 1};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    REQUIRE(recvmsg(socket, &header, 0) == 1);
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof descriptor);
    return descriptor;
}

static CUmemAccessDesc all = {{CU_MEM_LOCATION_TYPE_DEVICE, {0}}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};

static int child(int socket)
{
    begin();
    struct message message;
    receive_all(socket, &message, sizeof message);
    int descriptor = receive_descriptor(socket);
    CUdeviceptr memory, again, small;
    OK(cuIpcOpenMemHandle_v2(&memory, message.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
    OK(cuIpcOpenMemHandle_v2(&again, message.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
    REQUIRE(memory == again);
    OK(cuIpcCloseMemHandle(again));
    OK(cuIpcOpenMemHandle_v2(&small, message.small, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
    CUipcMemHandle forged = message.memory;
    forged.reserved[30] ^= 1;
    EXPECT(cuIpcOpenMemHandle_v2(&again, forged, 1), CUDA_ERROR_INVALID_HANDLE);
    memset(&forged, 7, sizeof forged);
    EXPECT(cuIpcOpenMemHandle_v2(&again, forged, 1), CUDA_ERROR_INVALID_VALUE);

    unsigned words[64];
    OK(cuMemcpyDtoH_v2(words, memory, sizeof words));
    for (unsigned i = 0; i < 64; i++)
        REQUIRE(words[i] == i);
    OK(cuMemcpyDtoH_v2(words, small, 8));
    REQUIRE(words[0] == 17 && words[1] == 18);
    size_t size = 0;
    OK(cuMemGetAddressRange_v2(&again, &size, memory + 100));
    REQUIRE(again == memory && size == 1 << 20);

    // The file descriptor's object: mapped here, written, seen by the parent.
    CUmemGenericAllocationHandle object;
    CUdeviceptr mapped;
    OK(cuMemImportFromShareableHandle(&object, (void *)(intptr_t)descriptor, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    OK(cuMemAddressReserve(&mapped, GRANULE, 0, 0, 0));
    OK(cuMemMap(mapped, GRANULE, 0, object, 0));
    OK(cuMemSetAccess(mapped, GRANULE, &all, 1));
    OK(cuMemsetD32_v2(mapped, 4242, 16));

    CUevent event;
    OK(cuIpcOpenEventHandle(&event, message.event));
    OK(cuStreamWaitEvent(NULL, event, 0));
    OK(cuMemsetD32Async(memory, 77, 64, NULL));
    OK(cuMemsetD32Async(small, 78, 2, NULL));
    OK(cuEventRecord(event, NULL));
    OK(cuEventSynchronize(event));
    send_all(socket, "x", 1);
    char byte;
    receive_all(socket, &byte, 1);
    OK(cuEventDestroy_v2(event));
    OK(cuIpcCloseMemHandle(memory));
    EXPECT(cuIpcCloseMemHandle(memory), CUDA_ERROR_INVALID_VALUE);
    // What is closed is no memory of this process any more.
    unsigned kind;
    EXPECT(cuPointerGetAttribute(&kind, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, memory), CUDA_ERROR_INVALID_VALUE);
    OK(cuIpcCloseMemHandle(small));
    OK(cuCtxSynchronize());
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 2)
        return child(atoi(arguments[1]));
    int sockets[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    pid_t process = fork();
    REQUIRE(process >= 0);
    if (process == 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", sockets[1]);
        close(sockets[0]);
        execl("/proc/self/exe", arguments[0], number, NULL);
        _exit(127);
    }
    close(sockets[1]);
    CUdevice device = begin();
    size_t free_before, free_after, total;
    OK(cuMemGetInfo_v2(&free_before, &total));
    CUdeviceptr memory, neighbour, small;
    OK(cuMemAlloc_v2(&neighbour, 512));
    OK(cuMemAlloc_v2(&small, 512));
    OK(cuMemAlloc_v2(&memory, 1 << 20));
    OK(cuMemsetD32_v2(neighbour, 5, 128));
    unsigned words[64];
    for (unsigned i = 0; i < 64; i++)
        words[i] = i;
    OK(cuMemcpyHtoD_v2(memory, words, sizeof words));
    words[0] = 17;
    words[1] = 18;
    OK(cuMemcpyHtoD_v2(small, words, 8));

    struct message message;
    CUevent event;
    EXPECT(cuEventCreate(&event, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);
    OK(cuEventCreate(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
    OK(cuEventRecord(event, NULL));
    OK(cuIpcGetMemHandle(&message.memory, memory));
    OK(cuIpcGetMemHandle(&message.small, small));
    OK(cuIpcGetEventHandle(&message.event, event));
    EXPECT(cuIpcOpenMemHandle_v2(&(CUdeviceptr){0}, message.memory, 1), CUDA_ERROR_INVALID_CONTEXT);

    CUmemAllocationProp prop;
    memset(&prop, 0, sizeof prop);
    prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    prop.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    prop.location.id = device;
    prop.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    CUmemGenericAllocationHandle object;
    CUdeviceptr mapped;
    int descriptor;
    OK(cuMemCreate(&object, GRANULE, &prop, 0));
    OK(cuMemAddressReserve(&mapped, GRANULE, 0, 0, 0));
    OK(cuMemMap(mapped, GRANULE, 0, object, 0));
    OK(cuMemSetAccess(mapped, GRANULE, &all, 1));
    OK(cuMemExportToShareableHandle(&descriptor, object, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
    OK(cuMemRelease(object));

    send_all(sockets[0], &message, sizeof message);
    send_descriptor(sockets[0], descriptor);
    close(descriptor);
    char byte;
    receive_all(sockets[0], &byte, 1);

    OK(cuStreamWaitEvent(NULL, event, 0));
    OK(cuMemcpyDtoH_v2(words, memory, sizeof words));
    for (unsigned i = 0; i < 64; i++)
        REQUIRE(words[i] == 77);
    OK(cuMemcpyDtoH_v2(words, small, 12));
    REQUIRE(words[0] == 78 && words[1] == 78 && words[2] != 78);
    OK(cuMemcpyDtoH_v2(words, neighbour, 8));
    REQUIRE(words[0] == 5 && words[1] == 5);
    OK(cuMemcpyDtoH_v2(words, mapped, 8));
    REQUIRE(words[0] == 4242 && words[1] == 4242);
    OK(cuEventQuery(event));
    send_all(sockets[0], "x", 1);
    int status = -1;
    REQUIRE(waitpid(process, &status, 0) == process);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    // Everything is given back: what was shared counts no longer.
    OK(cuMemUnmap(mapped, GRANULE));
    OK(cuMemFree_v2(memory));
    OK(cuMemFree_v2(small));
    OK(cuMemFree_v2(neighbour));
    OK(cuCtxSynchronize());
    OK(cuMemGetInfo_v2(&free_after, &total));
    REQUIRE(free_after == free_before);
    puts("PASS");
    return 0;
}
