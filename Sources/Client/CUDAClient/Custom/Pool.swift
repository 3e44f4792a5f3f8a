public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// A memory pool: a name under which allocations are counted. Memory itself comes from the device's arena.
final class PoolRecord {
    let device: Int32
    let isDefault: Bool
    /// Held by the getters and setters.
    let lock = Lock()
    var handle: OpaquePointer?
    var releaseThreshold: UInt64 = 0
    var reuse: [Int32] = [1, 1, 1]
    var usedByteCount: UInt64 = 0
    var usedByteCountMax: UInt64 = 0

    init(device: Int32, isDefault: Bool) {
        self.device = device
        self.isDefault = isDefault
    }
}

extension CUDADriver {
    // SAFETY: only touched under `tablesLock`.
    nonisolated(unsafe) private static var defaultPools: [PoolRecord?] = []
    nonisolated(unsafe) private static var currentPools: [PoolRecord?] = []

    private static func makePool(device: Int32, isDefault: Bool) -> PoolRecord? {
        let pool = PoolRecord(device: device, isDefault: isDefault)
        let object = Unmanaged.passRetained(pool)
        guard let made = makeHandle(.pool, context: nil, object: object.toOpaque()) else {
            object.release()
            return nil
        }
        pool.handle = made.handle
        return pool
    }

    /// A device's default pool, or the pool set for it.
    private static func pool(of device: Device, wantsDefault: Bool) -> PoolRecord? {
        tablesLock.acquire()
        defer { tablesLock.release() }
        let index = Int(device.ordinal)
        while defaultPools.count <= index { defaultPools.append(nil) }
        while currentPools.count <= index { currentPools.append(nil) }
        if defaultPools[index] == nil { defaultPools[index] = makePool(device: device.ordinal, isDefault: true) }
        return wantsDefault ? defaultPools[index] : currentPools[index] ?? defaultPools[index]
    }

    private static func poolRecord(_ handle: CUmemoryPool?) -> PoolRecord? {
        object(handle, .pool, as: PoolRecord.self)
    }

    /// Takes a freed block out of its pool's count.
    static func forgetPooled(_ block: Block) {
        guard let object = block.object, let pool = poolRecord(OpaquePointer(object)) else { return }
        tablesLock.acquire()
        pool.usedByteCount -= min(pool.usedByteCount, block.byteCount)
        tablesLock.release()
    }

