public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// What the client knows of an address.
private struct PointerFacts {
    var start: UInt64
    var byteCount: UInt64
    var serial: UInt64
    var kind: MemoryKind
    /// Nil for memory that belongs to no context.
    var context: UnsafeMutablePointer<ContextState>?
    var device: Int32
    /// The address on the device, 0 when the device can't reach it.
    var deviceAddress: UInt64
    /// The address in this process, 0 when the host can't reach it.
    var hostAddress: UInt64
    var pool: UnsafeMutableRawPointer?
    /// `CUmemAccess_flags`.
    var access: UInt32 = 3
    /// `CUmemAllocationHandleType`.
    var handleTypes: UInt32 = 0
}

extension CUDADriver {
    private static func facts(_ address: UInt64) -> PointerFacts? {
        if let device = device(containing: address) {
            if let block = device.memory.block(containing: address), let context = block.context,
                let kind = MemoryKind(rawValue: block.kind)
            {
                return PointerFacts(
                    start: block.address, byteCount: block.requestedByteCount, serial: block.serial, kind: kind,
                    context: context, device: context.pointee.device, deviceAddress: address,
                    hostAddress: kind == .managed || kind == .host ? address : 0, pool: block.object)
            }
            if let mapping = mapping(containing: address) {
                return PointerFacts(
                    start: mapping.address, byteCount: mapping.byteCount, serial: mapping.physical.id, kind: .device,
                    context: nil, device: device.ordinal, deviceAddress: address, hostAddress: 0, pool: nil,
                    access: mapping.access, handleTypes: mapping.physical.properties.requestedHandleTypes.rawValue)
            }
            guard let (global, context) = global(containing: address) else { return nil }
            return PointerFacts(
                start: global.address, byteCount: global.byteCount, serial: global.address,
                kind: global.isManaged ? .managed : .device, context: context, device: device.ordinal,
                deviceAddress: address,
                hostAddress: global.isManaged ? address : 0, pool: nil)
        }
        tablesLock.acquire()
        defer { tablesLock.release() }
        guard let index = HostMemory.registrationIndex(UInt(address)) else { return nil }
        let entry = HostMemory.registrations[index]
        let deviceAddress =
            entry.deviceAddress == 0 ? 0 : entry.deviceAddress &+ (address &- UInt64(entry.host))
        return PointerFacts(
            start: UInt64(entry.host), byteCount: UInt64(entry.byteCount), serial: UInt64(entry.host), kind: .host,
            context: entry.context, device: entry.context.pointee.device, deviceAddress: deviceAddress,
            hostAddress: address, pool: nil)
    }

    /// The corresponding C function is `cuPointerGetAttribute`. Memory that CUDA does not know is an invalid value.
    public static func pointerGetAttribute(
        _ result: UnsafeMutableRawPointer?, _ attribute: CUpointer_attribute, _ address: CUdeviceptr
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let facts = facts(address) else { return CUDA_ERROR_INVALID_VALUE }
        return store(attribute, facts, result)
    }

    private static func store(
        _ attribute: CUpointer_attribute, _ facts: PointerFacts, _ result: UnsafeMutableRawPointer
    ) -> CUresult {
        switch attribute {
        case CU_POINTER_ATTRIBUTE_CONTEXT:
            result.storeBytes(of: facts.pool == nil ? facts.context?.pointee.handle ?? 0 : 0, as: UInt.self)
        case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
            let isHost = facts.kind == .host || facts.kind == .registered
            result.storeBytes(
                of: (isHost ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE).rawValue, as: UInt32.self)
        case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
            guard facts.deviceAddress != 0 else { return CUDA_ERROR_INVALID_VALUE }
            result.storeBytes(of: facts.deviceAddress, as: UInt64.self)
        case CU_POINTER_ATTRIBUTE_HOST_POINTER:
            guard facts.hostAddress != 0 else { return CUDA_ERROR_INVALID_VALUE }
            result.storeBytes(of: facts.hostAddress, as: UInt64.self)
        case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: result.storeBytes(of: 0, as: UInt32.self)
        case CU_POINTER_ATTRIBUTE_BUFFER_ID: result.storeBytes(of: facts.serial, as: UInt64.self)
        case CU_POINTER_ATTRIBUTE_IS_MANAGED:
            result.storeBytes(of: facts.kind == .managed ? 1 : 0, as: UInt32.self)
        case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: result.storeBytes(of: facts.device, as: Int32.self)
        case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
            result.storeBytes(of: facts.start, as: UInt64.self)
        case CU_POINTER_ATTRIBUTE_RANGE_SIZE, CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
            result.storeBytes(of: facts.byteCount, as: UInt64.self)
        case CU_POINTER_ATTRIBUTE_MAPPED: result.storeBytes(of: 1, as: UInt32.self)
        case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
            let isCapable = facts.kind == .device && facts.context != nil && facts.pool == nil
            result.storeBytes(of: isCapable ? 1 : 0, as: UInt32.self)
        case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE,
            CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
            result.storeBytes(of: 0, as: UInt32.self)
        case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
            result.storeBytes(of: UInt64(facts.handleTypes), as: UInt64.self)
        case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
            result.storeBytes(of: facts.access, as: UInt32.self)
        case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
            result.storeBytes(of: UInt(bitPattern: facts.pool), as: UInt.self)
        case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID: result.storeBytes(of: facts.serial, as: UInt64.self)
        default: return CUDA_ERROR_INVALID_VALUE
        }
        return CUDA_SUCCESS
    }

    /// Bytes of an attribute's value.
    private static func byteCount(of attribute: CUpointer_attribute) -> Int {
        switch attribute {
        case CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, CU_POINTER_ATTRIBUTE_IS_MANAGED,
            CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
            CU_POINTER_ATTRIBUTE_MAPPED, CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE,
            CU_POINTER_ATTRIBUTE_ACCESS_FLAGS, CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
            4
        default: 8
        }
    }

    /// The corresponding C function is `cuPointerGetAttributes`. What does not apply to an address reads as zero.
    public static func pointerGetAttributes(
        _ count: UInt32, _ attributes: UnsafeMutablePointer<CUpointer_attribute>?,
        _ results: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ address: CUdeviceptr
    ) -> CUresult {
        guard let attributes, let results, count > 0 else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        let facts = facts(address)
        for index in 0..<Int(count) {
            guard let result = results[index] else { return CUDA_ERROR_INVALID_VALUE }
            let attribute = attributes[index]
            if let facts, store(attribute, facts, result) == CUDA_SUCCESS { continue }
            if attribute == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL {
                result.storeBytes(of: -2, as: Int32.self)
            } else if byteCount(of: attribute) == 4 {
                result.storeBytes(of: 0, as: UInt32.self)
            } else {
                result.storeBytes(of: 0, as: UInt64.self)
            }
        }
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuPointerSetAttribute`. Copies here always wait as the attribute asks.
    public static func pointerSetAttribute(
        _ value: UnsafeRawPointer?, _ attribute: CUpointer_attribute, _ address: CUdeviceptr
    ) -> CUresult {
        guard value != nil, attribute == CU_POINTER_ATTRIBUTE_SYNC_MEMOPS else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        return facts(address) == nil ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS
    }
}
