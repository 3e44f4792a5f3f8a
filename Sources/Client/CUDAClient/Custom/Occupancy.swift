public import CCUDA
internal import ClientRuntime

/// What limits the blocks on one processor.
struct OccupancyLimits {
    var warpByteCount: Int64 = 32
    var threadsPerProcessor: Int64 = 2048
    var blocksPerProcessor: Int64 = 32
    var registersPerProcessor: Int64 = 65_536
    var sharedPerProcessor: Int64 = 100 << 10
    var reservedSharedPerBlock: Int64 = 1024
    var processorCount: Int64 = 1

    /// Blocks of a kernel that fit on one processor at once.
    func blocks(
        threads: Int64, registersPerThread: Int64, fixedShared: Int64, dynamicShared: Int64
    ) -> Int64 {
        guard threads > 0 else { return 0 }
        let warps = (threads &+ 31) / 32
        var blocks = min(blocksPerProcessor, threadsPerProcessor / (warps &* 32))
        if registersPerThread > 0 {
            // Registers are given to whole warps in steps of 256. A block that a kernel allows always fits.
            let perWarp = (registersPerThread &* 32 &+ 255) / 256 * 256
            blocks = min(blocks, max(1, registersPerProcessor / max(1, perWarp) / max(1, warps)))
        }
        let used = fixedShared &+ dynamicShared
        let shared = used > 0 ? (used &+ reservedSharedPerBlock &+ 127) / 128 * 128 : 0
        if shared > 0 { blocks = min(blocks, sharedPerProcessor / shared) }
        return max(0, blocks)
    }
}

