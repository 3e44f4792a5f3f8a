#include <lz4.h>
#include <zstd.h>
