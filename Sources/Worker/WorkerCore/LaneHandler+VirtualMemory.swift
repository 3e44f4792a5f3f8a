import GPUBackend
import WireProtocol

extension LaneHandler {
    func addressReserve(_ command: AddressReserve) throws(CommandError) {
        let (device, context) = try addressSpace(command.device)
        try session.reserve(command.address, command.byteCount, of: device)
        do throws(BackendError) {
            try device.backend.reserve(address: command.address, byteCount: command.byteCount, for: context)
        } catch {
            session.withTables { state in _ = state.reservations.removeValue(forKey: command.address) }
            throw CommandError(error)
        }
    }

    func addressFree(_ command: AddressFree) throws(CommandError) {
        let (device, context) = try addressSpace(command.device)
        try session.withState { state throws(CommandError) in
            guard let reservation = state.reservations[command.address], reservation.device === device,
                reservation.mappingCount == 0
            else { throw .invalidValue }
            state.reservations[command.address] = nil
        }
        try translating { () throws(BackendError) in
            try device.backend.unreserve(address: command.address, for: context)
        }
    }

    func physicalCreate(_ command: PhysicalCreate) throws(CommandError) {
        let device = try session.device(command.device)
        let isGranted = session.worker.withLedger { $0.allocate(for: session.serial, command.byteCount) }
        guard isGranted else { throw .outOfMemory }
        let made: any BackendPhysicalMemory
        do throws(BackendError) {
            made = try device.backend.makePhysical(byteCount: command.byteCount)
        } catch {
            session.worker.withLedger { $0.free(for: session.serial, command.byteCount) }
            throw CommandError(error)
        }
        let memory = SharedMemory(backend: made, byteCount: command.byteCount, payer: session.serial)
        try session.add(WorkerPhysical(device: device, memory: memory), id: command.physical)
    }

    func physicalRelease(_ command: PhysicalRelease) throws(CommandError) {
        let removed = session.withTables { $0.physicals.removeValue(forKey: command.physical) }
        guard let removed else { throw .invalidHandle }
        if removed.release() { session.worker.shared.drop(removed.memory, session.worker) }
    }

    func memoryMap(_ command: MemoryMap) throws(CommandError) {
        let (device, context) = try addressSpace(command.device)
        let physical = try session.note(command, of: device)
        do throws(BackendError) {
            try device.backend.map(
                physical.memory.backend, offset: command.offset, at: command.address, byteCount: command.byteCount,
                for: context)
        } catch {
            session.forgetMappings(command.address, command.byteCount)
            throw CommandError(error)
        }
    }

    func memoryUnmap(_ command: MemoryUnmap) throws(CommandError) {
        let (device, context) = try addressSpace(command.device)
        try translating { () throws(BackendError) in
            try device.backend.unmap(address: command.address, byteCount: command.byteCount, for: context)
        }
        session.forgetMappings(command.address, command.byteCount)
    }

    func memorySetAccess(_ command: MemorySetAccess) throws(CommandError) {
        let (device, context) = try addressSpace(command.device)
        guard command.access == 0 || command.access == 3 else { throw .invalidValue }
        try translating { () throws(BackendError) in
            try device.backend.setAccess(
                address: command.address, byteCount: command.byteCount, isAllowed: command.access == 3, for: context)
        }
    }

    func physicalExport(_ command: PhysicalExport, _ reply: inout PhysicalExport.Reply) throws(CommandError) {
        let physical = try physical(command.physical)
        let secret = session.worker.shared.export(physical.memory)
        (reply.secretHigh, reply.secretLow) = (secret.high, secret.low)
    }

    func physicalImport(_ command: PhysicalImport, _ reply: inout PhysicalImport.Reply) throws(CommandError) {
        let device = try session.device(command.device)
        let secret = SharedSecret(high: command.secretHigh, low: command.secretLow)
        guard let memory = session.worker.shared.open(secret) else { throw .unknownSecret }
        reply.byteCount = memory.byteCount
        try session.add(WorkerPhysical(device: device, memory: memory), id: command.physical)
    }

