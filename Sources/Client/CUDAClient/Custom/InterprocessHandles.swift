public import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// Allocations of other processes that this one has opened.
private enum OpenedMemory {
    struct Entry {
        var high: UInt64
        var low: UInt64
        var address: UInt64
        var reservation: UInt64
        /// How often the program opened it.
        var count: Int
    }

    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) static var entries: [Entry] = []
    /// Secrets of what this process shares: it can't open its own.
    nonisolated(unsafe) static var own: [(high: UInt64, low: UInt64)] = []
    static let lock = Lock()
}

extension CUDADriver {
    /// The corresponding C function is `cuIpcGetMemHandle`. The handle names the whole allocation.
    public static func ipcGetMemHandle(
        _ result: UnsafeMutablePointer<CUipcMemHandle>?, _ address: CUdeviceptr
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let result, let thread = ThreadState.mine, let device = device(containing: address),
            let block = device.memory.block(containing: address), block.kind == MemoryKind.device.rawValue,
            block.object == nil, let context = block.context
        else { return CUDA_ERROR_INVALID_VALUE }
        return with(context, thread) { target in
            var reply = MemoryShare.Reply()
            let status = target.call(MemoryShare(address: block.address), &reply)
            guard status == CUDA_SUCCESS else { return status }
            device.memory.lock.withLock {
                device.memory.find(block.address)?.pointee.flags |= DeviceMemory.sharedFlag
            }
            OpenedMemory.lock.acquire()
            let isKnown = OpenedMemory.own.contains { $0.high == reply.secretHigh && $0.low == reply.secretLow }
            if !isKnown { OpenedMemory.own.append((reply.secretHigh, reply.secretLow)) }
            OpenedMemory.lock.release()
            var ticket = SharingTicket(
                kind: SharingTicket.memory, device: device, high: reply.secretHigh, low: reply.secretLow)
            ticket.byteCount = block.requestedByteCount
            ticket.pageOffset = block.address & 4095
            withUnsafeMutableBytes(of: &result.pointee) { ticket.store(to: $0) }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuIpcOpenMemHandle_v2`. Opening once more gives the same address.
    public static func ipcOpenMemHandleV2(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ handle: CUipcMemHandle, _ flags: UInt32
    ) -> CUresult {
        guard let result, flags & ~1 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        guard let ticket = withUnsafeBytes(of: handle, { SharingTicket(from: $0) }),
            ticket.kind == SharingTicket.memory, ticket.byteCount > 0, ticket.byteCount < 1 << 40,
            ticket.pageOffset < 4096
        else { return CUDA_ERROR_INVALID_VALUE }
        return withContext { target in
            guard let device = ticket.device, device.ordinal == target.context.pointee.device else {
                return CUDA_ERROR_INVALID_DEVICE
            }
            OpenedMemory.lock.acquire()
            defer { OpenedMemory.lock.release() }
            for entry in OpenedMemory.own where entry.high == ticket.high && entry.low == ticket.low {
                return CUDA_ERROR_INVALID_CONTEXT
            }
            for index in OpenedMemory.entries.indices
            where OpenedMemory.entries[index].high == ticket.high && OpenedMemory.entries[index].low == ticket.low {
                OpenedMemory.entries[index].count &+= 1
                result.pointee = OpenedMemory.entries[index].address
                return CUDA_SUCCESS
            }
            return open(ticket, device, result)
        }
    }

    /// Reserves addresses and has the worker put the allocation there; the caller holds the lock.
    private static func open(
        _ ticket: SharingTicket, _ device: Device, _ result: UnsafeMutablePointer<CUdeviceptr>
    ) -> CUresult {
        var reservation: CUdeviceptr = 0
        let pages = Int((ticket.pageOffset &+ ticket.byteCount &+ 4095) & ~4095)
        let reserved = memAddressReserve(&reservation, pages, 0, 0, 0)
        guard reserved == CUDA_SUCCESS else { return reserved }
        let address = reservation &+ ticket.pageOffset
        let status = withAddressSpace(of: device) { space in
            space.call(
                MemoryOpen(
                    device: device.wireIndex, address: address, secretHigh: ticket.high, secretLow: ticket.low))
        }
        guard status == CUDA_SUCCESS else {
            _ = memAddressFree(reservation, pages)
            return status
        }
        var properties = CUmemAllocationProp()
        properties.type = CU_MEM_ALLOCATION_TYPE_PINNED
        properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE
        properties.location.id = device.ordinal
        let physical = PhysicalRecord(
            device: device, byteCount: ticket.byteCount, properties: properties, isImported: true)
        _ = withReservation(address, ticket.byteCount) { _, _, record in
            record.mappings.append(
                MappingRecord(
                    address: address, byteCount: ticket.byteCount, offset: 0, physical: physical,
                    access: CU_MEM_ACCESS_FLAGS_PROT_READWRITE.rawValue))
        }
        OpenedMemory.entries.append(
            OpenedMemory.Entry(
                high: ticket.high, low: ticket.low, address: address, reservation: reservation, count: 1))
        result.pointee = address
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuIpcOpenMemHandle`.
    public static func ipcOpenMemHandle(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ handle: CUipcMemHandle, _ flags: UInt32
    ) -> CUresult {
        ipcOpenMemHandleV2(result, handle, flags)
    }

    /// The corresponding C function is `cuIpcCloseMemHandle`.
    public static func ipcCloseMemHandle(_ address: CUdeviceptr) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let device = device(containing: address) else { return CUDA_ERROR_INVALID_VALUE }
        OpenedMemory.lock.acquire()
        defer { OpenedMemory.lock.release() }
        guard let index = OpenedMemory.entries.firstIndex(where: { $0.address == address }) else {
            return CUDA_ERROR_INVALID_VALUE
        }
        OpenedMemory.entries[index].count &-= 1
        guard OpenedMemory.entries[index].count == 0 else { return CUDA_SUCCESS }
        let entry = OpenedMemory.entries.remove(at: index)
        return withAddressSpace(of: device) { space in
            let status = space.send(MemoryClose(device: device.wireIndex, address: address))
            let byteCount = withReservation(address, 1) { _, block, record -> UInt64 in
                record.mappings.removeAll()
                return block.requestedByteCount
            }
            _ = memAddressFree(entry.reservation, Int(byteCount ?? 0))
            return status
        }
    }

    // MARK: - Events

    /// The corresponding C function is `cuIpcGetEventHandle`.
    public static func ipcGetEventHandle(
        _ result: UnsafeMutablePointer<CUipcEventHandle>?, _ event: CUevent?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let entry = entry(event, .event), let id = eventID(event) else { return CUDA_ERROR_INVALID_HANDLE }
        guard entry.pointee.flags & 4 != 0, let context = entry.pointee.context, let device = device(of: context)
        else { return CUDA_ERROR_INVALID_VALUE }
        var reply = EventShare.Reply()
        let status = call(EventShare(event: id), &reply)
        guard status == CUDA_SUCCESS else { return status }
        let ticket = SharingTicket(
            kind: SharingTicket.event, device: device, high: reply.secretHigh, low: reply.secretLow)
        withUnsafeMutableBytes(of: &result.pointee) { ticket.store(to: $0) }
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuIpcOpenEventHandle`.
    public static func ipcOpenEventHandle(
        _ result: UnsafeMutablePointer<CUevent?>?, _ handle: CUipcEventHandle
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let ticket = withUnsafeBytes(of: handle, { SharingTicket(from: $0) }), ticket.kind == SharingTicket.event
        else { return CUDA_ERROR_INVALID_VALUE }
        guard let device = ticket.device, device === presentDevice else { return CUDA_ERROR_INVALID_DEVICE }
        let status = createHandle(.event, result) { id in
            call(EventOpen(event: id, secretHigh: ticket.high, secretLow: ticket.low))
        }
        // Without times, and of two processes.
        if status == CUDA_SUCCESS { entry(result.pointee, .event)?.pointee.flags = 6 }
        return status
    }
}
