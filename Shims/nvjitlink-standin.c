// Takes the place of libnvJitLink in a process whose vGPU runs PTX, so that front ends keep their PTX.
//
// numba-cuda and cuda.core link with nvJitLink when they find it, which turns PTX into machine code of a real GPU. Both
// ask for the symbol __nvJitLinkVersion first; a library without it counts as too old, and they fall back to the
// driver's cuLink* calls, which take PTX. `roost run` preloads this library, so the loader answers every later request
// for the same soname with it.
//
// The entry points with a version in their name are there because cuSPARSE and cuSOLVER import them: a program that only
// loads those libraries goes on working. Each returns NVJITLINK_ERROR_INTERNAL.

#define NVJITLINK_ERROR_INTERNAL 6

#define ENTRY(name, minor) ENTRY_(name, NVJITLINK_MAJOR, minor)
#define ENTRY_(name, major, minor) ENTRY__(name, major, minor)
#define ENTRY__(name, major, minor)                         \
    int __nvJitLink##name##_##major##_##minor(void);        \
    int __nvJitLink##name##_##major##_##minor(void)         \
    {                                                       \
        return NVJITLINK_ERROR_INTERNAL;                    \
    }

#define EVERY_MINOR(name)                                                   \
    ENTRY(name, 0) ENTRY(name, 1) ENTRY(name, 2) ENTRY(name, 3) ENTRY(name, 4) \
    ENTRY(name, 5) ENTRY(name, 6) ENTRY(name, 7) ENTRY(name, 8) ENTRY(name, 9)

EVERY_MINOR(Create)
EVERY_MINOR(Destroy)
EVERY_MINOR(AddData)
EVERY_MINOR(AddFile)
EVERY_MINOR(Complete)
EVERY_MINOR(GetLinkedCubinSize)
EVERY_MINOR(GetLinkedCubin)
EVERY_MINOR(GetLinkedPtxSize)
EVERY_MINOR(GetLinkedPtx)
EVERY_MINOR(GetErrorLogSize)
EVERY_MINOR(GetErrorLog)
EVERY_MINOR(GetInfoLogSize)
EVERY_MINOR(GetInfoLog)
