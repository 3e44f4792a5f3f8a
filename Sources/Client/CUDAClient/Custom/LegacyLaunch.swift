public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives

/// A function's block shape and parameters as the calls of before CUDA 4 leave them with the function.
private struct PreparedLaunch {
    var function: UnsafeMutablePointer<FunctionRecord>
    var blockX: UInt32 = 1
    var blockY: UInt32 = 1
    var blockZ: UInt32 = 1
    var sharedByteCount: UInt32 = 0
    var parameters: [UInt8] = []
}

extension CUDADriver {
    // SAFETY: only touched under `tablesLock`. Records of functions stay for ever, so their addresses are names.
    nonisolated(unsafe) private static var preparedLaunches: [PreparedLaunch] = []
    private static let parameterByteCountMax = 32_764

    /// Changes what is prepared for a function.
    private static func prepare(
        _ handle: CUfunction?, _ change: (inout PreparedLaunch) -> CUresult
    ) -> CUresult {
        withContext { target in
            let (status, found) = functionRecord(handle, target)
            guard let function = found else { return status }
            tablesLock.acquire()
            defer { tablesLock.release() }
            for index in preparedLaunches.indices where preparedLaunches[index].function == function {
                return change(&preparedLaunches[index])
            }
            var fresh = PreparedLaunch(function: function)
            let result = change(&fresh)
            if result == CUDA_SUCCESS { preparedLaunches.append(fresh) }
            return result
        }
    }

    /// The corresponding C function is `cuFuncSetBlockShape`.
    public static func funcSetBlockShape(_ handle: CUfunction?, _ x: Int32, _ y: Int32, _ z: Int32) -> CUresult {
        prepare(handle) { launch in
            guard x > 0, y > 0, z > 0 else { return CUDA_ERROR_INVALID_VALUE }
            launch.blockX = UInt32(x)
            launch.blockY = UInt32(y)
            launch.blockZ = UInt32(z)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuFuncSetSharedSize`.
    public static func funcSetSharedSize(_ handle: CUfunction?, _ byteCount: UInt32) -> CUresult {
        prepare(handle) { launch in
            launch.sharedByteCount = byteCount
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuParamSetSize`.
    public static func paramSetSize(_ handle: CUfunction?, _ byteCount: UInt32) -> CUresult {
        prepare(handle) { launch in
            guard byteCount <= parameterByteCountMax else { return CUDA_ERROR_INVALID_VALUE }
            while launch.parameters.count > Int(byteCount) { launch.parameters.removeLast() }
            while launch.parameters.count < Int(byteCount) { launch.parameters.append(0) }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuParamSeti`.
    public static func paramSeti(_ handle: CUfunction?, _ offset: Int32, _ value: UInt32) -> CUresult {
        var copy = value
        return withUnsafeMutableBytes(of: &copy) { paramSetv(handle, offset, $0.baseAddress, 4) }
    }

    /// The corresponding C function is `cuParamSetf`.
    public static func paramSetf(_ handle: CUfunction?, _ offset: Int32, _ value: Float) -> CUresult {
        paramSeti(handle, offset, value.bitPattern)
    }

    /// The corresponding C function is `cuParamSetv`.
    public static func paramSetv(
        _ handle: CUfunction?, _ offset: Int32, _ value: UnsafeMutableRawPointer?, _ byteCount: UInt32
    ) -> CUresult {
        guard offset >= 0, let value, byteCount <= parameterByteCountMax, Int(offset) <= parameterByteCountMax else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return prepare(handle) { launch in
            let end = Int(offset) &+ Int(byteCount)
            guard end <= parameterByteCountMax else { return CUDA_ERROR_INVALID_VALUE }
            while launch.parameters.count < end { launch.parameters.append(0) }
            launch.parameters.withUnsafeMutableBytes { bytes in
                if let start = bytes.baseAddress { CPosix.memcpy(start + Int(offset), value, Int(byteCount)) }
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuLaunch`.
    public static func launch(_ handle: CUfunction?) -> CUresult { launchGridAsync(handle, 1, 1, nil) }

    /// The corresponding C function is `cuLaunchGrid`.
    public static func launchGrid(_ handle: CUfunction?, _ width: Int32, _ height: Int32) -> CUresult {
        launchGridAsync(handle, width, height, nil)
    }

    /// The corresponding C function is `cuLaunchGridAsync`.
    public static func launchGridAsync(
        _ handle: CUfunction?, _ width: Int32, _ height: Int32, _ stream: CUstream?
    ) -> CUresult {
        guard width > 0, height > 0 else { return CUDA_ERROR_INVALID_VALUE }
        var prepared: PreparedLaunch?
        let status = prepare(handle) { launch in
            prepared = launch
            return CUDA_SUCCESS
        }
        guard status == CUDA_SUCCESS, let launch = prepared else { return status }
        var byteCount = launch.parameters.count
        guard byteCount >= launch.function.pointee.parameterByteCount else { return CUDA_ERROR_INVALID_VALUE }
        var parameters = launch.parameters
        return parameters.withUnsafeMutableBytes { bytes in
            withUnsafeMutablePointer(to: &byteCount) { size in
                withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: 5) { list in
                    list[0] = UnsafeMutableRawPointer(bitPattern: UInt(CU_LAUNCH_PARAM_BUFFER_POINTER_AS_INT))
                    list[1] = bytes.baseAddress
                    list[2] = UnsafeMutableRawPointer(bitPattern: UInt(CU_LAUNCH_PARAM_BUFFER_SIZE_AS_INT))
                    list[3] = UnsafeMutableRawPointer(size)
                    list[4] = nil
                    return launchKernel(
                        handle, UInt32(width), UInt32(height), 1, launch.blockX, launch.blockY, launch.blockZ,
                        launch.sharedByteCount, stream, nil, bytes.isEmpty ? nil : list.baseAddress)
                }
            }
        }
    }

    /// The corresponding C function is `cuLaunchCooperativeKernelMultiDevice`. No device says that it can do this with
    /// others; a list of one is a cooperative launch.
    public static func launchCooperativeKernelMultiDevice(
        _ list: UnsafeMutablePointer<CUDA_LAUNCH_PARAMS>?, _ count: UInt32, _ flags: UInt32
    ) -> CUresult {
        guard let list, count > 0, flags & ~3 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        guard count == 1 else { return CUDA_ERROR_NOT_SUPPORTED }
        let entry = list.pointee
        guard UInt(bitPattern: entry.hStream) > 2 else { return CUDA_ERROR_INVALID_VALUE }
        return launchCooperativeKernel(
            entry.function, entry.gridDimX, entry.gridDimY, entry.gridDimZ, entry.blockDimX, entry.blockDimY,
            entry.blockDimZ, entry.sharedMemBytes, entry.hStream, entry.kernelParams)
    }
}
