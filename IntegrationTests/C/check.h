// What every program of this folder uses: a check that names the call, and a device with a current context.
#pragma once

#include <CCUDA.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Ends the program with a message unless the call returns the wanted code.
#define EXPECT(call, wanted)                                                                             \
    do {                                                                                                 \
        int result_ = (int)(call);                                                                       \
        if (result_ != (int)(wanted)) {                                                                  \
            fprintf(stderr, "%s:%d: %s returned %d, not %d\n", __FILE__, __LINE__, #call, result_, (int)(wanted)); \
            exit(1);                                                                                     \
        }                                                                                                \
    } while (0)

#define OK(call) EXPECT(call, CUDA_SUCCESS)

// Ends the program with a message unless the condition holds.
#define REQUIRE(condition)                                                                  \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);       \
            exit(1);                                                                        \
        }                                                                                   \
    } while (0)

// Initializes the driver and makes the primary context of device 0 current.
static inline CUdevice begin(void)
{
    CUdevice device;
    CUcontext context;
    OK(cuInit(0));
    OK(cuDeviceGet(&device, 0));
    OK(cuDevicePrimaryCtxRetain(&context, device));
    OK(cuCtxSetCurrent(context));
    return device;
}

static inline CUfunction load(const char *image, const char *name)
{
    CUmodule module;
    CUfunction function;
    OK(cuModuleLoadData(&module, image));
    OK(cuModuleGetFunction(&function, module, name));
    return function;
}

static inline CUresult launch(CUfunction function, unsigned blocks, unsigned threads, void **arguments)
{
    return cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, NULL, arguments, NULL);
}
