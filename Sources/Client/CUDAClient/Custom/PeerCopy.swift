public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// The corresponding C function is `cuMemcpyPeer`.
    public static func memcpyPeer(
        _ destination: CUdeviceptr, _ destinationContext: CUcontext?, _ source: CUdeviceptr,
        _ sourceContext: CUcontext?, _ byteCount: Int
    ) -> CUresult {
        peer(destination, destinationContext, source, sourceContext, byteCount, nil)
    }

    /// The corresponding C function is `cuMemcpyPeerAsync`.
    public static func memcpyPeerAsync(
        _ destination: CUdeviceptr, _ destinationContext: CUcontext?, _ source: CUdeviceptr,
        _ sourceContext: CUcontext?, _ byteCount: Int, _ stream: CUstream?
    ) -> CUresult {
        peer(destination, destinationContext, source, sourceContext, byteCount, stream)
    }

    private static func peer(
        _ destination: CUdeviceptr, _ destinationContext: CUcontext?, _ source: CUdeviceptr,
        _ sourceContext: CUcontext?, _ byteCount: Int, _ stream: CUstream?
    ) -> CUresult {
        withContext { target in
            guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
            target.thread.pointee.route = nil
            let isRight = isMemory(destination, of: destinationContext) && isMemory(source, of: sourceContext)
            guard contextState(destinationContext) != nil, contextState(sourceContext) != nil else {
                return CUDA_ERROR_INVALID_CONTEXT
            }
            guard byteCount > 0 else { return byteCount == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE }
            guard isRight else { return CUDA_ERROR_INVALID_VALUE }
            return copy(to: .device(destination), from: .device(source), byteCount, stream: id, target)
        }
    }

    /// Whether an address belongs to the device of a context.
    private static func isMemory(_ address: UInt64, of handle: CUcontext?) -> Bool {
        guard let context = contextState(handle), let device = device(containing: address) else { return false }
        return device.ordinal == context.pointee.device
    }

    /// The corresponding C function is `cuMemcpy3DPeer`.
    public static func memcpy3DPeer(_ request: UnsafePointer<CUDA_MEMCPY3D_PEER>?) -> CUresult {
        memcpy3DPeerAsync(request, nil)
    }

    /// The corresponding C function is `cuMemcpy3DPeerAsync`. Where memory is says its address.
    public static func memcpy3DPeerAsync(
        _ request: UnsafePointer<CUDA_MEMCPY3D_PEER>?, _ stream: CUstream?
    ) -> CUresult {
        guard let request = request?.pointee else { return CUDA_ERROR_INVALID_VALUE }
        let ends = [
            (request.srcMemoryType, request.srcDevice, request.srcContext),
            (request.dstMemoryType, request.dstDevice, request.dstContext),
        ]
        for (type, address, context) in ends where type == CU_MEMORYTYPE_DEVICE && address != 0 {
            guard contextState(context) != nil else { return CUDA_ERROR_INVALID_CONTEXT }
            guard isMemory(address, of: context) else { return CUDA_ERROR_INVALID_VALUE }
        }
        var copy = CUDA_MEMCPY3D()
        (copy.srcXInBytes, copy.srcY, copy.srcZ) = (request.srcXInBytes, request.srcY, request.srcZ)
        (copy.srcLOD, copy.srcMemoryType) = (request.srcLOD, request.srcMemoryType)
        (copy.srcHost, copy.srcDevice, copy.srcArray) = (request.srcHost, request.srcDevice, request.srcArray)
        (copy.srcPitch, copy.srcHeight) = (request.srcPitch, request.srcHeight)
        (copy.dstXInBytes, copy.dstY, copy.dstZ) = (request.dstXInBytes, request.dstY, request.dstZ)
        (copy.dstLOD, copy.dstMemoryType) = (request.dstLOD, request.dstMemoryType)
        (copy.dstHost, copy.dstDevice, copy.dstArray) = (request.dstHost, request.dstDevice, request.dstArray)
        (copy.dstPitch, copy.dstHeight) = (request.dstPitch, request.dstHeight)
        (copy.WidthInBytes, copy.Height, copy.Depth) = (request.WidthInBytes, request.Height, request.Depth)
        return withUnsafePointer(to: copy) { memcpy3DAsyncV2($0, stream) }
    }

    // MARK: - Events of other devices

    /// Has a stream wait for an event of another device's worker; nil when both are of one.
    static func waitAcrossWorkers(_ command: StreamWaitEvent) -> CUresult? {
        guard let thread = ThreadState.mine, let handleRegion,
            let event = handleRegion.pointee.entry(UInt32(truncatingIfNeeded: command.hEvent)).pointee.context,
            let stream = streamContext(command.hStream, thread), stream.pointee.worker != event.pointee.worker
        else { return nil }
        thread.pointee.route = nil
        var refused: CUresult?
        _ = with(stream, thread) { target in
            refused = Captures.refuse(command.hStream, target)
            return CUDA_SUCCESS
        }
        if let refused { return refused }
        let (made, id) = signalStream(of: event, thread)
        guard made == CUDA_SUCCESS else { return made }
        let signal = PeerEnd(signalOf: event, stream: id)
        let status = with(event, thread) { target in
            target.send(StreamWaitEvent(hStream: signal.stream, hEvent: command.hEvent, Flags: 0))
        }
        guard status == CUDA_SUCCESS else { return status }
        return Peers.order(PeerEnd(signalOf: stream, stream: command.hStream), after: signal, thread)
    }

    /// The stream of a context in which events are waited for on behalf of other workers.
    private static func signalStream(
        of context: UnsafeMutablePointer<ContextState>, _ thread: UnsafeMutablePointer<ThreadState>
    ) -> (status: CUresult, id: UInt64) {
        // Rare, and two threads must not make two.
        initializationLock.acquire()
        defer { initializationLock.release() }
        let details = details(of: context)
        if details.signalStream != 0 { return (CUDA_SUCCESS, details.signalStream) }
        guard let made = makeHandle(.stream, context: context, object: nil) else {
            return (CUDA_ERROR_OUT_OF_MEMORY, 0)
        }
        let status = with(context, thread) { $0.send(StreamCreate(phStream: made.id, Flags: 1)) }
        if status == CUDA_SUCCESS { details.signalStream = made.id }
        return (status, made.id)
    }

    /// The context that a stream's id on the wire belongs to.
    private static func streamContext(
        _ id: UInt64, _ thread: UnsafeMutablePointer<ThreadState>
    ) -> UnsafeMutablePointer<ContextState>? {
        guard id > StreamID.perThread, let handleRegion else { return thread.pointee.current }
        return handleRegion.pointee.entry(UInt32(truncatingIfNeeded: id)).pointee.context
    }
}
