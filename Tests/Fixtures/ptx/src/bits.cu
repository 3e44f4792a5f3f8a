extern "C" __global__ void bitTricks(const unsigned* a, const unsigned long long* b, unsigned* c) {
    unsigned x = a[threadIdx.x];
    unsigned long long y = b[threadIdx.x];
    c[0] = __popc(x); c[1] = __clz(x); c[2] = __ffs(x); c[3] = __brev(x); c[4] = __popcll(y); c[5] = __clzll(y);
    c[6] = __ffsll(y); c[7] = (unsigned)(__brevll(y) >> 32); c[8] = __byte_perm(x, (unsigned)y, 0x3715);
    c[9] = __funnelshift_l(x, (unsigned)y, 5); c[10] = __funnelshift_r(x, (unsigned)y, c[0]);
    c[11] = __sad((int)x, 5, 7u); c[12] = __umulhi(x, 77u); c[13] = __mul24((int)x, 5); c[14] = __vabsdiffu4(x, 3u);
    c[15] = __dp4a(x, 0x01020304u, 9u); c[16] = (x >> 5) & 0xff; c[17] = (x & ~0xf0u) | ((x & 0xf) << 4);
    c[18] = __vadd2(x, 3u); c[19] = (x & 3) | (x ^ 5) & ~x;
}
