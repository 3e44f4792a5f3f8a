extern "C" __global__ void longLongs(const long long* a, const unsigned long long* b, long long* c, unsigned shift) {
    int i = threadIdx.x;
    long long x = a[i];
    unsigned long long y = b[i];
    c[0] = x / 7 + x % 13; c[1] = y / (x | 1) + y % 1000; c[2] = (x << shift) ^ (x >> shift) ^ (long long)(y >> 3);
    c[3] = __mul64hi(x, (long long)y); c[4] = (long long)__umul64hi((unsigned long long)x, y); c[5] = llabs(x);
    c[6] = (long long)((double)x * 1.5); c[7] = (long long)(float)y; c[8] = min(x, (long long)y);
}
