#ifndef REFERENCE_H
#define REFERENCE_H

/* y = a·x + y for n values. */
void saxpyReference(float *x, float *y, float a, int n);

/* c = a·b for square row-major matrices of n, n a multiple of 16. */
void matmulReference(const float *a, const float *b, float *c, int n);

#endif