extension CUDADriver {
    private static func limits(of context: UnsafeMutablePointer<ContextState>) -> OccupancyLimits {
        var limits = OccupancyLimits()
        guard let device = device(of: context) else { return limits }
        func set(_ field: inout Int64, _ attribute: CUdevice_attribute) {
            let value = self.attribute(attribute, of: device)
            if value > 0 { field = Int64(value) }
        }
        set(&limits.threadsPerProcessor, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)
        set(&limits.blocksPerProcessor, CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR)
        set(&limits.registersPerProcessor, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR)
        set(&limits.sharedPerProcessor, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)
        set(&limits.processorCount, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        limits.reservedSharedPerBlock = Int64(
            attribute(CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, of: device))
        return limits
    }

    private static func withFunction(
        _ handle: CUfunction?, _ body: (UnsafeMutablePointer<FunctionRecord>, OccupancyLimits) -> CUresult
    ) -> CUresult {
        withContext { target in
            let (status, function) = functionRecord(handle, target)
            guard let function else { return status }
            let described = describe(function, target)
            guard described == CUDA_SUCCESS else { return described }
            return body(function, limits(of: target.context))
        }
    }

    private static func blocks(
        _ function: UnsafeMutablePointer<FunctionRecord>, _ limits: OccupancyLimits, threads: Int64, dynamic: Int64
    ) -> Int64 {
        let attributes = function.pointee.attributes
        let threadsMax = Int64(attributes[0])
        guard threadsMax <= 0 || threads <= threadsMax else { return 0 }
        return limits.blocks(
            threads: threads, registersPerThread: Int64(attributes[Int(CU_FUNC_ATTRIBUTE_NUM_REGS.rawValue)]),
            fixedShared: Int64(attributes[Int(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES.rawValue)]), dynamicShared: dynamic)
    }

    /// Whether all blocks of a cooperative launch can run at once, so that they can wait for one another.
    static func fitsAtOnce(
        _ shape: LaunchShape, _ function: UnsafeMutablePointer<FunctionRecord>,
        _ context: UnsafeMutablePointer<ContextState>
    ) -> Bool {
        let limits = limits(of: context)
        // The shape has been checked: neither product overflows.
        let threads = Int64(shape.blockX) &* Int64(shape.blockY) &* Int64(shape.blockZ)
        let (plane, overflows) = Int64(shape.gridX).multipliedReportingOverflow(by: Int64(shape.gridY))
        let (grid, overflowsToo) = plane.multipliedReportingOverflow(by: Int64(shape.gridZ))
        guard !overflows, !overflowsToo else { return false }
        let perProcessor = blocks(function, limits, threads: threads, dynamic: Int64(shape.sharedByteCount))
        return grid <= perProcessor &* limits.processorCount
    }

    /// The corresponding C function is `cuOccupancyMaxActiveBlocksPerMultiprocessor`.
    public static func occupancyMaxActiveBlocksPerMultiprocessor(
        _ result: UnsafeMutablePointer<Int32>?, _ handle: CUfunction?, _ blockSize: Int32, _ dynamicByteCount: Int
    ) -> CUresult {
        occupancyMaxActiveBlocksPerMultiprocessorWithFlags(result, handle, blockSize, dynamicByteCount, 0)
    }

    /// The corresponding C function is `cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags`.
    public static func occupancyMaxActiveBlocksPerMultiprocessorWithFlags(
        _ result: UnsafeMutablePointer<Int32>?, _ handle: CUfunction?, _ blockSize: Int32, _ dynamicByteCount: Int,
        _ flags: UInt32
    ) -> CUresult {
        guard let result, blockSize > 0, dynamicByteCount >= 0, dynamicByteCount < 1 << 40, flags <= 1 else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return withFunction(handle) { function, limits in
            let count = blocks(function, limits, threads: Int64(blockSize), dynamic: Int64(dynamicByteCount))
            result.pointee = Int32(truncatingIfNeeded: count)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuOccupancyMaxPotentialBlockSize`.
    public static func occupancyMaxPotentialBlockSize(
        _ gridSize: UnsafeMutablePointer<Int32>?, _ blockSize: UnsafeMutablePointer<Int32>?, _ handle: CUfunction?,
        _ dynamicSize: CUoccupancyB2DSize?, _ dynamicByteCount: Int, _ limit: Int32
    ) -> CUresult {
        occupancyMaxPotentialBlockSizeWithFlags(gridSize, blockSize, handle, dynamicSize, dynamicByteCount, limit, 0)
    }

    /// The corresponding C function is `cuOccupancyMaxPotentialBlockSizeWithFlags`.
    public static func occupancyMaxPotentialBlockSizeWithFlags(
        _ gridSize: UnsafeMutablePointer<Int32>?, _ blockSize: UnsafeMutablePointer<Int32>?, _ handle: CUfunction?,
        _ dynamicSize: CUoccupancyB2DSize?, _ dynamicByteCount: Int, _ limit: Int32, _ flags: UInt32
    ) -> CUresult {
        guard let gridSize, let blockSize, limit >= 0, dynamicByteCount >= 0, flags <= 1 else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return withFunction(handle) { function, limits in
            var threadsMax = Int64(function.pointee.limits.threads)
            let own = Int64(function.pointee.attributes[0])
            if own > 0 { threadsMax = min(threadsMax, own) }
            if limit > 0 { threadsMax = min(threadsMax, Int64(limit)) }
            var best: (threads: Int64, blocks: Int64) = (0, 0)
            // From large to small, as the larger block wins among equals.
            var threads = threadsMax
            while threads > 0 {
                let dynamic =
                    dynamicSize.map { Int64($0(Int32(truncatingIfNeeded: threads))) } ?? Int64(dynamicByteCount)
                let count = blocks(function, limits, threads: threads, dynamic: dynamic)
                if count &* threads > best.blocks &* best.threads { best = (threads, count) }
                threads = (threads &- 1) / 32 * 32
            }
            guard best.threads > 0 else { return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES }
            blockSize.pointee = Int32(truncatingIfNeeded: best.threads)
            gridSize.pointee = Int32(truncatingIfNeeded: best.blocks &* limits.processorCount)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuOccupancyAvailableDynamicSMemPerBlock`.
    public static func occupancyAvailableDynamicSMemPerBlock(
        _ result: UnsafeMutablePointer<Int>?, _ handle: CUfunction?, _ blockCount: Int32, _ blockSize: Int32
    ) -> CUresult {
        guard let result, blockCount > 0, blockSize > 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { function, limits in
            let fixed = Int64(function.pointee.attributes[Int(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES.rawValue)])
            let share = limits.sharedPerProcessor / Int64(blockCount) / 128 * 128
            let cap = Int64(function.pointee.limits.optInSharedByteCount)
            let available = min(share &- limits.reservedSharedPerBlock, cap) &- fixed
            result.pointee = Int(max(0, available))
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuOccupancyMaxPotentialClusterSize`. Clusters of one block are all there is.
    public static func occupancyMaxPotentialClusterSize(
        _ result: UnsafeMutablePointer<Int32>?, _ handle: CUfunction?, _ config: UnsafePointer<CUlaunchConfig>?
    ) -> CUresult {
        guard let result, config != nil else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { _, _ in
            result.pointee = 1
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuOccupancyMaxActiveClusters`.
    public static func occupancyMaxActiveClusters(
        _ result: UnsafeMutablePointer<Int32>?, _ handle: CUfunction?, _ config: UnsafePointer<CUlaunchConfig>?
    ) -> CUresult {
        guard let result, let config else { return CUDA_ERROR_INVALID_VALUE }
        return withFunction(handle) { function, limits in
            let values = config.pointee
            let threads = UInt64(values.blockDimX) &* UInt64(values.blockDimY) &* UInt64(values.blockDimZ)
            guard threads > 0, threads <= 1024 else { return CUDA_ERROR_INVALID_VALUE }
            let count = blocks(
                function, limits, threads: Int64(threads), dynamic: Int64(values.sharedMemBytes))
            result.pointee = Int32(truncatingIfNeeded: count &* limits.processorCount)
            return CUDA_SUCCESS
        }
    }
}
