public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

extension CUDADriver {
    /// Runs a copy that the program waits for.
    static func waiting(_ body: (CallTarget) -> CUresult) -> CUresult {
        withContext { target in
            let allowed = Captures.checkUnsafe(target.thread)
            guard allowed == CUDA_SUCCESS else { return allowed }
            let status = body(target)
            guard status == CUDA_SUCCESS else { return status }
            // A waiting copy waits for the streams that the default stream keeps order with, too.
            if Downloads.areAny { return synchronize(target) }
            return Mirrors.copyIsOver(target, stream: StreamID.legacyDefault)
        }
    }

    /// Runs a copy in a stream; the program goes on before it is done.
    static func queued(_ stream: CUstream?, _ body: (CallTarget, UInt64) -> CUresult) -> CUresult {
        withContext { target in
            guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
            target.thread.pointee.route = nil
            var target = target
            target.isQueued = true
            return body(target, id)
        }
    }

    /// Copies between addresses of which CUDA knows itself what they are.
    static func unified(
        _ destination: CUdeviceptr, _ source: CUdeviceptr, _ byteCount: Int, _ stream: UInt64, _ target: CallTarget
    ) -> CUresult {
        guard byteCount != 0 else { return CUDA_SUCCESS }
        guard let to = end(of: destination, target), let from = end(of: source, target) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return copy(to: to, from: from, byteCount, stream: stream, target)
    }

    /// The corresponding C function is `cuMemcpy`.
    public static func memcpy(_ destination: CUdeviceptr, _ source: CUdeviceptr, _ byteCount: Int) -> CUresult {
        waiting { unified(destination, source, byteCount, StreamID.legacyDefault, $0) }
    }

    /// The corresponding C function is `cuMemcpyAsync`.
    public static func memcpyAsync(
        _ destination: CUdeviceptr, _ source: CUdeviceptr, _ byteCount: Int, _ stream: CUstream?
    ) -> CUresult {
        queued(stream) { unified(destination, source, byteCount, $1, $0) }
    }

    /// The corresponding C function is `cuMemcpyHtoD_v2`.
    public static func memcpyHtoDV2(
        _ destination: CUdeviceptr, _ source: UnsafeRawPointer?, _ byteCount: Int
    ) -> CUresult {
        waiting { upload(destination, source, byteCount, StreamID.legacyDefault, $0) }
    }

    /// The corresponding C function is `cuMemcpyHtoDAsync_v2`. The bytes are taken before it returns.
    public static func memcpyHtoDAsyncV2(
        _ destination: CUdeviceptr, _ source: UnsafeRawPointer?, _ byteCount: Int, _ stream: CUstream?
    ) -> CUresult {
        queued(stream) { upload(destination, source, byteCount, $1, $0) }
    }

    private static func upload(
        _ destination: CUdeviceptr, _ source: UnsafeRawPointer?, _ byteCount: Int, _ stream: UInt64,
        _ target: CallTarget
    ) -> CUresult {
        guard byteCount != 0 else { return CUDA_SUCCESS }
        guard let source else { return CUDA_ERROR_INVALID_VALUE }
        return copy(
            to: .device(destination), from: .host(UnsafeMutableRawPointer(mutating: source)), byteCount,
            stream: stream, target)
    }

    /// The corresponding C function is `cuMemcpyDtoH_v2`.
    public static func memcpyDtoHV2(
        _ destination: UnsafeMutableRawPointer?, _ source: CUdeviceptr, _ byteCount: Int
    ) -> CUresult {
        waiting { download(destination, source, byteCount, StreamID.legacyDefault, $0) }
    }

    /// The corresponding C function is `cuMemcpyDtoHAsync_v2`. It returns when the bytes are there, or, for pinned
    /// memory, at once.
    public static func memcpyDtoHAsyncV2(
        _ destination: UnsafeMutableRawPointer?, _ source: CUdeviceptr, _ byteCount: Int, _ stream: CUstream?
    ) -> CUresult {
        queued(stream) { download(destination, source, byteCount, $1, $0) }
    }

