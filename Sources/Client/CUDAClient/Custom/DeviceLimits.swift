public import CCUDA
internal import ClientRuntime

extension CUDADriver {
    /// The corresponding C function is `cuDeviceGetTexture1DLinearMaxWidth`.
    public static func deviceGetTexture1DLinearMaxWidth(
        _ width: UnsafeMutablePointer<Int>?, _ format: CUarray_format, _ channelCount: UInt32, _ ordinal: CUdevice
    ) -> CUresult {
        guard let width, channelCount == 1 || channelCount == 2 || channelCount == 4 else {
            return CUDA_ERROR_INVALID_VALUE
        }
        switch format {
        case CU_AD_FORMAT_UNSIGNED_INT8, CU_AD_FORMAT_UNSIGNED_INT16, CU_AD_FORMAT_UNSIGNED_INT32,
            CU_AD_FORMAT_SIGNED_INT8, CU_AD_FORMAT_SIGNED_INT16, CU_AD_FORMAT_SIGNED_INT32, CU_AD_FORMAT_HALF,
            CU_AD_FORMAT_FLOAT:
            break
        default: return CUDA_ERROR_INVALID_VALUE
        }
        return withDevice(ordinal) { device in
            let limit = attribute(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LINEAR_WIDTH, of: device)
            width.pointee = limit > 0 ? Int(limit) : 1 << 27
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceGetHostAtomicCapabilities`. Host memory that kernels see is a mirror,
    /// which is made equal when the host waits: no operation is atomic between both sides.
    public static func deviceGetHostAtomicCapabilities(
        _ capabilities: UnsafeMutablePointer<UInt32>?, _ operations: UnsafePointer<CUatomicOperation>?,
        _ count: UInt32, _ ordinal: CUdevice
    ) -> CUresult {
        guard let capabilities, operations != nil, count > 0, count <= 1 << 16 else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(ordinal) { _ in
            for index in 0..<Int(count) { capabilities[index] = 0 }
            return CUDA_SUCCESS
        }
    }
}
