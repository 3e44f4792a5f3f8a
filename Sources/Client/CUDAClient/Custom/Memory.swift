public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// The device whose arena contains an address, or nil.
    static func device(containing address: UInt64) -> Device? {
        for device in Session.devices where device.memory.contains(address) { return device }
        return nil
    }

    /// Takes memory in the target's context.
    static func allocate(
        _ byteCount: Int, _ kind: MemoryKind, _ target: CallTarget
    ) -> (status: CUresult, address: UInt64) {
        guard byteCount > 0, let device = device(of: target.context) else { return (CUDA_ERROR_INVALID_VALUE, 0) }
        let (status, address) = device.memory.allocate(
            UInt64(byteCount), kind: kind, context: target.context, lane: target.lane)
        if status == ClientStatus.success, Session.isStrict, kind != .host {
            return (target.confirm(status), address)
        }
        return (CUresult(status: status), address)
    }

    /// The corresponding C function is `cuMemAlloc_v2`.
    public static func memAllocV2(_ result: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: Int) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            let allowed = Captures.checkUnsafe(target.thread)
            guard allowed == CUDA_SUCCESS else { return allowed }
            let (status, address) = allocate(byteCount, .device, target)
            if status == CUDA_SUCCESS { result.pointee = address }
            return status
        }
    }

    /// The corresponding C function is `cuMemAllocPitch_v2`.
    public static func memAllocPitchV2(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ pitch: UnsafeMutablePointer<Int>?, _ width: Int, _ height: Int,
        _ elementByteCount: UInt32
    ) -> CUresult {
        guard let result, let pitch, width > 0, height > 0, width < 1 << 46 else { return CUDA_ERROR_INVALID_VALUE }
        guard elementByteCount == 4 || elementByteCount == 8 || elementByteCount == 16 else {
            return CUDA_ERROR_INVALID_VALUE
        }
        let row = (width &+ 511) & ~511
        let (byteCount, overflow) = row.multipliedReportingOverflow(by: height)
        guard !overflow else { return CUDA_ERROR_OUT_OF_MEMORY }
        return withContext { target in
            let allowed = Captures.checkUnsafe(target.thread)
            guard allowed == CUDA_SUCCESS else { return allowed }
            let (status, address) = allocate(byteCount, .device, target)
            if status == CUDA_SUCCESS {
                result.pointee = address
                pitch.pointee = row
            }
            return status
        }
    }

    /// The corresponding C function is `cuMemFree_v2`.
    public static func memFreeV2(_ address: CUdeviceptr) -> CUresult {
        guard address != 0 else { return withContext { _ in CUDA_SUCCESS } }
        let allowed = Captures.checkUnsafe()
        guard allowed == CUDA_SUCCESS else { return allowed }
        return free(address, stream: StreamID.all)
    }

    /// Ends an allocation of device or managed memory once a stream has come this far.
    static func free(_ address: UInt64, stream: UInt64) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        if let status = GraphMemory.programFrees(address) { return status }
        guard let device = device(containing: address), let block = device.memory.block(containing: address),
            block.address == address, let context = block.context,
            block.kind == MemoryKind.device.rawValue || block.kind == MemoryKind.managed.rawValue
        else { return CUDA_ERROR_INVALID_VALUE }
        return with(context, thread) { target in
            if block.kind == MemoryKind.managed.rawValue { releaseHostPages(of: block) }
            let freed = device.memory.free(address, stream: stream, context: context, lane: target.lane)
            guard let freed else { return CUDA_ERROR_INVALID_VALUE }
            forgetPooled(freed)
            return Session.isStrict ? target.confirm(ClientStatus.success) : CUDA_SUCCESS
        }
    }

    /// Ends all allocations of a context that ends.
    static func releaseMemory(of context: UnsafeMutablePointer<ContextState>, _ device: Device, _ lane: Lane?) {
        var address = device.memory.firstAddress
        while let block = device.memory.nextBlock(from: address, of: context) {
            address = block.address &+ block.byteCount
            if block.kind != MemoryKind.device.rawValue { releaseHostPages(of: block) }
            let isKnown = block.kind != MemoryKind.host.rawValue || block.flags & HostMemory.mirroredFlag != 0
            _ = device.memory.free(
                block.address, stream: isKnown ? StreamID.all : nil, context: context, lane: lane)
            forgetPooled(block)
        }
    }

    /// The corresponding C function is `cuMemGetInfo_v2`.
    public static func memGetInfoV2(
        _ free: UnsafeMutablePointer<Int>?, _ total: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let free, let total else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            guard let device = device(of: target.context) else { return CUDA_ERROR_INVALID_CONTEXT }
            var reply = MemoryInfo.Reply()
            let status = target.call(MemoryInfo(device: device.wireIndex), &reply)
            guard status == CUDA_SUCCESS else { return status }
            // The worker counts this process's unused lease as free.
            free.pointee = Int(truncatingIfNeeded: reply.freeByteCount)
            total.pointee = Int(truncatingIfNeeded: reply.totalByteCount)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemGetAddressRange_v2`.
    public static func memGetAddressRangeV2(
        _ start: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: UnsafeMutablePointer<Int>?, _ address: CUdeviceptr
    ) -> CUresult {
        withContext { _ in
            guard let device = device(containing: address), let block = device.memory.block(containing: address)
            else { return globalRange(start, byteCount, address) }
            if block.kind == MemoryKind.reserved.rawValue {
                guard let mapping = mapping(containing: address) else { return CUDA_ERROR_NOT_FOUND }
                start?.pointee = mapping.address
                byteCount?.pointee = Int(truncatingIfNeeded: mapping.byteCount)
                return CUDA_SUCCESS
            }
            start?.pointee = block.address
            byteCount?.pointee = Int(truncatingIfNeeded: block.requestedByteCount)
            return CUDA_SUCCESS
        }
    }

    private static func globalRange(
        _ start: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: UnsafeMutablePointer<Int>?, _ address: CUdeviceptr
    ) -> CUresult {
        guard let global = global(containing: address) else { return CUDA_ERROR_NOT_FOUND }
        start?.pointee = global.global.address
        byteCount?.pointee = Int(truncatingIfNeeded: global.global.byteCount)
        return CUDA_SUCCESS
    }

    /// The module variable that contains an address.
    static func global(
        containing address: UInt64
    ) -> (global: ModuleSnapshot.Global, context: UnsafeMutablePointer<ContextState>)? {
        guard let device = device(containing: address), device.memory.holdsModule(address), let contextRegion else {
            return nil
        }
        for slot in 1..<max(1, contextRegion.pointee.usedSlotCount) {
            guard let context = contextRegion.pointee.entry(slot).pointee.context, context.pointee.isAlive else {
                continue
            }
            tablesLock.acquire()
            let modules = details(of: context).modules
            tablesLock.release()
            for module in modules {
                for global in module.snapshot.globals where address &- global.address < global.byteCount {
                    return (global, context)
                }
            }
        }
        return nil
    }
}
