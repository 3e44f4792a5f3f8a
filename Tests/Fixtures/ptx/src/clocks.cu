extern "C" __global__ void clocks(long long* output) {
    long long start = clock64();
    unsigned smid, warp, lane;
    unsigned long long time;
    asm volatile("mov.u32 %0, %%smid; mov.u32 %1, %%warpid; mov.u32 %2, %%laneid;"
                 : "=r"(smid), "=r"(warp), "=r"(lane));
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
    __nanosleep(100);
    output[threadIdx.x] = clock64() - start + clock() + smid + warp + lane + (long long)time;
}
