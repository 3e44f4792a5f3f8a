public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// The object that a program's handle names.
    static func physicalRecord(_ handle: CUmemGenericAllocationHandle) -> PhysicalRecord? {
        object(OpaquePointer(bitPattern: UInt(handle)), .physical, as: PhysicalRecord.self)
    }

    /// Whether this version can make such memory, and on which device.
    private static func device(
        for properties: UnsafePointer<CUmemAllocationProp>
    ) -> (status: CUresult, device: Device?) {
        let wanted = properties.pointee
        guard wanted.type == CU_MEM_ALLOCATION_TYPE_PINNED else { return (CUDA_ERROR_NOT_SUPPORTED, nil) }
        guard wanted.location.type == CU_MEM_LOCATION_TYPE_DEVICE else {
            return (
                wanted.location.type == CU_MEM_LOCATION_TYPE_INVALID
                    ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_NOT_SUPPORTED, nil
            )
        }
        let types = wanted.requestedHandleTypes.rawValue
        guard types & ~CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR.rawValue == 0 else {
            return (CUDA_ERROR_NOT_SUPPORTED, nil)
        }
        let devices = Session.devices
        guard wanted.location.id >= 0, Int(wanted.location.id) < devices.count else {
            return (CUDA_ERROR_INVALID_DEVICE, nil)
        }
        return (CUDA_SUCCESS, devices[Int(wanted.location.id)])
    }

    /// The corresponding C function is `cuMemGetAllocationGranularity`.
    public static func memGetAllocationGranularity(
        _ granularity: UnsafeMutablePointer<Int>?, _ properties: UnsafePointer<CUmemAllocationProp>?,
        _ option: CUmemAllocationGranularity_flags
    ) -> CUresult {
        guard let granularity, let properties, option.rawValue <= 1 else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        let status = device(for: properties).status
        if status == CUDA_SUCCESS { granularity.pointee = Int(physicalGranularity) }
        return status
    }

    /// The corresponding C function is `cuMemCreate`.
    public static func memCreate(
        _ result: UnsafeMutablePointer<CUmemGenericAllocationHandle>?, _ byteCount: Int,
        _ properties: UnsafePointer<CUmemAllocationProp>?, _ flags: UInt64
    ) -> CUresult {
        guard let result, let properties, byteCount > 0, flags == 0,
            UInt64(byteCount) & (physicalGranularity &- 1) == 0
        else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        let (status, found) = device(for: properties)
        guard let device = found else { return status }
        return withAddressSpace(of: device) { space in
            var kept = properties.pointee
            // Compression is a wish that no device here grants.
            kept.allocFlags.compressionType = 0
            kept.win32HandleMetaData = nil
            let charged = device.memory.charge(UInt64(byteCount), contextID: space.contextID, lane: space.lane)
            guard charged == ClientStatus.success else { return CUresult(status: charged) }
            let record = PhysicalRecord(
                device: device, byteCount: UInt64(byteCount), properties: kept, isImported: false)
            guard publish(record) else {
                device.memory.lock.withLock {
                    device.memory.discharge(
                        UInt64(byteCount), isShared: false, contextID: space.contextID, lane: space.lane)
                }
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            let status = space.send(
                PhysicalCreate(physical: record.id, device: device.wireIndex, byteCount: UInt64(byteCount)))
            if status == CUDA_SUCCESS { result.pointee = UInt64(UInt(bitPattern: record.handle)) }
            return status
        }
    }

    /// Gives an object its handle; false when there are no more.
    private static func publish(_ record: PhysicalRecord) -> Bool {
        let object = Unmanaged.passRetained(record)
        guard let made = makeHandle(.physical, context: nil, object: object.toOpaque()) else {
            object.release()
            return false
        }
        record.handle = made.handle
        record.id = made.id
        return true
    }

    /// The corresponding C function is `cuMemRelease`. The memory stays for as long as it is mapped.
    public static func memRelease(_ handle: CUmemGenericAllocationHandle) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let record = physicalRecord(handle) else { return CUDA_ERROR_INVALID_VALUE }
        return withAddressSpace(of: record.device) { space in
            record.device.memory.lock.acquire()
            defer { record.device.memory.lock.release() }
            guard record.handleCount > 0 else { return CUDA_ERROR_INVALID_VALUE }
            record.handleCount &-= 1
            return endIfUnused(record, space)
        }
    }

    /// Lets an object go that has neither a handle nor a mapping; the caller holds the lock of the device's memory.
    @discardableResult
    static func endIfUnused(_ record: PhysicalRecord, _ space: AddressSpace) -> CUresult {
        guard record.handleCount == 0, record.mappingCount == 0 else { return CUDA_SUCCESS }
        guard let object = endHandle(record.handle, .physical) else { return CUDA_SUCCESS }
        let status = space.send(PhysicalRelease(physical: record.id))
        if !record.isImported {
            record.device.memory.discharge(
                record.byteCount, isShared: record.isExported, contextID: space.contextID, lane: space.lane)
        }
        Unmanaged<PhysicalRecord>.fromOpaque(object).release()
        return status
    }

    /// The corresponding C function is `cuMemRetainAllocationHandle`.
    public static func memRetainAllocationHandle(
        _ result: UnsafeMutablePointer<CUmemGenericAllocationHandle>?, _ pointer: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let result, let pointer else { return CUDA_ERROR_INVALID_VALUE }
        let address = UInt64(UInt(bitPattern: pointer))
        let found = withReservation(address, 1) { _, _, record -> PhysicalRecord? in
            let physical = record.mapping(containing: address)?.physical
            physical?.handleCount &+= 1
            return physical
        }
        guard let found, let physical = found else { return CUDA_ERROR_INVALID_VALUE }
        result.pointee = UInt64(UInt(bitPattern: physical.handle))
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuMemGetAllocationPropertiesFromHandle`.
    public static func memGetAllocationPropertiesFromHandle(
        _ result: UnsafeMutablePointer<CUmemAllocationProp>?, _ handle: CUmemGenericAllocationHandle
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let result, let record = physicalRecord(handle) else { return CUDA_ERROR_INVALID_VALUE }
        result.pointee = record.properties
        return CUDA_SUCCESS
    }

    // MARK: - Between processes

    /// The corresponding C function is `cuMemExportToShareableHandle`. The descriptor is a small sealed file with the
    /// secret that opens the memory at the worker.
    public static func memExportToShareableHandle(
        _ result: UnsafeMutableRawPointer?, _ handle: CUmemGenericAllocationHandle,
        _ type: CUmemAllocationHandleType, _ flags: UInt64
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let result, flags == 0, let record = physicalRecord(handle) else { return CUDA_ERROR_INVALID_VALUE }
        guard type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR else { return CUDA_ERROR_NOT_SUPPORTED }
        guard record.properties.requestedHandleTypes.rawValue & type.rawValue != 0 else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return withAddressSpace(of: record.device) { space in
            var reply = PhysicalExport.Reply()
            let status = space.call(PhysicalExport(physical: record.id), &reply)
            guard status == CUDA_SUCCESS else { return status }
            record.device.memory.lock.withLock { record.isExported = true }
            let ticket = SharingTicket(
                kind: SharingTicket.physical, device: record.device, high: reply.secretHigh, low: reply.secretLow)
            let descriptor = ticket.makeFile()
            guard descriptor >= 0 else { return CUDA_ERROR_OPERATING_SYSTEM }
            result.storeBytes(of: descriptor, as: Int32.self)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuMemImportFromShareableHandle`. Memory of a vGPU that this process does not
    /// have is refused.
    public static func memImportFromShareableHandle(
        _ result: UnsafeMutablePointer<CUmemGenericAllocationHandle>?, _ osHandle: UnsafeMutableRawPointer?,
        _ type: CUmemAllocationHandleType
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR else { return CUDA_ERROR_NOT_SUPPORTED }
        let descriptor = Int32(truncatingIfNeeded: Int(bitPattern: osHandle))
        guard let ticket = SharingTicket(file: descriptor), ticket.kind == SharingTicket.physical else {
            return CUDA_ERROR_INVALID_VALUE
        }
        guard let device = ticket.device else { return CUDA_ERROR_NOT_SUPPORTED }
        return withAddressSpace(of: device) { space in
            var properties = CUmemAllocationProp()
            properties.type = CU_MEM_ALLOCATION_TYPE_PINNED
            properties.requestedHandleTypes = type
            properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE
            properties.location.id = device.ordinal
            guard let made = makeHandle(.physical, context: nil, object: nil) else { return CUDA_ERROR_OUT_OF_MEMORY }
            var reply = PhysicalImport.Reply()
            let status = space.call(
                PhysicalImport(
                    physical: made.id, device: device.wireIndex, secretHigh: ticket.high, secretLow: ticket.low),
                &reply)
            guard status == CUDA_SUCCESS else {
                _ = endHandle(made.handle, .physical)
                return status
            }
            let record = PhysicalRecord(
                device: device, byteCount: reply.byteCount, properties: properties, isImported: true)
            record.handle = made.handle
            record.id = made.id
            record.isExported = true
            entry(made.handle, .physical)?.pointee.object = Unmanaged.passRetained(record).toOpaque()
            result.pointee = UInt64(UInt(bitPattern: made.handle))
            return CUDA_SUCCESS
        }
    }
}
