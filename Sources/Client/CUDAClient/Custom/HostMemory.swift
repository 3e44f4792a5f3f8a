public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// Pages that the user registered.
struct Registration {
    var host: UInt
    var byteCount: Int
    var flags: UInt32
    var context: UnsafeMutablePointer<ContextState>
    /// 0 until somebody asks for it.
    var deviceAddress: UInt64
}

/// Host memory's bookkeeping beside the arena's.
enum HostMemory {
    /// In a block's flags: the device sees it. The lower bits are the flags of `cuMemHostAlloc`.
    static let mirroredFlag: UInt32 = 1 << 31

    // SAFETY: only touched under `CUDADriver.tablesLock`.
    nonisolated(unsafe) static var registrations: [Registration] = [] {
        didSet { hasRegistrations = !registrations.isEmpty }
    }

    /// A hint that is read without the lock.
    nonisolated(unsafe) static var hasRegistrations = false

    static func registrationIndex(_ address: UInt) -> Int? {
        for (index, entry) in registrations.enumerated() where address &- entry.host < UInt(entry.byteCount) {
            return index
        }
        return nil
    }
}

extension CUDADriver {
    /// Takes host-visible memory with real pages at its address.
    private static func allocateHostVisible(
        _ byteCount: Int, _ kind: MemoryKind, flags: UInt32, _ target: CallTarget
    ) -> (status: CUresult, address: UInt64) {
        guard byteCount > 0, byteCount < 1 << 39, let device = device(of: target.context) else {
            return (CUDA_ERROR_INVALID_VALUE, 0)
        }
        guard device.hasArena else { return (CUDA_ERROR_NOT_SUPPORTED, 0) }
        let allowed = Captures.checkUnsafe(target.thread)
        guard allowed == CUDA_SUCCESS else { return (allowed, 0) }
        let (status, address) = allocate(byteCount, kind, target)
        guard status == CUDA_SUCCESS else { return (status, 0) }
        let pages = (byteCount &+ 65_535) & ~65_535
        guard let start = UnsafeMutableRawPointer(bitPattern: UInt(address)),
            posix_remap_anonymous(start, pages, Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE)) == 0
        else {
            let stream = kind == .host ? nil : StreamID.all
            _ = device.memory.free(address, stream: stream, context: target.context, lane: target.lane)
            return (CUDA_ERROR_OUT_OF_MEMORY, 0)
        }
        device.memory.lock.withLock {
            device.memory.find(address)?.pointee.flags = flags
        }
        return (CUDA_SUCCESS, address)
    }

    /// Makes a block's pages inaccessible again and ends its mirror.
    static func releaseHostPages(of block: Block) {
        guard block.kind != MemoryKind.registered.rawValue else {
            Mirrors.remove(deviceAddress: block.address)
            return
        }
        if block.kind == MemoryKind.host.rawValue { Mirrors.pinnedChanged(by: -1) }
        Mirrors.remove(deviceAddress: block.address)
        if let start = UnsafeMutableRawPointer(bitPattern: UInt(block.address)) {
            _ = posix_remap_anonymous(start, Int(block.byteCount), Int32(POSIX_PROTECT_NONE))
        }
    }

    /// The corresponding C function is `cuMemAllocManaged`.
    public static func memAllocManaged(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: Int, _ flags: UInt32
    ) -> CUresult {
        guard let result, flags == 1 || flags == 2 else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            let (status, address) = allocateHostVisible(byteCount, .managed, flags: flags, target)
            guard status == CUDA_SUCCESS else { return status }
            guard let host = UnsafeMutableRawPointer(bitPattern: UInt(address)),
                Mirrors.addManaged(host: host, byteCount: byteCount, context: target.context)
            else {
                _ = memFreeV2(address)
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            result.pointee = address
            return zeroed(address, byteCount, target)
        }
    }

    /// Device memory is not zero by itself, and a mirror begins with both sides alike.
    private static func zeroed(_ address: UInt64, _ byteCount: Int, _ target: CallTarget) -> CUresult {
        target.send(
            Fill(
                address: address, pitch: UInt64(byteCount), elementByteCount: 1, value: 0, width: UInt64(byteCount),
                height: 1, stream: StreamID.legacyDefault))
    }

    /// The corresponding C function is `cuMemAllocHost_v2`.
    public static func memAllocHostV2(
        _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ byteCount: Int
    ) -> CUresult {
        memHostAlloc(result, byteCount, 0)
    }

    /// The corresponding C function is `cuMemHostAlloc`.
    public static func memHostAlloc(
        _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ byteCount: Int, _ flags: UInt32
    ) -> CUresult {
        guard let result, flags & ~7 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            let (status, address) = allocateHostVisible(byteCount, .host, flags: flags, target)
            guard status == CUDA_SUCCESS else { return status }
            Mirrors.pinnedChanged(by: 1)
            result.pointee = UnsafeMutableRawPointer(bitPattern: UInt(address))
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemFreeHost`.
    public static func memFreeHost(_ pointer: UnsafeMutableRawPointer?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        let address = UInt64(UInt(bitPattern: pointer))
        guard let device = device(containing: address), let block = device.memory.block(containing: address),
            block.address == address, block.kind == MemoryKind.host.rawValue, let context = block.context
        else { return CUDA_ERROR_INVALID_VALUE }
        return with(context, thread) { target in
            if block.flags & HostMemory.mirroredFlag != 0 || Downloads.areAny {
                // The device's side may still be written; the program must see that before the pages go.
                _ = synchronize(target)
            }
            releaseHostPages(of: block)
            let stream = block.flags & HostMemory.mirroredFlag != 0 ? StreamID.all : nil
            _ = device.memory.free(address, stream: stream, context: context, lane: target.lane)
            return CUDA_SUCCESS
        }
    }

    /// Lets the device see the pinned memory that contains an address, if there is any and it does not yet.
    static func mirrorPinned(_ address: UInt64, _ target: CallTarget) {
        guard let device = device(containing: address), let block = device.memory.block(containing: address),
            block.kind == MemoryKind.host.rawValue, block.flags & HostMemory.mirroredFlag == 0
        else { return }
        if let host = UnsafeRawPointer(bitPattern: UInt(block.address)),
            Downloads.overlap(host, Int(block.requestedByteCount))
        {
            // The device must get the newest bytes.
            _ = synchronize(target)
        }
        device.memory.lock.withLock {
            device.memory.find(block.address)?.pointee.flags |= HostMemory.mirroredFlag
        }
        guard let host = UnsafeMutableRawPointer(bitPattern: UInt(block.address)) else { return }
        _ = device.memory.announce(
            block.address, byteCount: block.requestedByteCount, context: target.context, lane: target.lane)
        _ = zeroed(block.address, Int(block.requestedByteCount), target)
        _ = Mirrors.add(
            host: host, deviceAddress: block.address, byteCount: Int(block.requestedByteCount),
            context: target.context)
    }

    /// The corresponding C function is `cuMemHostGetDevicePointer_v2`.
    public static func memHostGetDevicePointerV2(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ pointer: UnsafeMutableRawPointer?, _ flags: UInt32
    ) -> CUresult {
        guard let result, let pointer, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            let address = UInt64(UInt(bitPattern: pointer))
            if let device = device(containing: address), let block = device.memory.block(containing: address),
                block.kind != MemoryKind.device.rawValue, block.kind != MemoryKind.reserved.rawValue
            {
                mirrorPinned(address, target)
                result.pointee = address
                return CUDA_SUCCESS
            }
            return registeredDevicePointer(result, UInt(bitPattern: pointer), target)
        }
    }

    private static func registeredDevicePointer(
        _ result: UnsafeMutablePointer<CUdeviceptr>, _ pointer: UInt, _ target: CallTarget
    ) -> CUresult {
        tablesLock.acquire()
        let found = HostMemory.registrationIndex(pointer).map { HostMemory.registrations[$0] }
        tablesLock.release()
        guard let found else { return CUDA_ERROR_INVALID_VALUE }
        if found.deviceAddress != 0 {
            result.pointee = found.deviceAddress &+ UInt64(pointer &- found.host)
            return CUDA_SUCCESS
        }
        let (status, address) = allocate(found.byteCount, .registered, target)
        guard status == CUDA_SUCCESS else { return status }
        guard let host = UnsafeMutableRawPointer(bitPattern: found.host),
            Mirrors.add(host: host, deviceAddress: address, byteCount: found.byteCount, context: target.context)
        else { return CUDA_ERROR_OUT_OF_MEMORY }
        tablesLock.acquire()
        if let index = HostMemory.registrationIndex(pointer) { HostMemory.registrations[index].deviceAddress = address }
        tablesLock.release()
        result.pointee = address &+ UInt64(pointer &- found.host)
        return zeroed(address, found.byteCount, target)
    }

    /// The corresponding C function is `cuMemHostGetFlags`.
    public static func memHostGetFlags(
        _ flags: UnsafeMutablePointer<UInt32>?, _ pointer: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard let flags, let pointer else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { _ in
            let address = UInt64(UInt(bitPattern: pointer))
            if let device = device(containing: address), let block = device.memory.block(containing: address),
                block.kind == MemoryKind.host.rawValue
            {
                flags.pointee = block.flags & 7 | CUDADriver.deviceMapFlag
                return CUDA_SUCCESS
            }
            tablesLock.acquire()
            defer { tablesLock.release() }
            guard let index = HostMemory.registrationIndex(UInt(bitPattern: pointer)) else {
                return CUDA_ERROR_INVALID_VALUE
            }
            flags.pointee = HostMemory.registrations[index].flags | CUDADriver.deviceMapFlag
            return CUDA_SUCCESS
        }
    }

    private static let deviceMapFlag: UInt32 = 2

    /// The corresponding C function is `cuMemHostRegister_v2`.
    public static func memHostRegister(
        _ pointer: UnsafeMutableRawPointer?, _ byteCount: Int, _ flags: UInt32
    ) -> CUresult {
        guard let pointer, byteCount > 0, flags & ~15 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        guard flags & 4 == 0 else { return CUDA_ERROR_NOT_SUPPORTED }
        return withContext { target in
            let start = UInt(bitPattern: pointer)
            guard device(containing: UInt64(start)) == nil else { return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED }
            tablesLock.acquire()
            defer { tablesLock.release() }
            for entry in HostMemory.registrations
            where start < entry.host &+ UInt(entry.byteCount) && entry.host < start &+ UInt(byteCount) {
                return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED
            }
            HostMemory.registrations.append(
                Registration(
                    host: start, byteCount: byteCount, flags: flags, context: target.context, deviceAddress: 0))
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemHostUnregister`.
    public static func memHostUnregister(_ pointer: UnsafeMutableRawPointer?) -> CUresult {
        guard let pointer else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            tablesLock.acquire()
            let index = HostMemory.registrations.firstIndex { $0.host == UInt(bitPattern: pointer) }
            let entry = index.map { HostMemory.registrations.remove(at: $0) }
            tablesLock.release()
            guard let entry else { return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED }
            guard entry.deviceAddress != 0 else { return Downloads.areAny ? synchronize(target) : CUDA_SUCCESS }
            let status = synchronize(target)
            Mirrors.remove(deviceAddress: entry.deviceAddress)
            if let device = device(containing: entry.deviceAddress) {
                _ = device.memory.free(
                    entry.deviceAddress, stream: StreamID.all, context: entry.context, lane: target.lane)
            }
            return status
        }
    }
}
