public import CCUDA
internal import ClientRuntime
internal import WireProtocol

extension CUDADriver {
    /// Fills rows of elements.
    private static func fill(
        _ address: CUdeviceptr, _ pitch: Int, _ elementByteCount: UInt32, _ value: UInt32, _ width: Int, _ height: Int,
        _ stream: CUstream?, isWaiting: Bool = false
    ) -> CUresult {
        withContext { target in
            guard let stream = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
            target.thread.pointee.route = nil
            guard width >= 0, height >= 0, width <= 1 << 40, height <= 1 << 40 else { return CUDA_ERROR_INVALID_VALUE }
            guard width > 0, height > 0 else { return CUDA_SUCCESS }
            guard address % UInt64(elementByteCount) == 0 else { return CUDA_ERROR_INVALID_VALUE }
            let row = width &* Int(elementByteCount)
            guard height == 1 || (pitch >= row && pitch % Int(elementByteCount) == 0) else {
                return CUDA_ERROR_INVALID_VALUE
            }
            let (rows, overflow) = pitch.multipliedReportingOverflow(by: height &- 1)
            guard !overflow, rows >= 0, rows <= 1 << 41,
                isDeviceRange(address, UInt64(height == 1 ? row : rows &+ row), target)
            else { return CUDA_ERROR_INVALID_VALUE }
            if Captures.areActive {
                let allowed = isWaiting ? Captures.checkUnsafe(target.thread) : CUDA_SUCCESS
                guard allowed == CUDA_SUCCESS else { return allowed }
                let captured = Captures.add(to: stream, target) {
                    let request = CUDA_MEMSET_NODE_PARAMS(
                        dst: address, pitch: height == 1 ? 0 : pitch, value: value, elementSize: elementByteCount,
                        width: width, height: height)
                    return .fill(FillWork(request, context: target.context))
                }
                if let captured { return captured }
            }
            if Mirrors.areNeeded {
                let span = UInt64(height == 1 ? row : rows &+ row)
                Mirrors.sendChanges(target, stream: stream, writes: .range(address, span))
            }
            let status = Peers.run(at: address, stream: stream, target) { target, stream in
                target.send(
                    Fill(
                        address: address, pitch: UInt64(height == 1 ? row : pitch), elementByteCount: elementByteCount,
                        value: value, width: UInt64(width), height: UInt64(height), stream: stream))
            }
            return isWaiting && status == CUDA_SUCCESS ? Mirrors.copyIsOver(target, stream: stream) : status
        }
    }

    /// The corresponding C function is `cuMemsetD8_v2`.
    public static func memsetD8V2(_ address: CUdeviceptr, _ value: UInt8, _ count: Int) -> CUresult {
        fill(address, 0, 1, UInt32(value), count, 1, nil, isWaiting: true)
    }

    /// The corresponding C function is `cuMemsetD8Async`.
    public static func memsetD8Async(
        _ address: CUdeviceptr, _ value: UInt8, _ count: Int, _ stream: CUstream?
    ) -> CUresult {
        fill(address, 0, 1, UInt32(value), count, 1, stream)
    }

    /// The corresponding C function is `cuMemsetD2D8_v2`.
    public static func memsetD2D8V2(
        _ address: CUdeviceptr, _ pitch: Int, _ value: UInt8, _ width: Int, _ height: Int
    ) -> CUresult {
        fill(address, pitch, 1, UInt32(value), width, height, nil, isWaiting: true)
    }

    /// The corresponding C function is `cuMemsetD2D8Async`.
    public static func memsetD2D8Async(
        _ address: CUdeviceptr, _ pitch: Int, _ value: UInt8, _ width: Int, _ height: Int, _ stream: CUstream?
    ) -> CUresult {
        fill(address, pitch, 1, UInt32(value), width, height, stream)
    }

    /// The corresponding C function is `cuMemsetD16_v2`.
    public static func memsetD16V2(_ address: CUdeviceptr, _ value: UInt16, _ count: Int) -> CUresult {
        fill(address, 0, 2, UInt32(value), count, 1, nil, isWaiting: true)
    }

    /// The corresponding C function is `cuMemsetD16Async`.
    public static func memsetD16Async(
        _ address: CUdeviceptr, _ value: UInt16, _ count: Int, _ stream: CUstream?
    ) -> CUresult {
        fill(address, 0, 2, UInt32(value), count, 1, stream)
    }

    /// The corresponding C function is `cuMemsetD2D16_v2`.
    public static func memsetD2D16V2(
        _ address: CUdeviceptr, _ pitch: Int, _ value: UInt16, _ width: Int, _ height: Int
    ) -> CUresult {
        fill(address, pitch, 2, UInt32(value), width, height, nil, isWaiting: true)
    }

    /// The corresponding C function is `cuMemsetD2D16Async`.
    public static func memsetD2D16Async(
        _ address: CUdeviceptr, _ pitch: Int, _ value: UInt16, _ width: Int, _ height: Int, _ stream: CUstream?
    ) -> CUresult {
        fill(address, pitch, 2, UInt32(value), width, height, stream)
    }

    /// The corresponding C function is `cuMemsetD32_v2`.
    public static func memsetD32V2(_ address: CUdeviceptr, _ value: UInt32, _ count: Int) -> CUresult {
        fill(address, 0, 4, value, count, 1, nil, isWaiting: true)
    }

    /// The corresponding C function is `cuMemsetD32Async`.
    public static func memsetD32Async(
        _ address: CUdeviceptr, _ value: UInt32, _ count: Int, _ stream: CUstream?
    ) -> CUresult {
        fill(address, 0, 4, value, count, 1, stream)
    }

    /// The corresponding C function is `cuMemsetD2D32_v2`.
    public static func memsetD2D32V2(
        _ address: CUdeviceptr, _ pitch: Int, _ value: UInt32, _ width: Int, _ height: Int
    ) -> CUresult {
        fill(address, pitch, 4, value, width, height, nil, isWaiting: true)
    }

    /// The corresponding C function is `cuMemsetD2D32Async`.
    public static func memsetD2D32Async(
        _ address: CUdeviceptr, _ pitch: Int, _ value: UInt32, _ width: Int, _ height: Int, _ stream: CUstream?
    ) -> CUresult {
        fill(address, pitch, 4, value, width, height, stream)
    }
}