    private static func download(
        _ destination: UnsafeMutableRawPointer?, _ source: CUdeviceptr, _ byteCount: Int, _ stream: UInt64,
        _ target: CallTarget
    ) -> CUresult {
        guard byteCount != 0 else { return CUDA_SUCCESS }
        guard let destination else { return CUDA_ERROR_INVALID_VALUE }
        return copy(to: .host(destination), from: .device(source), byteCount, stream: stream, target)
    }

    /// The corresponding C function is `cuMemcpyDtoD_v2`.
    public static func memcpyDtoDV2(_ destination: CUdeviceptr, _ source: CUdeviceptr, _ byteCount: Int) -> CUresult {
        waiting { copy(to: .device(destination), from: .device(source), byteCount, stream: StreamID.legacyDefault, $0) }
    }

    /// The corresponding C function is `cuMemcpyDtoDAsync_v2`.
    public static func memcpyDtoDAsyncV2(
        _ destination: CUdeviceptr, _ source: CUdeviceptr, _ byteCount: Int, _ stream: CUstream?
    ) -> CUresult {
        queued(stream) { copy(to: .device(destination), from: .device(source), byteCount, stream: $1, $0) }
    }

    // MARK: - Two and three dimensions

    /// The corresponding C function is `cuMemcpy2D_v2`.
    public static func memcpy2DV2(_ request: UnsafePointer<CUDA_MEMCPY2D>?) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return waiting { copy2D(request.pointee, StreamID.legacyDefault, $0) }
    }

    /// The corresponding C function is `cuMemcpy2DUnaligned_v2`.
    public static func memcpy2DUnalignedV2(_ request: UnsafePointer<CUDA_MEMCPY2D>?) -> CUresult {
        memcpy2DV2(request)
    }

    /// The corresponding C function is `cuMemcpy2DAsync_v2`.
    public static func memcpy2DAsyncV2(_ request: UnsafePointer<CUDA_MEMCPY2D>?, _ stream: CUstream?) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return queued(stream) { copy2D(request.pointee, $1, $0) }
    }

    private static func copy2D(_ request: CUDA_MEMCPY2D, _ stream: UInt64, _ target: CallTarget) -> CUresult {
        var box = CUDA_MEMCPY3D()
        box.srcXInBytes = request.srcXInBytes
        box.srcY = request.srcY
        box.srcMemoryType = request.srcMemoryType
        box.srcHost = request.srcHost
        box.srcDevice = request.srcDevice
        box.srcArray = request.srcArray
        box.srcPitch = request.srcPitch
        box.dstXInBytes = request.dstXInBytes
        box.dstY = request.dstY
        box.dstMemoryType = request.dstMemoryType
        box.dstHost = request.dstHost
        box.dstDevice = request.dstDevice
        box.dstArray = request.dstArray
        box.dstPitch = request.dstPitch
        box.WidthInBytes = request.WidthInBytes
        box.Height = request.Height
        box.Depth = 1
        return copy3D(box, stream, target)
    }

    /// The corresponding C function is `cuMemcpy3D_v2`.
    public static func memcpy3DV2(_ request: UnsafePointer<CUDA_MEMCPY3D>?) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return waiting { copy3D(request.pointee, StreamID.legacyDefault, $0) }
    }

    /// The corresponding C function is `cuMemcpy3DAsync_v2`.
    public static func memcpy3DAsyncV2(_ request: UnsafePointer<CUDA_MEMCPY3D>?, _ stream: CUstream?) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return queued(stream) { copy3D(request.pointee, $1, $0) }
    }

    /// Copies a box between hosts, devices and arrays.
    static func copy3D(_ request: CUDA_MEMCPY3D, _ stream: UInt64, _ target: CallTarget) -> CUresult {
        let isEmpty = request.WidthInBytes == 0 || request.Height == 0 || request.Depth == 0
        guard !isEmpty else { return CUDA_SUCCESS }
        if request.srcMemoryType == CU_MEMORYTYPE_ARRAY || request.dstMemoryType == CU_MEMORYTYPE_ARRAY {
            let (status, plan) = planArrayCopy(request, target)
            guard let plan else { return status }
            return copy(to: plan.to, from: plan.from, plan.box, stream: stream, target)
        }
        let (status, plan) = planCopy(request, target)
        guard let plan else { return status }
        return copy(to: plan.to, from: plan.from, plan.box, stream: stream, target)
    }

    typealias CopyPlan = (to: CopyPlane, from: CopyPlane, box: Box)

    /// What a request means.
    static func planCopy(_ request: CUDA_MEMCPY3D, _ target: CallTarget) -> (CUresult, CopyPlan?) {
        guard request.srcLOD == 0, request.dstLOD == 0 else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        let (source, destination) = corners(of: request)
        let (sourceStatus, from) = plane(source, request, target)
        guard let from else { return (sourceStatus, nil) }
        let (destinationStatus, to) = plane(destination, request, target)
        guard let to else { return (destinationStatus, nil) }
        guard let box = Box(width: request.WidthInBytes, height: request.Height, depth: request.Depth) else {
            return (CUDA_ERROR_INVALID_VALUE, nil)
        }
        return (CUDA_SUCCESS, (to, from, box))
    }

    static func corners(of request: CUDA_MEMCPY3D) -> (source: Corner, destination: Corner) {
        let source = Corner(
            type: request.srcMemoryType, host: UnsafeMutableRawPointer(mutating: request.srcHost),
            device: request.srcDevice, x: request.srcXInBytes, y: request.srcY, z: request.srcZ,
            pitch: request.srcPitch, height: request.srcHeight)
        let destination = Corner(
            type: request.dstMemoryType, host: request.dstHost, device: request.dstDevice, x: request.dstXInBytes,
            y: request.dstY, z: request.dstZ, pitch: request.dstPitch, height: request.dstHeight)
        return (source, destination)
    }

    /// One side of a request.
    struct Corner {
        var type: CUmemorytype
        var host: UnsafeMutableRawPointer?
        var device: CUdeviceptr
        var x: Int
        var y: Int
        var z: Int
        var pitch: Int
        var height: Int
    }

    static func plane(
        _ corner: Corner, _ request: CUDA_MEMCPY3D, _ target: CallTarget
    ) -> (CUresult, CopyPlane?) {
        let isFlat = request.Height == 1 && request.Depth == 1 && corner.y == 0 && corner.z == 0
        let pitch = corner.pitch == 0 && isFlat ? request.WidthInBytes &+ corner.x : corner.pitch
        let height =
            request.Depth == 1 && corner.z == 0 ? max(corner.height, request.Height &+ corner.y) : corner.height
        guard corner.x >= 0, corner.y >= 0, corner.z >= 0, pitch > 0, pitch <= 1 << 40, height > 0,
            height <= 1 << 40, request.WidthInBytes <= pitch, corner.x <= pitch &- request.WidthInBytes,
            request.Height <= height, corner.y <= height
        else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        let (slicePitch, overflow) = pitch.multipliedReportingOverflow(by: height)
        let (slices, overflowSlices) = slicePitch.multipliedReportingOverflow(by: corner.z)
        guard !overflow, !overflowSlices else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        let offset = slices &+ corner.y &* pitch &+ corner.x
        let end: CopyEnd?
        switch corner.type {
        case CU_MEMORYTYPE_HOST: end = corner.host.map { .host($0 + offset) }
        case CU_MEMORYTYPE_DEVICE:
            end = corner.device == 0 ? nil : .device(corner.device &+ UInt64(truncatingIfNeeded: offset))
        case CU_MEMORYTYPE_UNIFIED:
            end = self.end(of: corner.device &+ UInt64(truncatingIfNeeded: offset), target)
        default: return (CUDA_ERROR_INVALID_VALUE, nil)
        }
        guard let end else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        return (CUDA_SUCCESS, CopyPlane(end: end, pitch: pitch, slicePitch: slicePitch))
    }
}
