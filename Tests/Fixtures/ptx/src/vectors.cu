extern "C" __global__ void vectors(const float4* a, const int2* b, const uchar4* c, const double2* d, float4* e,
                                   ushort2* f) {
    int i = threadIdx.x;
    float4 v = a[i];
    int2 w = b[i];
    uchar4 u = c[i];
    double2 x = d[i];
    e[i] = make_float4(v.x + w.x, v.y * w.y, v.z + u.x + u.w, v.w + (float)(x.x * x.y));
    f[i] = make_ushort2(u.y, u.z);
}

extern "C" __global__ void cacheHints(const float4* __restrict__ a, float4* b) {
    float4 v = __ldg(&a[threadIdx.x]);
    float4 w = __ldcs(&a[threadIdx.x + 32]);
    __stcs(&b[threadIdx.x], make_float4(v.x + w.x, v.y + w.y, v.z + w.z, v.w + w.w));
    __stwt(&b[threadIdx.x + 32], v);
}
