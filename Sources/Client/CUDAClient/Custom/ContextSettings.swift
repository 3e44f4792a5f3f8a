public import CCUDA
internal import ClientRuntime

// Settings that a program may read back; none of them changes what the device does.
extension CUDADriver {
    /// The corresponding C function is `cuCtxGetFlags`.
    public static func ctxGetFlags(_ flags: UnsafeMutablePointer<UInt32>?) -> CUresult {
        guard let flags else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            flags.pointee = details(of: target.context).flags
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxSetFlags`.
    public static func ctxSetFlags(_ flags: UInt32) -> CUresult {
        withContext { target in
            guard flags & ~0xFF == 0 else { return CUDA_ERROR_INVALID_VALUE }
            details(of: target.context).flags = flags
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxSetLimit`.
    public static func ctxSetLimit(_ limit: CUlimit, _ value: Int) -> CUresult {
        withContext { target in
            let details = details(of: target.context)
            let index = Int(limit.rawValue)
            guard index < details.limits.count, value >= 0 else { return CUDA_ERROR_INVALID_VALUE }
            guard index <= 6 else { return CUDA_ERROR_UNSUPPORTED_LIMIT }
            details.limits[index] = value
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxGetLimit`.
    public static func ctxGetLimit(_ value: UnsafeMutablePointer<Int>?, _ limit: CUlimit) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            let details = details(of: target.context)
            let index = Int(limit.rawValue)
            guard index < details.limits.count else { return CUDA_ERROR_INVALID_VALUE }
            // cublasLtCreate asks whether graphics runs beside CUDA (8), and fails where the question does.
            guard index <= 9 else { return CUDA_ERROR_UNSUPPORTED_LIMIT }
            value.pointee = details.limits[index]
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxGetCacheConfig`.
    public static func ctxGetCacheConfig(_ config: UnsafeMutablePointer<CUfunc_cache>?) -> CUresult {
        guard let config else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            config.pointee = details(of: target.context).cacheConfig
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxSetCacheConfig`.
    public static func ctxSetCacheConfig(_ config: CUfunc_cache) -> CUresult {
        withContext { target in
            guard config.rawValue <= CU_FUNC_CACHE_PREFER_EQUAL.rawValue else { return CUDA_ERROR_INVALID_VALUE }
            details(of: target.context).cacheConfig = config
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxGetSharedMemConfig`.
    public static func ctxGetSharedMemConfig(_ config: UnsafeMutablePointer<CUsharedconfig>?) -> CUresult {
        guard let config else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            config.pointee = details(of: target.context).sharedConfig
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxSetSharedMemConfig`.
    public static func ctxSetSharedMemConfig(_ config: CUsharedconfig) -> CUresult {
        withContext { _ in
            // The bank size can't be chosen on any device that CUDA 13 knows.
            config.rawValue <= 2 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE
        }
    }

    /// The corresponding C function is `cuCtxGetStreamPriorityRange`.
    public static func ctxGetStreamPriorityRange(
        _ least: UnsafeMutablePointer<Int32>?, _ greatest: UnsafeMutablePointer<Int32>?
    ) -> CUresult {
        withContext { _ in
            least?.pointee = StreamPriority.least
            greatest?.pointee = StreamPriority.greatest
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuCtxResetPersistingL2Cache`.
    public static func ctxResetPersistingL2Cache() -> CUresult { withContext { _ in CUDA_SUCCESS } }

    /// The corresponding C function is `cuCtxGetExecAffinity`.
    public static func ctxGetExecAffinity(
        _ affinity: UnsafeMutablePointer<CUexecAffinityParam>?, _ type: CUexecAffinityType
    ) -> CUresult {
        guard affinity != nil else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { _ in CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY }
    }
}
