public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// What physical objects and mappings are made of, in bytes: that of NVIDIA's devices.
    static let physicalGranularity: UInt64 = 2 << 20

    // MARK: - Addresses

    /// The corresponding C function is `cuMemAddressReserve`. The wanted address is a wish, as in CUDA.
    public static func memAddressReserve(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: Int, _ alignment: Int, _ wanted: CUdeviceptr,
        _ flags: UInt64
    ) -> CUresult {
        guard let result, byteCount > 0, byteCount & 4095 == 0, alignment >= 0, alignment & (alignment &- 1) == 0,
            flags == 0
        else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let device = device(containing: wanted) ?? presentDevice else { return CUDA_ERROR_NO_DEVICE }
        return withAddressSpace(of: device) { space in
            let memory = device.memory
            memory.lock.acquire()
            defer { memory.lock.release() }
            let aligned = max(physicalGranularity, UInt64(alignment))
            guard let block = memory.reserve(UInt64(byteCount), alignedTo: aligned, at: wanted) else {
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            let address = block.pointee.address
            block.pointee.object = Unmanaged.passRetained(ReservationRecord()).toOpaque()
            let status = space.send(
                AddressReserve(device: device.wireIndex, address: address, byteCount: UInt64(byteCount)))
            if status == CUDA_SUCCESS { result.pointee = address }
            return status
        }
    }

    /// The corresponding C function is `cuMemAddressFree`.
    public static func memAddressFree(_ address: CUdeviceptr, _ byteCount: Int) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard byteCount > 0, let device = device(containing: address) else { return CUDA_ERROR_INVALID_VALUE }
        return withAddressSpace(of: device) { space in
            let status = withReservation(address, UInt64(byteCount)) { _, block, record -> CUresult in
                guard block.address == address, block.requestedByteCount == UInt64(byteCount), record.mappings.isEmpty
                else { return CUDA_ERROR_INVALID_VALUE }
                device.memory.unreserve(address)
                Unmanaged.passUnretained(record).release()
                return space.send(AddressFree(device: device.wireIndex, address: address))
            }
            return status ?? CUDA_ERROR_INVALID_VALUE
        }
    }

    // MARK: - Mappings

    /// The corresponding C function is `cuMemMap`. An offset into the object is allowed, in whole granules.
    public static func memMap(
        _ address: CUdeviceptr, _ byteCount: Int, _ offset: Int, _ handle: CUmemGenericAllocationHandle,
        _ flags: UInt64
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        let mask = physicalGranularity &- 1
        guard flags == 0, byteCount > 0, offset >= 0, (UInt64(byteCount) | UInt64(offset) | address) & mask == 0,
            let physical = physicalRecord(handle), UInt64(offset) <= physical.byteCount,
            UInt64(byteCount) <= physical.byteCount &- UInt64(offset)
        else { return CUDA_ERROR_INVALID_VALUE }
        return withAddressSpace(of: physical.device) { space in
            let status = withReservation(address, UInt64(byteCount)) { device, _, record -> CUresult in
                guard device === physical.device, physical.handleCount > 0 else { return CUDA_ERROR_INVALID_VALUE }
                let index = record.index(endingAfter: address)
                guard
                    index == record.mappings.count
                        || record.mappings[index].address >= address &+ UInt64(byteCount)
                else { return CUDA_ERROR_INVALID_VALUE }
                record.mappings.insert(
                    MappingRecord(
                        address: address, byteCount: UInt64(byteCount), offset: UInt64(offset), physical: physical,
                        access: 0), at: index)
                physical.mappingCount &+= 1
                return space.send(
                    MemoryMap(
                        physical: physical.id, offset: UInt64(offset), device: device.wireIndex, address: address,
                        byteCount: UInt64(byteCount)))
            }
            return status ?? CUDA_ERROR_INVALID_VALUE
        }
    }

    /// The corresponding C function is `cuMemUnmap`. The range consists of whole mappings.
    public static func memUnmap(_ address: CUdeviceptr, _ byteCount: Int) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard byteCount > 0, let device = device(containing: address) else { return CUDA_ERROR_INVALID_VALUE }
        return withAddressSpace(of: device) { space in
            let status = withReservation(address, UInt64(byteCount)) { _, _, record -> CUresult in
                guard let range = record.whole(address, UInt64(byteCount)) else { return CUDA_ERROR_INVALID_VALUE }
                let status = space.send(
                    MemoryUnmap(device: device.wireIndex, address: address, byteCount: UInt64(byteCount)))
                for index in range {
                    let physical = record.mappings[index].physical
                    physical.mappingCount &-= 1
                    endIfUnused(physical, space)
                }
                record.mappings.removeSubrange(range)
                return status
            }
            return status ?? CUDA_ERROR_INVALID_VALUE
        }
    }

    /// The corresponding C function is `cuMemSetAccess`. Access is for reading and writing, or none; only the device
    /// that has the memory can have it.
    public static func memSetAccess(
        _ address: CUdeviceptr, _ byteCount: Int, _ list: UnsafePointer<CUmemAccessDesc>?, _ count: Int
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let list, count > 0, count <= 1024, byteCount > 0, let device = device(containing: address) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        var access: UInt32?
        for index in 0..<count {
            let entry = list[index]
            guard entry.location.type == CU_MEM_LOCATION_TYPE_DEVICE else { return CUDA_ERROR_NOT_SUPPORTED }
            guard entry.location.id == device.ordinal else { return CUDA_ERROR_INVALID_DEVICE }
            guard entry.flags == CU_MEM_ACCESS_FLAGS_PROT_NONE || entry.flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE
            else {
                return entry.flags == CU_MEM_ACCESS_FLAGS_PROT_READ
                    ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE
            }
            access = entry.flags.rawValue
        }
        guard let access else { return CUDA_ERROR_INVALID_VALUE }
        return withAddressSpace(of: device) { space in
            let status = withReservation(address, UInt64(byteCount)) { _, _, record -> CUresult in
                guard let range = record.whole(address, UInt64(byteCount)) else { return CUDA_ERROR_INVALID_VALUE }
                for index in range { record.mappings[index].access = access }
                return space.send(
                    MemorySetAccess(
                        device: device.wireIndex, address: address, byteCount: UInt64(byteCount), access: access))
            }
            return status ?? CUDA_ERROR_INVALID_VALUE
        }
    }

    /// The corresponding C function is `cuMemGetAccess`.
    public static func memGetAccess(
        _ flags: UnsafeMutablePointer<UInt64>?, _ location: UnsafePointer<CUmemLocation>?, _ address: CUdeviceptr
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let flags, let location, let mapping = mapping(containing: address) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        let isOwn =
            location.pointee.type == CU_MEM_LOCATION_TYPE_DEVICE
            && location.pointee.id == mapping.physical.device.ordinal
        flags.pointee = isOwn ? UInt64(mapping.access) : 0
        return CUDA_SUCCESS
    }
}
