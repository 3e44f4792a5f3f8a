public import CCUDA
internal import ClientRuntime
internal import Primitives

extension CUDADriver {
    /// The primary context of a device, retained or not.
    static func primaryContext(of device: Device) -> UnsafeMutablePointer<ContextState>? {
        let index = Int(device.ordinal)
        return index < primaryContexts.count ? primaryContexts[index] : nil
    }

    private static func withPrimary(
        _ ordinal: CUdevice, _ body: (UnsafeMutablePointer<ContextState>, ContextDetails) -> CUresult
    ) -> CUresult {
        withDevice(ordinal) { device in
            guard let context = primaryContext(of: device) else { return CUDA_ERROR_INVALID_DEVICE }
            // Rare calls, and two threads must not bring the same context to life.
            initializationLock.acquire()
            defer { initializationLock.release() }
            return body(context, details(of: context))
        }
    }

    /// The corresponding C function is `cuDevicePrimaryCtxRetain`.
    public static func devicePrimaryCtxRetain(
        _ result: UnsafeMutablePointer<CUcontext?>?, _ ordinal: CUdevice
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withPrimary(ordinal) { context, details in
            if !context.pointee.isAlive {
                let status = activate(context, flags: details.flags)
                guard status == CUDA_SUCCESS else { return status }
            }
            details.retainCount &+= 1
            result.pointee = handle(of: context)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDevicePrimaryCtxRelease_v2`.
    public static func devicePrimaryCtxRelease(_ ordinal: CUdevice) -> CUresult {
        withPrimary(ordinal) { context, details in
            guard details.retainCount > 0 else { return CUDA_ERROR_INVALID_CONTEXT }
            details.retainCount &-= 1
            if details.retainCount == 0 { deactivate(context) }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDevicePrimaryCtxReset_v2`.
    public static func devicePrimaryCtxReset(_ ordinal: CUdevice) -> CUresult {
        withPrimary(ordinal) { context, details in
            guard context.pointee.isAlive else { return CUDA_SUCCESS }
            deactivate(context)
            // Whoever retained it keeps it, fresh: programs go on with the same handle after a reset.
            return details.retainCount > 0 ? activate(context, flags: details.flags) : CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDevicePrimaryCtxSetFlags_v2`.
    public static func devicePrimaryCtxSetFlags(_ ordinal: CUdevice, _ flags: UInt32) -> CUresult {
        withPrimary(ordinal) { _, details in
            guard flags & ~0xFF == 0, flags & 7 != 7 else { return CUDA_ERROR_INVALID_VALUE }
            details.flags = flags
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDevicePrimaryCtxGetState`.
    public static func devicePrimaryCtxGetState(
        _ ordinal: CUdevice, _ flags: UnsafeMutablePointer<UInt32>?, _ active: UnsafeMutablePointer<Int32>?
    ) -> CUresult {
        guard let flags, let active else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(ordinal) { device in
            guard let context = primaryContext(of: device) else { return CUDA_ERROR_INVALID_DEVICE }
            flags.pointee = details(of: context).flags
            active.pointee = context.pointee.isAlive ? 1 : 0
            return CUDA_SUCCESS
        }
    }
}
