public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

// Copies of a run of bytes from or to one-dimensional arrays.
extension CUDADriver {
    /// One end of a linear copy: an array with an offset in bytes.
    private static func linear(_ handle: CUarray?, _ offset: Int, _ byteCount: Int) -> (CUresult, ArrayCopyEnd?) {
        guard let record = array(handle) else { return (CUDA_ERROR_INVALID_HANDLE, nil) }
        guard record.extent.height == 1, record.extent.depth == 1 else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        let (status, place) = place(in: handle, x: offset, y: 0, z: 0, (byteCount, 1, 1))
        return (status, place.map { .array($0) })
    }

    private static func plane(_ end: CopyEnd, _ byteCount: Int) -> ArrayCopyEnd {
        .plane(CopyPlane(end: end, pitch: byteCount, slicePitch: byteCount))
    }

    private static func copyLinear(
        to destination: (CUresult, ArrayCopyEnd?), from source: (CUresult, ArrayCopyEnd?), _ byteCount: Int,
        _ stream: UInt64, _ target: CallTarget
    ) -> CUresult {
        guard let to = destination.1 else { return destination.0 }
        guard let from = source.1 else { return source.0 }
        guard let box = Box(width: byteCount, height: 1, depth: 1) else { return CUDA_ERROR_INVALID_VALUE }
        return copy(to: to, from: from, box, stream: stream, target)
    }

    private static func host(_ pointer: UnsafeMutableRawPointer?, _ byteCount: Int) -> (CUresult, ArrayCopyEnd?) {
        guard let pointer else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        return (CUDA_SUCCESS, plane(.host(pointer), byteCount))
    }

    private static func device(
        _ address: UInt64, _ byteCount: Int, _ target: CallTarget
    ) -> (CUresult, ArrayCopyEnd?) {
        guard byteCount >= 0, isDeviceRange(address, UInt64(byteCount), target) else {
            return (CUDA_ERROR_INVALID_VALUE, nil)
        }
        return (CUDA_SUCCESS, plane(.device(address), byteCount))
    }

    /// The corresponding C function is `cuMemcpyDtoA_v2`.
    public static func memcpyDtoAV2(
        _ array: CUarray?, _ offset: Int, _ source: CUdeviceptr, _ byteCount: Int
    ) -> CUresult {
        waiting { target in
            copyLinear(
                to: linear(array, offset, byteCount), from: device(source, byteCount, target), byteCount,
                StreamID.legacyDefault, target)
        }
    }

    /// The corresponding C function is `cuMemcpyAtoD_v2`.
    public static func memcpyAtoDV2(
        _ destination: CUdeviceptr, _ array: CUarray?, _ offset: Int, _ byteCount: Int
    ) -> CUresult {
        waiting { target in
            copyLinear(
                to: device(destination, byteCount, target), from: linear(array, offset, byteCount), byteCount,
                StreamID.legacyDefault, target)
        }
    }

    /// The corresponding C function is `cuMemcpyHtoA_v2`.
    public static func memcpyHtoAV2(
        _ array: CUarray?, _ offset: Int, _ source: UnsafeRawPointer?, _ byteCount: Int
    ) -> CUresult {
        waiting { target in
            copyLinear(
                to: linear(array, offset, byteCount), from: host(UnsafeMutableRawPointer(mutating: source), byteCount),
                byteCount, StreamID.legacyDefault, target)
        }
    }

    /// The corresponding C function is `cuMemcpyAtoH_v2`.
    public static func memcpyAtoHV2(
        _ destination: UnsafeMutableRawPointer?, _ array: CUarray?, _ offset: Int, _ byteCount: Int
    ) -> CUresult {
        waiting { target in
            copyLinear(
                to: host(destination, byteCount), from: linear(array, offset, byteCount), byteCount,
                StreamID.legacyDefault, target)
        }
    }

    /// The corresponding C function is `cuMemcpyAtoA_v2`.
    public static func memcpyAtoAV2(
        _ destination: CUarray?, _ destinationOffset: Int, _ source: CUarray?, _ sourceOffset: Int, _ byteCount: Int
    ) -> CUresult {
        waiting { target in
            copyLinear(
                to: linear(destination, destinationOffset, byteCount), from: linear(source, sourceOffset, byteCount),
                byteCount, StreamID.legacyDefault, target)
        }
    }

    /// The corresponding C function is `cuMemcpyHtoAAsync_v2`. The bytes are taken before it returns.
    public static func memcpyHtoAAsyncV2(
        _ array: CUarray?, _ offset: Int, _ source: UnsafeRawPointer?, _ byteCount: Int, _ stream: CUstream?
    ) -> CUresult {
        queued(stream) { target, id in
            copyLinear(
                to: linear(array, offset, byteCount), from: host(UnsafeMutableRawPointer(mutating: source), byteCount),
                byteCount, id, target)
        }
    }

    /// The corresponding C function is `cuMemcpyAtoHAsync_v2`. It returns when the bytes are there.
    public static func memcpyAtoHAsyncV2(
        _ destination: UnsafeMutableRawPointer?, _ array: CUarray?, _ offset: Int, _ byteCount: Int,
        _ stream: CUstream?
    ) -> CUresult {
        queued(stream) { target, id in
            copyLinear(
                to: host(destination, byteCount), from: linear(array, offset, byteCount), byteCount, id, target)
        }
    }

    // MARK: - With sizes of 32 bits, from before CUDA 3.2

    /// The corresponding C function is `cuMemcpyHtoA`.
    public static func memcpyHtoA(
        _ array: CUarray?, _ offset: UInt32, _ source: UnsafeRawPointer?, _ byteCount: UInt32
    ) -> CUresult {
        memcpyHtoAV2(array, Int(offset), source, Int(byteCount))
    }

    /// The corresponding C function is `cuMemcpyAtoH`.
    public static func memcpyAtoH(
        _ destination: UnsafeMutableRawPointer?, _ array: CUarray?, _ offset: UInt32, _ byteCount: UInt32
    ) -> CUresult {
        memcpyAtoHV2(destination, array, Int(offset), Int(byteCount))
    }

    /// The corresponding C function is `cuMemcpyAtoA`.
    public static func memcpyAtoA(
        _ destination: CUarray?, _ destinationOffset: UInt32, _ source: CUarray?, _ sourceOffset: UInt32,
        _ byteCount: UInt32
    ) -> CUresult {
        memcpyAtoAV2(destination, Int(destinationOffset), source, Int(sourceOffset), Int(byteCount))
    }

    /// The corresponding C function is `cuMemcpyHtoAAsync`.
    public static func memcpyHtoAAsync(
        _ array: CUarray?, _ offset: UInt32, _ source: UnsafeRawPointer?, _ byteCount: UInt32, _ stream: CUstream?
    ) -> CUresult {
        memcpyHtoAAsyncV2(array, Int(offset), source, Int(byteCount), stream)
    }

    /// The corresponding C function is `cuMemcpyAtoHAsync`.
    public static func memcpyAtoHAsync(
        _ destination: UnsafeMutableRawPointer?, _ array: CUarray?, _ offset: UInt32, _ byteCount: UInt32,
        _ stream: CUstream?
    ) -> CUresult {
        memcpyAtoHAsyncV2(destination, array, Int(offset), Int(byteCount), stream)
    }
}
