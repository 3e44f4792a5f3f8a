import GPUBackend
import WireProtocol

extension LaneHandler {
    func memoryGrant(_ command: MemoryGrant, _ reply: inout MemoryGrant.Reply) throws(CommandError) {
        let take = { [session] in
            session.worker.withLedger {
                $0.grant(to: session.serial, minimum: command.minimumByteCount, wanted: command.wantedByteCount)
            }
        }
        var granted = take()
        if granted == 0, command.minimumByteCount > 0, session.worker.reclaimAbandoned(for: session) {
            granted = take()
        }
        guard granted > 0 || command.minimumByteCount == 0 else { throw .outOfMemory }
        reply.grantedByteCount = granted
    }

    func memoryReturn(_ command: MemoryReturn) throws(CommandError) {
        session.worker.withLedger { $0.giveBack(from: session.serial, command.byteCount) }
    }

    func memoryInfo(_ command: MemoryInfo, _ reply: inout MemoryInfo.Reply) throws(CommandError) {
        _ = session.worker.reclaimAbandoned(for: session)
        (reply.freeByteCount, reply.totalByteCount) = session.worker.withLedger {
            ($0.available(to: session.serial), $0.limit)
        }
    }

    func memoryAllocate(_ command: MemoryAllocate) throws(CommandError) {
        let context = try context()
        guard let kind = MemoryKind(rawValue: command.kind) else { throw .invalidValue }
        let allocation = WorkerAllocation(context: context, byteCount: command.byteCount, kind: kind)
        try session.add(allocation, at: command.address)
        do throws(BackendError) {
            try context.device.backend.commit(
                address: command.address, byteCount: command.byteCount, kind: kind, for: context.backend)
        } catch {
            session.remove(at: command.address)
            throw CommandError(error)
        }
    }

    func memoryFree(_ command: MemoryFree) throws(CommandError) {
        guard let allocation = session.remove(at: command.address) else { throw .invalidValue }
        allocation.context.device.backend.release(address: command.address, for: allocation.context.backend)
    }
}

extension WorkerSession {
    /// Notes an allocation and charges it; nothing is noted when that fails.
    func add(_ allocation: WorkerAllocation, at address: UInt64) throws(CommandError) {
        let ordinal = allocation.context.device.ordinal
        let limits = limits
        let arena = allocation.context.device.arena
        guard arena.contains(address), address % DeviceArena.alignment == 0 else { throw .invalidValue }
        try withState { state throws(CommandError) in
            let isReserved =
                state.moduleArenas[ordinal]?.contains(address, byteCount: allocation.byteCount) ?? true
            guard !isReserved, state.allocations[address] == nil else { throw .invalidValue }
            guard state.allocations.count < limits.allocationCount else { throw .tooManyObjects }
            if allocation.kind == .host {
                guard allocation.byteCount <= limits.hostMemoryByteCount - state.hostByteCount else {
                    throw .outOfMemory
                }
                state.hostByteCount += allocation.byteCount
            } else {
                let isGranted = worker.withLedger { $0.allocate(for: serial, allocation.byteCount) }
                guard isGranted else { throw .outOfMemory }
            }
            state.allocations[address] = allocation
        }
    }

    /// Forgets an allocation and what it was charged; nil if there is none.
    @discardableResult
    func remove(at address: UInt64) -> WorkerAllocation? {
        withTables { state in
            guard let allocation = state.allocations.removeValue(forKey: address) else { return nil }
            if allocation.kind == .host {
                state.hostByteCount -= allocation.byteCount
            } else if let shared = allocation.shared {
                worker.shared.drop(shared, worker)
            } else {
                worker.withLedger { $0.free(for: serial, allocation.byteCount) }
            }
            return allocation
        }
    }

    /// Frees what was made in a context.
    func freeObjects(of context: WorkerContext) {
        endDownloads(of: context)
        let (addresses, modules) = withTables { state in
            let addresses = state.allocations.filter { $0.value.context === context }.map { $0.key }
            state.streams.removeObjects(of: context)
            state.events.removeObjects(of: context)
            state.functions.removeObjects(of: context)
            state.preparedFunctions.removeObjects(of: context)
            state.graphs.removeObjects(of: context)
            removeArraysAndTextures(of: context, &state)
            return (addresses, state.modules.removeObjects(of: context))
        }
        for address in addresses {
            remove(at: address)
            context.device.backend.release(address: address, for: context.backend)
        }
        for module in modules { unload(module) }
    }
}
