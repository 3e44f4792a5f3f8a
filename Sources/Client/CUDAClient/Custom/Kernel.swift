public import CCUDA
internal import ClientRuntime

extension CUDADriver {
    private static func withKernel(
        _ handle: CUkernel?, _ body: (UnsafeMutablePointer<KernelRecord>) -> CUresult
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let kernel = kernelRecord(handle) else { return CUDA_ERROR_INVALID_HANDLE }
        return body(kernel)
    }

    /// Runs `body` with the kernel's function in the current context or, without one, in any that has it.
    private static func withFunction(
        _ handle: CUkernel?, device: CUdevice?, _ body: (UnsafeMutablePointer<FunctionRecord>, CallTarget) -> CUresult
    ) -> CUresult {
        withKernel(handle) { kernel in
            guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
            let known = kernel.pointee.last?.pointee.context
            guard let context = contextFor(device, thread) ?? known else { return CUDA_ERROR_INVALID_CONTEXT }
            return with(context, thread) { target in
                let (status, function) = function(of: kernel, target)
                guard let function else { return status }
                return body(function, target)
            }
        }
    }

    /// The current context if it is of this device, else the device's primary context if it is alive.
    private static func contextFor(
        _ device: CUdevice?, _ thread: UnsafeMutablePointer<ThreadState>
    ) -> UnsafeMutablePointer<ContextState>? {
        let current = thread.pointee.current
        guard let device else { return current }
        if let current, current.pointee.device == device { return current }
        guard device >= 0, Int(device) < primaryContexts.count else { return nil }
        let primary = primaryContexts[Int(device)]
        return primary.pointee.isAlive ? primary : nil
    }

    /// The corresponding C function is `cuKernelGetFunction`.
    public static func kernelGetFunction(_ result: UnsafeMutablePointer<CUfunction?>?, _ handle: CUkernel?) -> CUresult
    {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle, device: nil) { function, _ in
            result.pointee = function.pointee.handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuKernelGetLibrary`.
    public static func kernelGetLibrary(_ result: UnsafeMutablePointer<CUlibrary?>?, _ handle: CUkernel?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withKernel(handle) { kernel in
            result.pointee = kernel.pointee.library.takeUnretainedValue().handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuKernelGetName`.
    public static func kernelGetName(
        _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ handle: CUkernel?
    ) -> CUresult {
        guard let name else { return CUDA_ERROR_INVALID_VALUE }
        return withKernel(handle) { kernel in
            name.pointee = UnsafePointer(kernel.pointee.name)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuKernelGetAttribute`.
    public static func kernelGetAttribute(
        _ value: UnsafeMutablePointer<Int32>?, _ attribute: CUfunction_attribute, _ handle: CUkernel?,
        _ device: CUdevice
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle, device: device) { function, target in get(value, attribute, function, target) }
    }

    /// The corresponding C function is `cuKernelSetAttribute`.
    public static func kernelSetAttribute(
        _ attribute: CUfunction_attribute, _ value: Int32, _ handle: CUkernel?, _ device: CUdevice
    ) -> CUresult {
        withFunction(handle, device: device) { function, target in set(attribute, value, function, target) }
    }

    /// The corresponding C function is `cuKernelSetCacheConfig`.
    public static func kernelSetCacheConfig(_ handle: CUkernel?, _ config: CUfunc_cache, _ device: CUdevice) -> CUresult
    {
        withKernel(handle) { _ in config.rawValue <= 3 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE }
    }

    /// The corresponding C function is `cuKernelGetParamInfo`.
    public static func kernelGetParamInfo(
        _ handle: CUkernel?, _ index: Int, _ offset: UnsafeMutablePointer<Int>?, _ byteCount: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let offset else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle, device: nil) { function, _ in parameter(index, function, offset, byteCount) }
    }

    /// The corresponding C function is `cuKernelGetParamCount`.
    public static func kernelGetParamCount(_ handle: CUkernel?, _ count: UnsafeMutablePointer<Int>?) -> CUresult {
        guard let count else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle, device: nil) { function, _ in
            count.pointee = function.pointee.parameterCount
            return CUDA_SUCCESS
        }
    }
}
