public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

/// Grid, block and place of a launch.
struct LaunchShape {
    var gridX: UInt32
    var gridY: UInt32
    var gridZ: UInt32
    var blockX: UInt32
    var blockY: UInt32
    var blockZ: UInt32
    var sharedByteCount: UInt32
    var isCooperative = false

    /// Whether the device can run it; what is wrong otherwise.
    func check(_ function: UnsafeMutablePointer<FunctionRecord>) -> CUresult {
        let limits = function.pointee.limits
        guard gridX &- 1 < limits.gridX, gridY &- 1 < limits.gridY, gridZ &- 1 < limits.gridZ,
            blockX &- 1 < limits.blockX, blockY &- 1 < limits.blockY, blockZ &- 1 < limits.blockZ
        else { return CUDA_ERROR_INVALID_VALUE }
        // Three factors of at most 2^32 overflow nothing once each is at most 2^16; blocks are far smaller.
        let threads = UInt64(blockX) &* UInt64(blockY) &* UInt64(blockZ)
        guard threads <= UInt64(limits.threads) else { return CUDA_ERROR_INVALID_VALUE }
        let attributes = function.pointee.attributes
        let threadsMax = attributes[0]
        if threadsMax > 0, threads > UInt64(UInt32(bitPattern: threadsMax)) { return CUDA_ERROR_INVALID_VALUE }
        let fixed = Int64(attributes[Int(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES.rawValue)])
        let dynamicMax = Int64(attributes[Int(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES.rawValue)])
        let allowed = max(dynamicMax, Int64(limits.sharedByteCount) &- fixed)
        guard Int64(sharedByteCount) <= allowed else { return CUDA_ERROR_INVALID_VALUE }
        return CUDA_SUCCESS
    }
}

