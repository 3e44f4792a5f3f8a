// What every program of this folder uses: checks that name the call, and the line that says that all went well.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

// Ends the program with a message unless the call returns the wanted code.
#define EXPECT(call, wanted)                                                                                          \
    do {                                                                                                              \
        const int result_ = static_cast<int>(call);                                                                   \
        if (result_ != static_cast<int>(wanted)) {                                                                    \
            fprintf(stderr, "%s:%d: %s returned %d, not %d\n", __FILE__, __LINE__, #call, result_,                    \
                    static_cast<int>(wanted));                                                                        \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

#define OK(call) EXPECT(call, cudaSuccess)

// Ends the program with a message unless the condition holds.
#define REQUIRE(condition)                                                                  \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);       \
            exit(1);                                                                        \
        }                                                                                   \
    } while (0)

static inline int pass()
{
    printf("PASS\n");
    return 0;
}

template <typename T>
static T *device_array(size_t count)
{
    T *pointer = nullptr;
    OK(cudaMalloc(reinterpret_cast<void **>(&pointer), count * sizeof(T)));
    return pointer;
}
