extern "C" __global__ void printAll(int a, double b, const char* text) {
    printf("thread %d of %u: %f %s %llx\n", threadIdx.x, blockDim.x, b, text, 0x123456789abcdefull);
    if (a > 3) printf("no arguments\n");
}
