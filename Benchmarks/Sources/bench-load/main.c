/* How long a process takes to load the library named by the first argument. One process measures one load. */
#include <dlfcn.h>
#include <stdio.h>

#include "BenchClock.h"

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: bench-load LIBRARY\n");
        return 2;
    }
    double start = bench_now();
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    double seconds = bench_now() - start;
    if (!library) {
        fprintf(stderr, "bench-load: %s\n", dlerror());
        return 1;
    }
    bench_report("load", seconds * 1e6, "us");
    return 0;
}
