// Takes the given number of MiB, says so, and keeps it until its standard input ends.
#include "check.h"

int main(int argc, char **argv)
{
    CUdeviceptr pointer;

    REQUIRE(argc == 2);
    size_t size = (size_t)strtoul(argv[1], NULL, 10) << 20;
    begin();
    OK(cuMemAlloc_v2(&pointer, size));
    OK(cuMemsetD8_v2(pointer, 1, size));
    OK(cuCtxSynchronize());
    puts("holding");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    OK(cuMemFree_v2(pointer));
    puts("PASS");
    return 0;
}