    private func physical(_ id: UInt64) throws(CommandError) -> WorkerPhysical {
        try session.withState { state throws(CommandError) in
            guard let physical = state.physicals[id] else { throw .invalidHandle }
            return physical
        }
    }

    /// A device with a context whose order its address changes keep: the lane's own where it fits.
    func addressSpace(
        _ ordinal: UInt32
    ) throws(CommandError) -> (device: SessionDevice, context: any BackendContext) {
        let device = try session.device(ordinal)
        if let current, current.device === device { return (device, current.backend) }
        return (device, try translating { () throws(BackendError) in try device.addressContext() })
    }
}

/// Addresses that a session took without memory.
struct Reservation {
    var device: SessionDevice
    var byteCount: UInt64
    /// Mappings that begin in it.
    var mappingCount = 0
}

/// A physical object at addresses.
struct MappedRange {
    var physical: WorkerPhysical
    var byteCount: UInt64
    /// The reservation around it.
    var reservation: UInt64
}

extension WorkerSession {
    /// Notes a physical object under the client's id, or lets it go.
    fileprivate func add(_ physical: WorkerPhysical, id: UInt64) throws(CommandError) {
        let isNoted = withTables { state in
            guard id != 0, state.physicals[id] == nil, state.physicals.count < limits.mappingCount else { return false }
            state.physicals[id] = physical
            return true
        }
        guard isNoted else {
            worker.shared.drop(physical.memory, worker)
            throw .tooManyObjects
        }
    }

    fileprivate func reserve(_ address: UInt64, _ byteCount: UInt64, of device: SessionDevice) throws(CommandError) {
        let offset = address &- device.arena.base
        guard device.arena.contains(address), byteCount > 0, byteCount <= device.arena.byteCount - offset else {
            throw .invalidValue
        }
        let limits = limits
        try withState { state throws(CommandError) in
            guard state.reservations[address] == nil else { throw .invalidValue }
            guard state.reservations.count < limits.mappingCount else { throw .tooManyObjects }
            state.reservations[address] = Reservation(device: device, byteCount: byteCount)
        }
    }

    /// Books a mapping; the backend sees to it that it lies in a reservation and on no other mapping.
    fileprivate func note(_ command: MemoryMap, of device: SessionDevice) throws(CommandError) -> WorkerPhysical {
        let limits = limits
        return try withState { state throws(CommandError) in
            guard let physical = state.physicals[command.physical] else { throw .invalidHandle }
            guard state.mappings[command.address] == nil, state.mappings.count < limits.mappingCount else {
                throw .tooManyObjects
            }
            let around = state.reservations.first { address, reservation in
                reservation.device === device && command.address >= address
                    && command.address - address < reservation.byteCount
                    && command.byteCount <= reservation.byteCount - (command.address - address)
            }
            guard let around, command.byteCount > 0 else { throw .invalidValue }
            state.reservations[around.key]?.mappingCount += 1
            state.mappings[command.address] = MappedRange(
                physical: physical, byteCount: command.byteCount, reservation: around.key)
            _ = physical.changeMappings(by: 1)
            return physical
        }
    }

    /// Forgets the mappings of a range that the backend has ended.
    fileprivate func forgetMappings(_ address: UInt64, _ byteCount: UInt64) {
        let ended = withTables { state in
            var ended: [SharedMemory] = []
            var position = address
            while position - address < byteCount, let mapping = state.mappings.removeValue(forKey: position) {
                state.reservations[mapping.reservation]?.mappingCount -= 1
                if mapping.physical.changeMappings(by: -1) { ended.append(mapping.physical.memory) }
                let (next, overflow) = position.addingReportingOverflow(mapping.byteCount)
                guard !overflow else { break }
                position = next
            }
            return ended
        }
        for memory in ended { worker.shared.drop(memory, worker) }
    }
}