extension CUDADriver {
    /// The corresponding C function is `cuLaunchKernel`.
    public static func launchKernel(
        _ handle: CUfunction?, _ gridX: UInt32, _ gridY: UInt32, _ gridZ: UInt32, _ blockX: UInt32, _ blockY: UInt32,
        _ blockZ: UInt32, _ sharedByteCount: UInt32, _ stream: CUstream?,
        _ parameters: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ extra: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> CUresult {
        launch(
            handle,
            LaunchShape(
                gridX: gridX, gridY: gridY, gridZ: gridZ, blockX: blockX, blockY: blockY, blockZ: blockZ,
                sharedByteCount: sharedByteCount), stream, parameters, extra)
    }

    /// The corresponding C function is `cuLaunchCooperativeKernel`.
    public static func launchCooperativeKernel(
        _ handle: CUfunction?, _ gridX: UInt32, _ gridY: UInt32, _ gridZ: UInt32, _ blockX: UInt32, _ blockY: UInt32,
        _ blockZ: UInt32, _ sharedByteCount: UInt32, _ stream: CUstream?,
        _ parameters: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> CUresult {
        launch(
            handle,
            LaunchShape(
                gridX: gridX, gridY: gridY, gridZ: gridZ, blockX: blockX, blockY: blockY, blockZ: blockZ,
                sharedByteCount: sharedByteCount, isCooperative: true), stream, parameters, nil)
    }

    /// The corresponding C function is `cuLaunchKernelEx`.
    public static func launchKernelEx(
        _ config: UnsafePointer<CUlaunchConfig>?, _ handle: CUfunction?,
        _ parameters: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ extra: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> CUresult {
        guard let config else { return CUDA_ERROR_INVALID_VALUE }
        let values = config.pointee
        var shape = LaunchShape(
            gridX: values.gridDimX, gridY: values.gridDimY, gridZ: values.gridDimZ, blockX: values.blockDimX,
            blockY: values.blockDimY, blockZ: values.blockDimZ, sharedByteCount: values.sharedMemBytes)
        if values.numAttrs > 0 {
            guard let attributes = values.attrs else { return CUDA_ERROR_INVALID_VALUE }
            for index in 0..<Int(values.numAttrs) {
                let status = apply(attributes[index], to: &shape)
                guard status == CUDA_SUCCESS else { return status }
            }
        }
        let status = launch(handle, shape, values.hStream, parameters, extra)
        return status == CUDA_SUCCESS && values.numAttrs > 0 ? recordEvents(values) : status
    }

    /// Records the events that a launch's attributes name: behind the kernel, which is no earlier than they allow.
    private static func recordEvents(_ config: CUlaunchConfig) -> CUresult {
        guard let attributes = config.attrs else { return CUDA_SUCCESS }
        for index in 0..<Int(config.numAttrs) {
            var event: CUevent?
            switch attributes[index].id {
            case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT: event = attributes[index].value.programmaticEvent.event
            case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
                event = attributes[index].value.launchCompletionEvent.event
            default: continue
            }
            let status = eventRecord(event, config.hStream)
            guard status == CUDA_SUCCESS else { return status }
        }
        return CUDA_SUCCESS
    }

    /// Takes over a launch attribute. What only hints at speed is ignored; what changes results is refused.
    private static func apply(_ attribute: CUlaunchAttribute, to shape: inout LaunchShape) -> CUresult {
        switch attribute.id {
        case CU_LAUNCH_ATTRIBUTE_COOPERATIVE: shape.isCooperative = attribute.value.cooperative != 0
        case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
            let dimension = attribute.value.clusterDim
            let isSingle = dimension.x <= 1 && dimension.y <= 1 && dimension.z <= 1
            guard isSingle else { return CUDA_ERROR_INVALID_CLUSTER_SIZE }
        case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
            guard eventID(attribute.value.programmaticEvent.event) != nil else { return CUDA_ERROR_INVALID_HANDLE }
        case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
            guard eventID(attribute.value.launchCompletionEvent.event) != nil else { return CUDA_ERROR_INVALID_HANDLE }
        case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE:
            let isWanted = attribute.value.deviceUpdatableKernelNode.deviceUpdatable != 0
            guard !isWanted else { return CUDA_ERROR_NOT_SUPPORTED }
        case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
            guard attribute.value.memSyncDomain.rawValue <= 1 else { return CUDA_ERROR_INVALID_VALUE }
        // Hints at speed: caches, waiting, scheduling, priority, carve-outs; and leave to start earlier.
        case CU_LAUNCH_ATTRIBUTE_IGNORE, CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW,
            CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE,
            CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION, CU_LAUNCH_ATTRIBUTE_PRIORITY,
            CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP, CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION,
            CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT,
            CU_LAUNCH_ATTRIBUTE_NVLINK_UTIL_CENTRIC_SCHEDULING, CU_LAUNCH_ATTRIBUTE_PORTABLE_CLUSTER_SIZE_MODE,
            CU_LAUNCH_ATTRIBUTE_SHARED_MEMORY_MODE:
            break
        default: return CUDA_ERROR_INVALID_VALUE
        }
        return CUDA_SUCCESS
    }

    @inline(__always)
    private static func launch(
        _ handle: CUfunction?, _ shape: LaunchShape, _ stream: CUstream?,
        _ parameters: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ extra: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> CUresult {
        withContext { target in
            let (status, found) = functionRecord(handle, target)
            guard let function = found else { return status }
            guard function.pointee.context == target.context else { return CUDA_ERROR_INVALID_HANDLE }
            guard let streamID = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
            target.thread.pointee.route = nil
            let checked = shape.check(function)
            guard checked == CUDA_SUCCESS else { return checked }
            if shape.isCooperative, !fitsAtOnce(shape, function, target.context) {
                return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE
            }
            if let extra, parameters == nil || function.pointee.parameterCount == 0 {
                guard let packed = packedParameters(extra) else { return CUDA_ERROR_INVALID_VALUE }
                return send(function, handle, shape, streamID, packed, target)
            }
            let byteCount = function.pointee.parameterByteCount
            guard byteCount > 0 else {
                return send(
                    function, handle, shape, streamID, UnsafeRawBufferPointer(start: nil, count: 0), target)
            }
            guard let parameters else { return CUDA_ERROR_INVALID_VALUE }
            return withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 16) { buffer in
                guard pack(parameters, function, into: buffer) else { return CUDA_ERROR_INVALID_VALUE }
                return send(function, handle, shape, streamID, UnsafeRawBufferPointer(buffer), target)
            }
        }
    }

    /// Copies the values behind the pointers to their places. False when a pointer is missing.
    @inline(__always)
    static func pack(
        _ parameters: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
        _ function: UnsafeMutablePointer<FunctionRecord>, into buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard let start = buffer.baseAddress else { return false }
        memset(start, 0, buffer.count)
        for index in 0..<function.pointee.parameterCount {
            let slot = function.pointee.parameters[index]
            guard let value = parameters[index] else { return false }
            let target = start + Int(slot.offset)
            if slot.byteCount == 8 {
                target.storeBytes(of: value.loadUnaligned(as: UInt64.self), as: UInt64.self)
            } else if slot.byteCount == 4 {
                target.storeBytes(of: value.loadUnaligned(as: UInt32.self), as: UInt32.self)
            } else {
                CPosix.memcpy(target, value, Int(slot.byteCount))
            }
        }
        return true
    }

    /// Reads the list that names one packed buffer.
    static func packedParameters(
        _ extra: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> UnsafeRawBufferPointer? {
        var start: UnsafeMutableRawPointer?
        var byteCount: Int?
        var index = 0
        while index < 16 {
            switch UInt(bitPattern: extra[index]) {
            case 0:
                guard let byteCount, byteCount >= 0, byteCount <= WireLimits.launchParameterByteCountMax,
                    start != nil || byteCount == 0
                else { return nil }
                return UnsafeRawBufferPointer(start: start, count: byteCount)
            case UInt(CU_LAUNCH_PARAM_BUFFER_POINTER_AS_INT): start = extra[index &+ 1]
            case UInt(CU_LAUNCH_PARAM_BUFFER_SIZE_AS_INT):
                byteCount = extra[index &+ 1]?.loadUnaligned(as: Int.self)
            default: return nil
            }
            index &+= 2
        }
        return nil
    }

    @inline(__always)
    private static func send(
        _ function: UnsafeMutablePointer<FunctionRecord>, _ handle: CUfunction?, _ shape: LaunchShape,
        _ stream: UInt64, _ parameters: UnsafeRawBufferPointer, _ target: CallTarget
    ) -> CUresult {
        if Captures.areActive {
            let captured = Captures.add(to: stream, target) {
                let kernel = handle == function.pointee.handle ? nil : handle
                return .kernel(KernelWork(function, kernel: kernel, shape, parameters: parameters))
            }
            if let captured { return captured }
        }
        CallCounts.noteLaunch()
        if Mirrors.areNeeded { Mirrors.prepareLaunch(parameters, target, stream: stream) }
        return target.send(
            Launch(
                function: function.pointee.id, gridX: shape.gridX, gridY: shape.gridY, gridZ: shape.gridZ,
                blockX: shape.blockX, blockY: shape.blockY, blockZ: shape.blockZ,
                sharedByteCount: shape.sharedByteCount, flags: shape.isCooperative ? 1 : 0, stream: stream,
                parameters: parameters))
    }
}
