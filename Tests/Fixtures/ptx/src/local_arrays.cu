extern "C" __global__ void localArrays(const int* input, int* output, int n) {
    int stack[32];
    for (int i = 0; i < 32; i++) stack[i] = input[(threadIdx.x + i) % n];
    for (int i = 1; i < 32; i++) {
        int v = stack[i], j = i - 1;
        for (; j >= 0 && stack[j] > v; j--) stack[j + 1] = stack[j];
        stack[j + 1] = v;
    }
    output[threadIdx.x] = stack[input[threadIdx.x] & 31];
}