    private static func allocate(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: Int, _ pool: PoolRecord, _ target: CallTarget
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard pool.device == target.context.pointee.device else { return CUDA_ERROR_INVALID_VALUE }
        guard byteCount > 0 else {
            result.pointee = 0
            return byteCount == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE
        }
        let (status, address) = allocate(byteCount, .device, target)
        guard status == CUDA_SUCCESS, let device = device(of: target.context) else { return status }
        let taken = device.memory.lock.withLock { () -> UInt64 in
            let block = device.memory.find(address)
            block?.pointee.object = pool.handle.map { UnsafeMutableRawPointer($0) }
            return block?.pointee.byteCount ?? 0
        }
        tablesLock.acquire()
        pool.usedByteCount &+= taken
        pool.usedByteCountMax = max(pool.usedByteCountMax, pool.usedByteCount)
        tablesLock.release()
        result.pointee = address
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuMemAllocAsync`. The address is usable at once, in any stream.
    public static func memAllocAsync(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: Int, _ stream: CUstream?
    ) -> CUresult {
        withContext { target in
            guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
            if let captured = captureAllocation(result, byteCount, stream: id, target) { return captured }
            guard let device = device(of: target.context), let pool = pool(of: device, wantsDefault: false) else {
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            return allocate(result, byteCount, pool, target)
        }
    }

    /// The corresponding C function is `cuMemAllocFromPoolAsync`.
    public static func memAllocFromPoolAsync(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: Int, _ pool: CUmemoryPool?, _ stream: CUstream?
    ) -> CUresult {
        withContext { target in
            guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
            guard let pool = poolRecord(pool) else { return CUDA_ERROR_INVALID_VALUE }
            if let captured = captureAllocation(result, byteCount, stream: id, target) { return captured }
            return allocate(result, byteCount, pool, target)
        }
    }

    /// The corresponding C function is `cuMemFreeAsync`.
    public static func memFreeAsync(_ address: CUdeviceptr, _ stream: CUstream?) -> CUresult {
        guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
        guard address != 0 else { return CUDA_SUCCESS }
        if Captures.areActive, let captured = captureFree(address, stream: id) { return captured }
        return free(address, stream: id)
    }

    // MARK: - Pools

    /// The corresponding C function is `cuMemPoolCreate`.
    public static func memPoolCreate(
        _ result: UnsafeMutablePointer<CUmemoryPool?>?, _ properties: UnsafePointer<CUmemPoolProps>?
    ) -> CUresult {
        guard let result, let properties else { return CUDA_ERROR_INVALID_VALUE }
        let wanted = properties.pointee
        guard wanted.allocType == CU_MEM_ALLOCATION_TYPE_PINNED else { return CUDA_ERROR_NOT_SUPPORTED }
        guard wanted.location.type == CU_MEM_LOCATION_TYPE_DEVICE, wanted.handleTypes.rawValue == 0 else {
            return CUDA_ERROR_NOT_SUPPORTED
        }
        return withDevice(wanted.location.id) { device in
            guard let pool = makePool(device: device.ordinal, isDefault: false) else { return CUDA_ERROR_OUT_OF_MEMORY }
            result.pointee = pool.handle
            return CUDA_SUCCESS
        }
    }

    private static func withPool(_ handle: CUmemoryPool?, _ body: (PoolRecord) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let pool = poolRecord(handle) else { return CUDA_ERROR_INVALID_VALUE }
        pool.lock.acquire()
        defer { pool.lock.release() }
        return body(pool)
    }

    /// The corresponding C function is `cuMemPoolDestroy`.
    public static func memPoolDestroy(_ handle: CUmemoryPool?) -> CUresult {
        withPool(handle) { pool in
            guard !pool.isDefault else { return CUDA_ERROR_INVALID_VALUE }
            tablesLock.acquire()
            for index in currentPools.indices where currentPools[index] === pool { currentPools[index] = nil }
            tablesLock.release()
            if let object = endHandle(handle, .pool) { Unmanaged<PoolRecord>.fromOpaque(object).release() }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemPoolTrimTo`. Freed memory is never kept, so there is nothing to trim.
    public static func memPoolTrimTo(_ handle: CUmemoryPool?, _ byteCount: Int) -> CUresult {
        withPool(handle) { _ in CUDA_SUCCESS }
    }

    /// The corresponding C function is `cuMemPoolSetAttribute`.
    public static func memPoolSetAttribute(
        _ handle: CUmemoryPool?, _ attribute: CUmemPool_attribute, _ value: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withPool(handle) { pool in
            switch attribute.rawValue {
            case 1...3: pool.reuse[Int(attribute.rawValue) &- 1] = value.load(as: Int32.self)
            case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD.rawValue: pool.releaseThreshold = value.load(as: UInt64.self)
            case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH.rawValue, CU_MEMPOOL_ATTR_USED_MEM_HIGH.rawValue:
                guard value.load(as: UInt64.self) == 0 else { return CUDA_ERROR_INVALID_VALUE }
                pool.usedByteCountMax = pool.usedByteCount
            default: return CUDA_ERROR_INVALID_VALUE
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemPoolGetAttribute`.
    public static func memPoolGetAttribute(
        _ handle: CUmemoryPool?, _ attribute: CUmemPool_attribute, _ value: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withPool(handle) { pool in
            switch attribute.rawValue {
            case 1...3: value.storeBytes(of: pool.reuse[Int(attribute.rawValue) &- 1], as: Int32.self)
            case 4: value.storeBytes(of: pool.releaseThreshold, as: UInt64.self)
            case 5, 7: value.storeBytes(of: pool.usedByteCount, as: UInt64.self)
            case 6, 8: value.storeBytes(of: pool.usedByteCountMax, as: UInt64.self)
            case 9: value.storeBytes(of: CU_MEM_ALLOCATION_TYPE_PINNED.rawValue, as: UInt32.self)
            case 10, 14: value.storeBytes(of: 0, as: UInt32.self)
            case 11: value.storeBytes(of: pool.device, as: Int32.self)
            case 12: value.storeBytes(of: CU_MEM_LOCATION_TYPE_DEVICE.rawValue, as: UInt32.self)
            case 13: value.storeBytes(of: 0, as: UInt64.self)
            default: return CUDA_ERROR_INVALID_VALUE
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemPoolSetAccess`. Only the pool's own device ever has access.
    public static func memPoolSetAccess(
        _ handle: CUmemoryPool?, _ list: UnsafePointer<CUmemAccessDesc>?, _ count: Int
    ) -> CUresult {
        withPool(handle) { pool in
            guard let list, count >= 0, count <= 1024 else { return CUDA_ERROR_INVALID_VALUE }
            for index in 0..<count {
                let isOwn =
                    list[index].location.type == CU_MEM_LOCATION_TYPE_DEVICE
                    && list[index].location.id == pool.device
                guard isOwn else { return CUDA_ERROR_INVALID_DEVICE }
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemPoolGetAccess`.
    public static func memPoolGetAccess(
        _ flags: UnsafeMutablePointer<CUmemAccess_flags>?, _ handle: CUmemoryPool?,
        _ location: UnsafeMutablePointer<CUmemLocation>?
    ) -> CUresult {
        guard let flags, let location else { return CUDA_ERROR_INVALID_VALUE }
        return withPool(handle) { pool in
            let isOwn = location.pointee.type == CU_MEM_LOCATION_TYPE_DEVICE && location.pointee.id == pool.device
            flags.pointee = isOwn ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_NONE
            return CUDA_SUCCESS
        }
    }

    // MARK: - Pools of devices

    private static func write(
        _ result: UnsafeMutablePointer<CUmemoryPool?>?, _ ordinal: CUdevice, wantsDefault: Bool
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(ordinal) { device in
            guard let pool = pool(of: device, wantsDefault: wantsDefault) else { return CUDA_ERROR_OUT_OF_MEMORY }
            result.pointee = pool.handle
            return CUDA_SUCCESS
        }
    }

    private static func assign(_ ordinal: CUdevice, _ handle: CUmemoryPool?) -> CUresult {
        withDevice(ordinal) { device in
            guard let record = poolRecord(handle), record.device == ordinal else { return CUDA_ERROR_INVALID_VALUE }
            _ = pool(of: device, wantsDefault: true)
            tablesLock.acquire()
            currentPools[Int(ordinal)] = record
            tablesLock.release()
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceGetDefaultMemPool`.
    public static func deviceGetDefaultMemPool(
        _ result: UnsafeMutablePointer<CUmemoryPool?>?, _ device: CUdevice
    ) -> CUresult {
        write(result, device, wantsDefault: true)
    }

    /// The corresponding C function is `cuDeviceGetMemPool`.
    public static func deviceGetMemPool(_ result: UnsafeMutablePointer<CUmemoryPool?>?, _ device: CUdevice) -> CUresult
    {
        write(result, device, wantsDefault: false)
    }

    /// The corresponding C function is `cuDeviceSetMemPool`.
    public static func deviceSetMemPool(_ device: CUdevice, _ pool: CUmemoryPool?) -> CUresult { assign(device, pool) }

    private static func ordinal(
        _ location: UnsafeMutablePointer<CUmemLocation>?, _ type: CUmemAllocationType
    ) -> CUdevice? {
        guard let location, type == CU_MEM_ALLOCATION_TYPE_PINNED,
            location.pointee.type == CU_MEM_LOCATION_TYPE_DEVICE
        else { return nil }
        return location.pointee.id
    }

    /// The corresponding C function is `cuMemGetDefaultMemPool`.
    public static func memGetDefaultMemPool(
        _ result: UnsafeMutablePointer<CUmemoryPool?>?, _ location: UnsafeMutablePointer<CUmemLocation>?,
        _ type: CUmemAllocationType
    ) -> CUresult {
        guard let ordinal = ordinal(location, type) else { return CUDA_ERROR_NOT_SUPPORTED }
        return write(result, ordinal, wantsDefault: true)
    }

    /// The corresponding C function is `cuMemGetMemPool`.
    public static func memGetMemPool(
        _ result: UnsafeMutablePointer<CUmemoryPool?>?, _ location: UnsafeMutablePointer<CUmemLocation>?,
        _ type: CUmemAllocationType
    ) -> CUresult {
        guard let ordinal = ordinal(location, type) else { return CUDA_ERROR_NOT_SUPPORTED }
        return write(result, ordinal, wantsDefault: false)
    }

    /// The corresponding C function is `cuMemSetMemPool`.
    public static func memSetMemPool(
        _ location: UnsafeMutablePointer<CUmemLocation>?, _ type: CUmemAllocationType, _ pool: CUmemoryPool?
    ) -> CUresult {
        guard let ordinal = ordinal(location, type) else { return CUDA_ERROR_NOT_SUPPORTED }
        return assign(ordinal, pool)
    }
}
