"""The driver's own functions, called from Python without any package: an allocation, copies, a kernel, steps."""

import array
import ctypes
import os

from measure import IS_QUICK, digest, finish, since_start, steps

PTX = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry affine(.param .u64 data, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<4>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  ld.param.u32 %r5, [n];
  setp.ge.u32 %p1, %r4, %r5;
  @%p1 ret;
  ld.param.u64 %rd1, [data];
  mul.wide.u32 %rd2, %r4, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r6, [%rd3];
  mad.lo.u32 %r7, %r6, 5, 3;
  st.global.u32 [%rd3], %r7;
  ret;
}
"""
cuda = ctypes.CDLL(os.environ.get("GPU_CHECK_DRIVER", "libcuda.so.1"))


def check(name, *arguments):
    status = getattr(cuda, name)(*arguments)
    if status:
        raise SystemExit(f"{name} failed with {status}")


context, module, function, device = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int()
check("cuInit", 0)
check("cuDeviceGet", ctypes.byref(device), 0)
check("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
check("cuCtxSetCurrent", context)
check("cuModuleLoadData", ctypes.byref(module), PTX)
check("cuModuleGetFunction", ctypes.byref(function), module, b"affine")
count = 4096
host = array.array("I", range(count))
address = ctypes.c_uint64()
size = ctypes.c_size_t(4 * count)
check("cuMemAlloc_v2", ctypes.byref(address), size)
memory = (ctypes.c_char * (4 * count)).from_buffer(host)
check("cuMemcpyHtoD_v2", address, memory, size)
number = ctypes.c_uint(count)
values = (ctypes.c_void_p * 2)(
    ctypes.cast(ctypes.byref(address), ctypes.c_void_p), ctypes.cast(ctypes.byref(number), ctypes.c_void_p))


def step():
    for _ in range(50):
        check("cuLaunchKernel", function, count // 256, 1, 1, 256, 1, 1, 0, None, values, None)


check("cuStreamSynchronize", None)
started = since_start()
measured = steps(
    step, lambda: check("cuStreamSynchronize", None), 1, 5 if IS_QUICK else 20,
    lambda: check("cuProfilerStart"), lambda: check("cuProfilerStop"))
check("cuMemcpyDtoH_v2", memory, address, size)
check("cuMemFree_v2", address)
finish(**measured, startSeconds=started, digest=digest(bytes(memory)))
