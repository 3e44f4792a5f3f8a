extern "C" __global__ void smallTypes(const signed char* a, const unsigned char* b, const short* c,
                                      const unsigned short* d, char* e, short* f, bool* g) {
    int i = threadIdx.x;
    e[i] = (char)(a[i] + b[i] * 3);
    f[i] = (short)(c[i] - d[i] / 3);
    g[i] = a[i] > 0 && d[i] != 7;
    if (g[i]) f[i] = (short)(c[i] * c[i]);
}

extern "C" __global__ void byValue(char a, short b, bool c, unsigned char d, long long e, float f, int* out) {
    out[0] = a; out[1] = b; out[2] = c; out[3] = d; out[4] = (int)e; out[5] = (int)f;
}
