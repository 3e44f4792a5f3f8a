#include <cooperative_groups.h>

namespace cg = cooperative_groups;

extern "C" __global__ void gridSync(int* values, int rounds) {
    cg::grid_group grid = cg::this_grid();
    for (int i = 0; i < rounds; i++) {
        values[grid.thread_rank()] += values[(grid.thread_rank() + 1) % grid.size()];
        grid.sync();
    }
}

extern "C" __global__ void tiles(int* values) {
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<8> tile = cg::tiled_partition<8>(block);
    int v = values[block.thread_rank()];
    for (int i = tile.size() / 2; i > 0; i /= 2) v += tile.shfl_down(v, i);
    if (tile.any(v > 10)) v++;
    cg::coalesced_group active = cg::coalesced_threads();
    values[block.thread_rank()] = v + active.size();
    block.sync();
}
