import GPUBackend
import WireProtocol

extension LaneHandler {
    func memoryShare(_ command: MemoryShare, _ reply: inout MemoryShare.Reply) throws(CommandError) {
        let allocation = try session.withState { state throws(CommandError) in
            guard let allocation = state.allocations[command.address], allocation.kind == .device else {
                throw .invalidValue
            }
            return allocation
        }
        let memory: SharedMemory
        if let shared = allocation.shared { memory = shared } else { memory = try share(command.address, allocation) }
        let secret = session.worker.shared.export(memory)
        (reply.secretHigh, reply.secretLow) = (secret.high, secret.low)
    }

    private func share(_ address: UInt64, _ allocation: WorkerAllocation) throws(CommandError) -> SharedMemory {
        let context = allocation.context
        let made = try translating { () throws(BackendError) in
            try context.device.backend.share(
                address: address, byteCount: allocation.byteCount, for: context.backend)
        }
        let memory = SharedMemory(backend: made, byteCount: allocation.byteCount, payer: session.serial)
        return try session.withState { state throws(CommandError) in
            // Another lane may have shared it, or freed it, meanwhile.
            guard let present = state.allocations[address] else { throw .invalidValue }
            if let shared = present.shared { return shared }
            state.allocations[address]?.shared = memory
            return memory
        }
    }

    func memoryOpen(_ command: MemoryOpen, _ reply: inout MemoryOpen.Reply) throws(CommandError) {
        let (device, context) = try addressSpace(command.device)
        let secret = SharedSecret(high: command.secretHigh, low: command.secretLow)
        guard let memory = session.worker.shared.open(secret) else { throw .unknownSecret }
        let limits = session.limits
        let isNoted = session.withTables { state in
            guard state.opened[command.address] == nil, state.opened.count < limits.mappingCount else { return false }
            state.opened[command.address] = OpenedMemory(memory: memory, device: device)
            return true
        }
        do throws(CommandError) {
            guard isNoted else { throw .invalidValue }
            try translating { () throws(BackendError) in
                try device.backend.attach(memory.backend, at: command.address, for: context)
            }
        } catch {
            if isNoted { session.withTables { state in _ = state.opened.removeValue(forKey: command.address) } }
            session.worker.shared.drop(memory, session.worker)
            throw error
        }
    }

    func memoryClose(_ command: MemoryClose) throws(CommandError) {
        let (device, context) = try addressSpace(command.device)
        let opened = session.withTables { $0.opened.removeValue(forKey: command.address) }
        guard let opened, opened.device === device else { throw .invalidValue }
        defer { session.worker.shared.drop(opened.memory, session.worker) }
        try translating { () throws(BackendError) in
            try device.backend.detach(opened.memory.backend, at: command.address, for: context)
        }
    }

    func eventShare(_ command: EventShare, _ reply: inout EventShare.Reply) throws(CommandError) {
        let event = try event(command.event)
        guard event.isShareable else {
            throw CommandError(BackendStatus.notSupported, "the backend does not share events between client processes")
        }
        guard let secret = session.worker.shared.export(event, of: session.serial) else { throw .tooManyObjects }
        (reply.secretHigh, reply.secretLow) = (secret.high, secret.low)
    }

    func eventOpen(_ command: EventOpen, _ reply: inout EventOpen.Reply) throws(CommandError) {
        let context = try context()
        let secret = SharedSecret(high: command.secretHigh, low: command.secretLow)
        guard let event = session.worker.shared.openEvent(secret) else { throw .unknownSecret }
        try session.withState { state throws(CommandError) in
            try state.events.add(Owned(context: context, object: event), id: command.event)
        }
    }
}

/// Another session's allocation at addresses of this one.
struct OpenedMemory {
    var memory: SharedMemory
    var device: SessionDevice
}

extension CommandError {
    static let unknownSecret = CommandError(
        BackendStatus.invalidHandle,
        "no client of this worker shares what the handle names; it may have ended, or have another vGPU")
}
