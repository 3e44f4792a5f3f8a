// Prints what a program sees of its devices, one line for each, or the code of a cuInit that finds none.
#include "check.h"

int main(void)
{
    int count = -1, status = cuInit(0);

    if (status != CUDA_SUCCESS) {
        printf("init %d\n", status);
        return 0;
    }
    OK(cuDeviceGetCount(&count));
    for (int i = 0; i < count; i++) {
        CUdevice device, found;
        CUuuid uuid;
        char bus[32];

        OK(cuDeviceGet(&device, i));
        OK(cuDeviceGetUuid_v2(&uuid, device));
        OK(cuDeviceGetPCIBusId(bus, sizeof bus, device));
        OK(cuDeviceGetByPCIBusId(&found, bus));
        REQUIRE(found == device);
        printf("%d GPU-", i);
        for (int byte = 0; byte < 16; byte++)
            printf("%s%02x", byte == 4 || byte == 6 || byte == 8 || byte == 10 ? "-" : "",
                   (unsigned char)uuid.bytes[byte]);
        printf(" %s\n", bus);
    }
    return 0;
}
