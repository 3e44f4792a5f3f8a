typedef unsigned long long Word;

extern "C" __global__ void multiply128(const Word* a, const Word* b, Word* c) {
    unsigned __int128 x = ((unsigned __int128)a[1] << 64) | a[0];
    unsigned __int128 y = ((unsigned __int128)b[1] << 64) | b[0];
    unsigned __int128 z = x * y + 12345;
    c[0] = (Word)z;
    c[1] = (Word)(z >> 64);
}

extern "C" __global__ void addWithCarry(const unsigned* a, const unsigned* b, unsigned* c) {
    asm volatile("add.cc.u32 %0, %4, %8;\n\t"
                 "addc.cc.u32 %1, %5, %9;\n\t"
                 "addc.cc.u32 %2, %6, %10;\n\t"
                 "madc.hi.u32 %3, %7, %11, 0;"
                 : "=r"(c[0]), "=r"(c[1]), "=r"(c[2]), "=r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]));
    asm volatile("sub.cc.u32 %0, %2, %3;\n\tsubc.u32 %1, %2, 0;" : "=r"(c[4]), "=r"(c[5]) : "r"(a[0]), "r"(b[0]));
    asm volatile("mad.lo.cc.u32 %0, %2, %3, 1;\n\tmadc.hi.u32 %1, %2, %3, 2;"
                 : "=r"(c[6]), "=r"(c[7]) : "r"(a[0]), "r"(b[0]));
}
