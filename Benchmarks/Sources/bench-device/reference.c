/* The same work as the kernels, in C: what one CPU core gives at -O3. */
#include "reference.h"

void saxpyReference(float *x, float *y, float a, int n) {
    for (int i = 0; i < n; i++) y[i] = x[i] * a + y[i];
}

void matmulReference(const float *a, const float *b, float *c, int n) {
    enum { TILE = 16 };
    for (int row = 0; row < n; row += TILE)
        for (int column = 0; column < n; column += TILE) {
            float sum[TILE][TILE] = {0};
            for (int k0 = 0; k0 < n; k0 += TILE)
                for (int y = 0; y < TILE; y++)
                    for (int k = 0; k < TILE; k++)
                        for (int x = 0; x < TILE; x++)
                            sum[y][x] += a[(row + y) * n + k0 + k] * b[(k0 + k) * n + column + x];
            for (int y = 0; y < TILE; y++)
                for (int x = 0; x < TILE; x++) c[(row + y) * n + column + x] = sum[y][x];
        }
}

void saxpyKernelReference(float *x, float *y, float a, int n) {
    enum { THREADS = 256 };
    for (int block = 0; block < (n + THREADS - 1) / THREADS; block++)
        for (int thread = 0; thread < THREADS; thread++) {
            int i = block * THREADS + thread;
            if (i < n) y[i] = x[i] * a + y[i];
        }
}

void matmulKernelReference(const float *a, const float *b, float *c, int n) {
    enum { TILE = 16 };
    float tileA[TILE][TILE], tileB[TILE][TILE], sum[TILE][TILE];
    for (int blockY = 0; blockY < n / TILE; blockY++)
        for (int blockX = 0; blockX < n / TILE; blockX++) {
            for (int y = 0; y < TILE; y++)
                for (int x = 0; x < TILE; x++) sum[y][x] = 0;
            for (int k0 = 0; k0 < n; k0 += TILE) {
                for (int y = 0; y < TILE; y++)
                    for (int x = 0; x < TILE; x++) {
                        tileA[y][x] = a[(blockY * TILE + y) * n + k0 + x];
                        tileB[y][x] = b[(k0 + y) * n + blockX * TILE + x];
                    }
                for (int y = 0; y < TILE; y++)
                    for (int x = 0; x < TILE; x++) {
                        float value = sum[y][x];
                        for (int k = 0; k < TILE; k++) value += tileA[y][k] * tileB[k][x];
                        sum[y][x] = value;
                    }
            }
            for (int y = 0; y < TILE; y++)
                for (int x = 0; x < TILE; x++) c[(blockY * TILE + y) * n + blockX * TILE + x] = sum[y][x];
        }
}
