extern "C" __global__ void assertPositive(const int* values, int n) {
    int i = threadIdx.x;
    if (i < n) assert(values[i] > 0);
}

extern "C" __global__ void trapOnNegative(const int* values) {
    if (values[threadIdx.x] < 0) __trap();
}
