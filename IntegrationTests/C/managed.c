// Managed variables of a library: asked for before there is a context, as the CUDA runtime does, and kept alike on
// both sides; a kernel of the same library changes them.
#include "check.h"
#include "kernels.h"

static const char managed_ptx[] = PTX_HEADER
    ".visible .global .attribute(.managed) .align 4 .u32 count = 5;\n"
    ".visible .global .align 4 .u32 plain = 7;\n"
    ".visible .entry next()\n"
    "{\n"
    "  .reg .b32 %r<2>;\n"
    "  ld.global.u32 %r1, [count];\n"
    "  add.u32 %r1, %r1, 1;\n"
    "  st.global.u32 [count], %r1;\n"
    "  ret;\n"
    "}\n";

int main(void)
{
    CUlibrary library;
    CUdeviceptr address = 0, again = 0;
    size_t size = 0;
    OK(cuInit(0));
    OK(cuLibraryLoadData(&library, managed_ptx, NULL, NULL, 0, NULL, NULL, 0));
    OK(cuLibraryGetManaged(&address, &size, library, "count"));
    REQUIRE(address != 0 && size == 4);
    volatile unsigned *count = (volatile unsigned *)address;
    REQUIRE(*count == 5);
    EXPECT(cuLibraryGetManaged(&again, NULL, library, "plain"), CUDA_ERROR_NOT_FOUND);
    EXPECT(cuLibraryGetManaged(&again, NULL, library, "nobody"), CUDA_ERROR_NOT_FOUND);

    begin();
    OK(cuLibraryGetGlobal(&again, &size, library, "count"));
    REQUIRE(again == address && size == 4);
    unsigned isManaged = 0;
    OK(cuPointerGetAttribute(&isManaged, CU_POINTER_ATTRIBUTE_IS_MANAGED, address));
    REQUIRE(isManaged == 1);

    CUkernel kernel;
    OK(cuLibraryGetKernel(&kernel, library, "next"));
    OK(launch((CUfunction)kernel, 1, 1, NULL));
    OK(cuCtxSynchronize());
    REQUIRE(*count == 6);
    *count = 41;
    OK(launch((CUfunction)kernel, 1, 1, NULL));
    OK(cuCtxSynchronize());
    REQUIRE(*count == 42);

    // A library loaded anew at the same place begins with its own value.
    OK(cuLibraryUnload(library));
    OK(cuLibraryLoadData(&library, managed_ptx, NULL, NULL, 0, NULL, NULL, 0));
    OK(cuLibraryGetManaged(&address, NULL, library, "count"));
    REQUIRE(*(volatile unsigned *)address == 5);
    puts("PASS");
    return 0;
}
