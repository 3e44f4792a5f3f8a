extern "C" __global__ void votes(const int* input, unsigned* output) {
    int v = input[threadIdx.x];
    output[0] = __ballot_sync(0xffffffffu, v > 3);
    output[1] = __any_sync(0xffffffffu, v == 7);
    output[2] = __all_sync(0xffffffffu, v >= 0);
    if (v & 1) output[3] = __activemask();
    output[4] = __match_any_sync(0xffffffffu, v);
    int same;
    output[5] = __match_all_sync(0xffffffffu, v, &same);
    output[6] = same + __reduce_max_sync(0xffffffffu, v) + __reduce_or_sync(0xffffffffu, (unsigned)v);
    __syncwarp();
    output[7] = __syncthreads_count(v > 2) + __syncthreads_and(v) + __syncthreads_or(v);
    unsigned below;
    asm("mov.u32 %0, %%lanemask_lt;" : "=r"(below));
    output[8] = __popc(below & output[0]);
}
