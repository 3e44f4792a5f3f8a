import GPUBackend
import Primitives
import WireProtocol

extension WorkerSession {
    /// The device with this ordinal, from its first context on.
    func device(_ ordinal: UInt32) throws(CommandError) -> SessionDevice {
        lock.acquire()
        defer { lock.release() }
        if let device = state.devices[ordinal] { return device }
        return try open(ordinal, DeviceArena.standard(ordinal: ordinal))
    }

    /// The device with this ordinal, at `arena` if that can be. A device without contexts may move: its client could
    /// not use the addresses that it was offered.
    func device(_ ordinal: UInt32, at arena: DeviceArena) throws(CommandError) -> SessionDevice {
        guard arena.isValid else { throw .invalidValue }
        let unused = try withState { state throws(CommandError) -> SessionDevice? in
            guard let device = state.devices[ordinal], device.arena != arena else { return nil }
            var isUsed = state.reservations.values.contains { $0.device === device }
            state.contexts.forEach { _, context in if context.device === device { isUsed = true } }
            guard !isUsed else { return nil }
            state.devices[ordinal] = nil
            state.moduleArenas[ordinal] = nil
            return device
        }
        if let unused {
            unused.backend.close()
            worker.giveBackDevices(1)
        }
        lock.acquire()
        defer { lock.release() }
        if let device = state.devices[ordinal] { return device }
        return try open(ordinal, arena)
    }

    /// Begins the use of a device; the caller holds the lock.
    private func open(_ ordinal: UInt32, _ arena: DeviceArena) throws(CommandError) -> SessionDevice {
        // The ordinal is the client's, which may use several workers; this worker has one device.
        guard ordinal < 64 else { throw .invalidDevice }
        guard !state.isClosed else { throw .deinitialized }
        guard state.devices.count < limits.deviceCountPerSession, worker.takeDevice() else {
            throw CommandError(BackendStatus.outOfMemory, "the worker's clients use as many devices as it allows")
        }
        var isMade = false
        defer { if !isMade { worker.giveBackDevices(1) } }
        let wanted = AddressArena(base: arena.base, byteCount: arena.byteCount)
        let backend = try translating { () throws(BackendError) in
            try worker.backend.makeSession(device: 0, arena: wanted, host: SessionHost(session: self))
        }
        let device = SessionDevice(ordinal: ordinal, backend: backend)
        state.devices[ordinal] = device
        isMade = true
        state.moduleArenas[ordinal] = ModuleArena(arena: device.arena)
        return device
    }
}

extension LaneHandler {
    func arenaReserve(_ command: ArenaReserve, _ reply: inout ArenaReserve.Reply) throws(CommandError) {
        let wanted = DeviceArena(base: command.base, byteCount: command.byteCount)
        let arena = try session.device(command.device, at: wanted).arena
        (reply.base, reply.byteCount) = (arena.base, arena.byteCount)
    }
}
