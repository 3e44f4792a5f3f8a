public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    private static let contextFlags: UInt32 = 0xFF

    /// The corresponding C function is `cuCtxCreate_v2`.
    public static func ctxCreate(
        _ result: UnsafeMutablePointer<CUcontext?>?, _ flags: UInt32, _ device: CUdevice
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { found in
            guard flags & ~contextFlags == 0, flags & 7 != 7 else { return CUDA_ERROR_INVALID_VALUE }
            guard let thread = ThreadState.mine, let context = makeContext(on: found) else {
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            let status = activate(context, flags: flags)
            guard status == CUDA_SUCCESS else { return status }
            ContextStack.push(context, on: thread)
            result.pointee = handle(of: context)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxCreate_v3`. Affinities to some processors are not supported.
    public static func ctxCreateV3(
        _ result: UnsafeMutablePointer<CUcontext?>?, _ parameters: UnsafeMutablePointer<CUexecAffinityParam>?,
        _ count: Int32, _ flags: UInt32, _ device: CUdevice
    ) -> CUresult {
        guard parameters == nil, count == 0 else { return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY }
        return ctxCreate(result, flags, device)
    }

    /// The corresponding C function is `cuCtxCreate_v4`.
    public static func ctxCreateV4(
        _ result: UnsafeMutablePointer<CUcontext?>?, _ parameters: UnsafeMutablePointer<CUctxCreateParams>?,
        _ flags: UInt32, _ device: CUdevice
    ) -> CUresult {
        if let parameters {
            guard parameters.pointee.numExecAffinityParams == 0 else { return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY }
            guard parameters.pointee.cigParams == nil else { return CUDA_ERROR_NOT_SUPPORTED }
        }
        return ctxCreate(result, flags, device)
    }

    /// The corresponding C function is `cuCtxDestroy_v2`.
    public static func ctxDestroy(_ handle: CUcontext?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let context = contextState(handle), context.pointee.isAlive else { return CUDA_ERROR_INVALID_CONTEXT }
        guard !details(of: context).isPrimary, context.pointee.base == nil else { return CUDA_ERROR_INVALID_CONTEXT }
        if Downloads.areAny, let thread = ThreadState.mine { _ = with(context, thread) { synchronize($0) } }
        deactivate(context)
        if let thread = ThreadState.mine, thread.pointee.current == context { _ = ContextStack.pop(from: thread) }
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuCtxAttach`.
    public static func ctxAttach(_ result: UnsafeMutablePointer<CUcontext?>?, _ flags: UInt32) -> CUresult {
        guard let result, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            details(of: target.context).retainCount &+= 1
            result.pointee = self.handle(of: target.context)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxDetach`.
    public static func ctxDetach(_ handle: CUcontext?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let context = contextState(handle), context.pointee.isAlive else { return CUDA_ERROR_INVALID_CONTEXT }
        let details = details(of: context)
        if details.retainCount > 0 {
            details.retainCount &-= 1
            return CUDA_SUCCESS
        }
        return ctxDestroy(handle)
    }

    // MARK: - The thread's stack

    /// The corresponding C function is `cuCtxPushCurrent_v2`.
    public static func ctxPushCurrent(_ handle: CUcontext?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard let context = contextState(handle), context.pointee.isAlive else { return CUDA_ERROR_INVALID_CONTEXT }
        ContextStack.push(context, on: thread)
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuCtxPopCurrent_v2`.
    public static func ctxPopCurrent(_ result: UnsafeMutablePointer<CUcontext?>?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine, let context = ContextStack.pop(from: thread) else {
            return CUDA_ERROR_INVALID_CONTEXT
        }
        result?.pointee = handle(of: context)
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuCtxSetCurrent`.
    public static func ctxSetCurrent(_ handle: CUcontext?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard let handle else {
            ContextStack.replace(with: nil, on: thread)
            return CUDA_SUCCESS
        }
        // A primary context may be made current before it is retained; it works once it is.
        guard let context = contextState(handle), context.pointee.isAlive || details(of: context).isPrimary else {
            return CUDA_ERROR_INVALID_CONTEXT
        }
        ContextStack.replace(with: context, on: thread)
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuCtxGetCurrent`.
    public static func ctxGetCurrent(_ result: UnsafeMutablePointer<CUcontext?>?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        result.pointee = ThreadState.mine?.pointee.current.flatMap { handle(of: $0) }
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuCtxGetDevice`.
    public static func ctxGetDevice(_ device: UnsafeMutablePointer<CUdevice>?) -> CUresult {
        guard let device else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let context = ThreadState.mine?.pointee.current else { return CUDA_ERROR_INVALID_CONTEXT }
        device.pointee = context.pointee.device
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuCtxGetDevice_v2`.
    public static func ctxGetDeviceV2(_ device: UnsafeMutablePointer<CUdevice>?, _ handle: CUcontext?) -> CUresult {
        guard let device else { return CUDA_ERROR_INVALID_VALUE }
        return named(handle) { context in
            device.pointee = context.pointee.device
            return CUDA_SUCCESS
        }
    }

    /// Runs `body` with the context of a handle; null means the current one.
    static func named(
        _ handle: CUcontext?, _ body: (UnsafeMutablePointer<ContextState>) -> CUresult
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        let context = handle == nil ? ThreadState.mine?.pointee.current : contextState(handle)
        guard let context else { return CUDA_ERROR_INVALID_CONTEXT }
        return body(context)
    }

    /// The corresponding C function is `cuCtxGetId`.
    public static func ctxGetId(_ handle: CUcontext?, _ id: UnsafeMutablePointer<UInt64>?) -> CUresult {
        guard let id else { return CUDA_ERROR_INVALID_VALUE }
        return named(handle) { context in
            guard context.pointee.isAlive else { return CUDA_ERROR_CONTEXT_IS_DESTROYED }
            id.pointee = details(of: context).serial
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxGetApiVersion`.
    public static func ctxGetApiVersion(_ handle: CUcontext?, _ version: UnsafeMutablePointer<UInt32>?) -> CUresult {
        guard let version else { return CUDA_ERROR_INVALID_VALUE }
        return named(handle) { context in
            version.pointee = details(of: context).apiVersion
            return CUDA_SUCCESS
        }
    }

    // MARK: - Waiting

    /// The corresponding C function is `cuCtxSynchronize`.
    public static func ctxSynchronize() -> CUresult { withContext { synchronize($0) } }

    /// The corresponding C function is `cuCtxSynchronize_v2`.
    public static func ctxSynchronizeV2(_ handle: CUcontext?) -> CUresult {
        named(handle) { context in
            guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
            return with(context, thread) { synchronize($0) }
        }
    }

    /// Waits for all work of a context; addresses freed before are then free to use again.
    static func synchronize(_ target: CallTarget) -> CUresult {
        guard let device = device(of: target.context) else { return CUDA_ERROR_INVALID_CONTEXT }
        let allowed = Captures.checkWaiting(for: target.context)
        guard allowed == CUDA_SUCCESS else { return allowed }
        let moment = device.memory.moment
        if Mirrors.streamsMayWait { Mirrors.sendChanges(target) }
        let status =
            Downloads.areAny
            ? Downloads.collect(Downloads.Wait.context, 0, target)
            : target.call(ContextSynchronize(context: target.context.pointee.id))
        if status == CUDA_SUCCESS {
            device.memory.release(through: moment)
            Mirrors.deviceIsIdle(target, .context(target.context.pointee.id))
        }
        return status
    }
}
