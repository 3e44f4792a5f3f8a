public import CCUDA
internal import ClientRuntime

extension CUDADriver {
    /// What is known of a stream: the reserved ones belong to the current context.
    static func withStream(
        _ stream: CUstream?,
        _ body: (UnsafeMutablePointer<ContextState>, UnsafeMutablePointer<HandleEntry>?) -> CUresult
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        if UInt(bitPattern: stream) <= 2 {
            return withContext { body($0.thread.pointee.current ?? $0.context, nil) }
        }
        guard let entry = entry(stream, .stream), let context = entry.pointee.context else {
            return CUDA_ERROR_INVALID_HANDLE
        }
        return body(context, entry)
    }

    /// The corresponding C function is `cuStreamGetPriority`.
    public static func streamGetPriority(_ stream: CUstream?, _ priority: UnsafeMutablePointer<Int32>?) -> CUresult {
        guard let priority else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { _, entry in
            priority.pointee = Int32(truncatingIfNeeded: entry?.pointee.value ?? 0)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuStreamGetFlags`.
    public static func streamGetFlags(_ stream: CUstream?, _ flags: UnsafeMutablePointer<UInt32>?) -> CUresult {
        guard let flags else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { _, entry in
            flags.pointee = entry?.pointee.flags ?? 0
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuStreamGetDevice`.
    public static func streamGetDevice(_ stream: CUstream?, _ device: UnsafeMutablePointer<CUdevice>?) -> CUresult {
        guard let device else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { context, _ in
            device.pointee = context.pointee.device
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuStreamGetId`.
    public static func streamGetId(_ stream: CUstream?, _ id: UnsafeMutablePointer<UInt64>?) -> CUresult {
        guard let id else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { context, entry in
            id.pointee =
                entry == nil
                ? details(of: context).serial << 8 | UInt64(max(1, UInt(bitPattern: stream)))
                : wireID(stream, .stream) << 8
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuStreamGetCtx`.
    public static func streamGetCtx(_ stream: CUstream?, _ result: UnsafeMutablePointer<CUcontext?>?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { context, _ in
            result.pointee = handle(of: context.pointee.base ?? context)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuStreamGetCtx_v2`. A green context's stream names the primary context too.
    public static func streamGetCtxV2(
        _ stream: CUstream?, _ result: UnsafeMutablePointer<CUcontext?>?, _ green: UnsafeMutablePointer<CUgreenCtx?>?
    ) -> CUresult {
        let status = streamGetCtx(stream, result)
        guard status == CUDA_SUCCESS, let green else { return status }
        return streamGetGreenCtx(stream, green)
    }

    /// The corresponding C function is `cuStreamGetGreenCtx`.
    public static func streamGetGreenCtx(
        _ stream: CUstream?, _ result: UnsafeMutablePointer<CUgreenCtx?>?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { context, _ in
            result.pointee = green(of: context)?.handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuStreamAttachMemAsync`. Managed memory is visible everywhere anyway.
    public static func streamAttachMemAsync(
        _ stream: CUstream?, _ address: CUdeviceptr, _ byteCount: Int, _ flags: UInt32
    ) -> CUresult {
        guard flags == 1 || flags == 2 || flags == 4 else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { _, _ in
            isManaged(address, byteCount: 1) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE
        }
    }
}
