#ifndef REFERENCE_H
#define REFERENCE_H

/* y = a·x + y for n values, as a C programmer writes it: the compiler vectorizes it. */
void saxpyReference(float *x, float *y, float a, int n);

/* c = a·b for square row-major matrices of n, n a multiple of 16, tiled so that the compiler vectorizes it. */
void matmulReference(const float *a, const float *b, float *c, int n);

/* The kernels themselves in C: a loop over blocks and threads, split where the kernel has a barrier. */
void saxpyKernelReference(float *x, float *y, float a, int n);
void matmulKernelReference(const float *a, const float *b, float *c, int n);

#endif
