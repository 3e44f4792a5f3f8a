// Loaded with dlopen, closed, loaded again: the handle is the same library, and a closed library's device still works.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                            \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

typedef int (*init_t)(unsigned);
typedef int (*count_t)(int *);

int main(void)
{
    for (int round = 0; round < 3; round++) {
        void *library = dlopen("libcuda.so.1", round == 1 ? RTLD_NOW | RTLD_GLOBAL : RTLD_LAZY);
        if (library == NULL)
            fprintf(stderr, "%s\n", dlerror());
        REQUIRE(library != NULL);
        init_t init = (init_t)dlsym(library, "cuInit");
        count_t count = (count_t)dlsym(library, "cuDeviceGetCount");
        REQUIRE(init != NULL && count != NULL);
        int devices = 0;
        REQUIRE(init(0) == 0);
        REQUIRE(count(&devices) == 0 && devices == 1);
        REQUIRE(dlclose(library) == 0);
    }
    puts("PASS");
    return 0;
}
