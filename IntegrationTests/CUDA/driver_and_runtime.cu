// The driver, loaded by hand, and the runtime in one program: the same contexts, streams and memory.
#include "check.cuh"

#include <cuda.h>
#include <dlfcn.h>

__global__ void add(int *values, int term) { values[threadIdx.x] += term; }

static const char text[] =
    ".version 7.0\n.target sm_80\n.address_size 64\n"
    ".visible .entry negate(.param .u64 values)\n{\n"
    "  .reg .b32 %r<4>;\n  .reg .b64 %rd<4>;\n"
    "  ld.param.u64 %rd1, [values];\n  mov.u32 %r1, %tid.x;\n  mul.wide.u32 %rd2, %r1, 4;\n"
    "  add.s64 %rd3, %rd1, %rd2;\n  ld.global.u32 %r2, [%rd3];\n  neg.s32 %r3, %r2;\n"
    "  st.global.u32 [%rd3], %r3;\n  ret;\n}\n";

static void *library;

template <typename Function>
static Function *driver(const char *name)
{
    void *const symbol = dlsym(library, name);
    REQUIRE(symbol != nullptr);
    return reinterpret_cast<Function *>(symbol);
}

int main()
{
    library = dlopen("libcuda.so.1", RTLD_NOW);
    REQUIRE(library != nullptr);
    OK(driver<CUresult(unsigned)>("cuInit")(0));
    CUcontext context = nullptr, primary = nullptr;
    OK(driver<CUresult(CUcontext *)>("cuCtxGetCurrent")(&context));
    REQUIRE(context == nullptr);
    int *const values = device_array<int>(32);
    // The runtime has made the primary context and left it current.
    OK(driver<CUresult(CUcontext *)>("cuCtxGetCurrent")(&context));
    REQUIRE(context != nullptr);
    OK(driver<CUresult(CUcontext *, CUdevice)>("cuDevicePrimaryCtxRetain")(&primary, 0));
    REQUIRE(primary == context);
    OK(cudaMemset(values, 0, 32 * sizeof(int)));

    CUmodule module;
    CUfunction function;
    OK(driver<CUresult(CUmodule *, const void *)>("cuModuleLoadData")(&module, text));
    OK(driver<CUresult(CUfunction *, CUmodule, const char *)>("cuModuleGetFunction")(&function, module, "negate"));
    cudaStream_t stream;
    OK(cudaStreamCreate(&stream));
    add<<<1, 32, 0, stream>>>(values, 5);
    void *arguments[] = {const_cast<int **>(&values)};
    using Launch = CUresult(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream,
                            void **, void **);
    OK(driver<Launch>("cuLaunchKernel")(function, 1, 1, 1, 32, 1, 1, 0, stream, arguments, nullptr));
    add<<<1, 32, 0, stream>>>(values, 1);
    OK(driver<CUresult(CUstream)>("cuStreamSynchronize")(stream));
    int host[32];
    OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
    for (int value : host) REQUIRE(value == -4);

    // The runtime hands out the same entry points.
    void *entry = nullptr;
#if CUDART_VERSION >= 12050
    cudaDriverEntryPointQueryResult found;
    OK(cudaGetDriverEntryPointByVersion("cuMemGetInfo", &entry, 12000, cudaEnableDefault, &found));
    REQUIRE(found == cudaDriverEntryPointSuccess);
    REQUIRE(entry == dlsym(library, "cuMemGetInfo_v2"));
    OK(cudaGetDriverEntryPointByVersion("cuNoSuchThing", &entry, 12000, cudaEnableDefault, &found));
    REQUIRE(found == cudaDriverEntryPointSymbolNotFound && entry == nullptr);
#else
    OK(cudaGetDriverEntryPoint("cuMemGetInfo", &entry, cudaEnableDefault));
    REQUIRE(entry == dlsym(library, "cuMemGetInfo_v2"));
#endif
    return pass();
}
