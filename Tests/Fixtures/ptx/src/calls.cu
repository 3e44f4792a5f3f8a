struct Pair { float first; int second; };

__device__ __noinline__ float scaled(float x, int n) { return x * n + 1.0f; }
__device__ __noinline__ Pair makePair(Pair p, double scale) { p.first *= (float)scale; p.second += 1; return p; }
__device__ __noinline__ int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }
__device__ __noinline__ void writeTo(int* where, char value) { *where = value; }

extern "C" __global__ void callAll(float* f, int* i) {
    f[threadIdx.x] = scaled(f[threadIdx.x], 3);
    Pair p = makePair(Pair{f[threadIdx.x], i[threadIdx.x]}, 1.5);
    f[threadIdx.x] += p.first;
    i[threadIdx.x] = p.second + factorial(threadIdx.x % 6);
    writeTo(&i[threadIdx.x + 32], (char)threadIdx.x);
}
