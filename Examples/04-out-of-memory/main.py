"""Takes memory until the device has none left, and expects the CUDA out-of-memory error at the vGPU's own limit."""

import sys

from cuda.bindings import driver

CHUNK = 32 << 20
# A device that lets a program take this much has no limit worth the name.
ABSURD = 1 << 40


def check(result):
    if result[0] != driver.CUresult.CUDA_SUCCESS:
        raise RuntimeError(f"driver call failed with {result[0].name}")
    return result[1] if len(result) == 2 else result[1:]


def main():
    check(driver.cuInit(0))
    device = check(driver.cuDeviceGet(0))
    check(driver.cuCtxSetCurrent(check(driver.cuDevicePrimaryCtxRetain(device))))
    size = check(driver.cuDeviceTotalMem(device))
    free, total = check(driver.cuMemGetInfo())
    print(f"out-of-memory: the device has {total >> 20} MiB, {free >> 20} MiB of it free")
    assert total == size

    held = []
    while True:
        result, pointer = driver.cuMemAlloc(CHUNK)
        if result == driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            break
        check((result, pointer))
        held.append(pointer)
        assert len(held) * CHUNK < ABSURD, "no limit in sight"
    taken = len(held) * CHUNK
    print(f"out-of-memory: CUDA_ERROR_OUT_OF_MEMORY after {taken >> 20} MiB")
    assert taken <= total, "more memory than the device has"
    assert taken + CHUNK > free, "refused although there was room"

    for pointer in held:
        check(driver.cuMemFree(pointer))
    again = check(driver.cuMemAlloc(CHUNK))
    check(driver.cuMemFree(again))
    print("out-of-memory: freed it all, and an allocation works again")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(f"out-of-memory: FAIL {type(error).__name__}: {error}")
        sys.exit(1)
    print("out-of-memory: PASS")
