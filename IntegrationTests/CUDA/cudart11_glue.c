// Programs that nvcc 13 compiles launch kernels through entry points that cudart 11.8 does not have. They stand for
// what nvcc 11.8 would have written: the kernel is the stub's address.
#include <stddef.h>

typedef struct {
    unsigned x, y, z;
} dimensions;

extern int cudaLaunchKernel(
    const void *function, dimensions grid, dimensions block, void **arguments, size_t sharedByteCount, void *stream);
extern int cudaLaunchKernel_ptsz(
    const void *function, dimensions grid, dimensions block, void **arguments, size_t sharedByteCount, void *stream);

int __cudaGetKernel(void **kernel, const void *function)
{
    *kernel = (void *)function;
    return 0;
}

int __cudaLaunchKernel(
    void *kernel, dimensions grid, dimensions block, void **arguments, size_t sharedByteCount, void *stream)
{
    return cudaLaunchKernel(kernel, grid, block, arguments, sharedByteCount, stream);
}

int __cudaLaunchKernel_ptsz(
    void *kernel, dimensions grid, dimensions block, void **arguments, size_t sharedByteCount, void *stream)
{
    return cudaLaunchKernel_ptsz(kernel, grid, block, arguments, sharedByteCount, stream);
}
