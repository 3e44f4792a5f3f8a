// Every exported name of the list given as argument resolves through cuGetProcAddress_v2 or is its own symbol, and
// versions and per-thread-stream variants are told apart.
#include "check.h"
#include <dlfcn.h>

int main(int argc, char **argv)
{
    REQUIRE(argc == 2);
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    REQUIRE(library != NULL);
    void *pointer = NULL, *other = NULL;
    CUdriverProcAddressQueryResult found;

    FILE *list = fopen(argv[1], "r");
    REQUIRE(list != NULL);
    char name[256];
    int count = 0;
    while (fscanf(list, "%255s", name) == 1) {
        if (dlsym(library, name) == NULL) {
            fprintf(stderr, "not exported: %s\n", name);
            return 1;
        }
        count++;
    }
    fclose(list);
    REQUIRE(count > 600);

    OK(cuGetProcAddress_v2("cuMemAlloc", &pointer, 13000, CU_GET_PROC_ADDRESS_DEFAULT, &found));
    REQUIRE(pointer == dlsym(library, "cuMemAlloc_v2") && found == CU_GET_PROC_ADDRESS_SUCCESS);
    // The newest form that the caller's version knows.
    OK(cuGetProcAddress_v2("cuCtxCreate", &pointer, 12000, CU_GET_PROC_ADDRESS_DEFAULT, NULL));
    OK(cuGetProcAddress_v2("cuCtxCreate", &other, 13000, CU_GET_PROC_ADDRESS_DEFAULT, NULL));
    REQUIRE(pointer != NULL && other != NULL && pointer != other);
    REQUIRE(other == dlsym(library, "cuCtxCreate_v4"));
    // The form with a per-thread default stream.
    OK(cuGetProcAddress_v2("cuMemcpyHtoD", &pointer, 13000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, NULL));
    REQUIRE(pointer == dlsym(library, "cuMemcpyHtoD_v2_ptds"));
    OK(cuGetProcAddress_v2("cuMemAlloc", &pointer, 13000, CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, NULL));
    REQUIRE(pointer == dlsym(library, "cuMemAlloc_v2"));
    // What does not exist, and what is too new for the caller.
    pointer = &pointer;
    (void)cuGetProcAddress_v2("cuNoSuchFunction", &pointer, 13000, 0, &found);
    REQUIRE(pointer == NULL && found == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
    REQUIRE(cuGetProcAddress_v2("cuNoSuchFunction", &pointer, 13000, 0, NULL) != CUDA_SUCCESS);
    REQUIRE(cuGetProcAddress_v2("", &pointer, 0, 0, NULL) != CUDA_SUCCESS);
    pointer = &pointer;
    (void)cuGetProcAddress_v2("cuLibraryLoadData", &pointer, 11000, 0, &found);
    REQUIRE(pointer == NULL && found == CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
    // What is declared but not there says so, and is no missing symbol.
    OK(cuGetProcAddress_v2("cuTexObjectCreate", &pointer, 13000, 0, &found));
    OK(cuInit(0));
    EXPECT(((CUresult(*)(void *, void *, void *, void *))pointer)(NULL, NULL, NULL, NULL), CUDA_ERROR_NOT_SUPPORTED);
    puts("PASS");
    return 0;
}
