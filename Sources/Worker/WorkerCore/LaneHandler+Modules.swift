import GPUBackend
import Primitives
import Synchronization
import WireProtocol

extension LaneHandler {
    func moduleLoad(_ command: ModuleLoad, _ reply: inout ModuleLoad.Reply, _ bulk: BulkSource) throws(CommandError) {
        let context = try context()
        let image = try image(bulk, byteCount: command.bulkByteCount)
        let module = try session.load(UnsafeRawBufferPointer(image.buffer), into: context)
        do throws(CommandError) {
            try session.withState { state throws(CommandError) in
                try state.modules.add(module, id: command.module)
            }
        } catch {
            session.unload(module)
            throw error
        }
        message = module.backend.log
        var snapshot = ModuleSnapshot()
        snapshot.kernelNames = module.backend.kernelNames
        snapshot.globals = module.backend.globals.map {
            ModuleSnapshot.Global(name: $0.name, address: $0.address, byteCount: $0.byteCount, isManaged: $0.isManaged)
        }
        snapshot.encode(into: &reply.bytes)
    }

    func moduleUnload(_ command: ModuleUnload) throws(CommandError) {
        let module = try session.withState { state throws(CommandError) in
            guard let module = state.modules.remove(id: command.module) else { throw .invalidHandle }
            return module
        }
        session.unload(module)
    }

    func linkCheck(_ command: LinkCheck, _ reply: inout LinkCheck.Reply, _ bulk: BulkSource) throws(CommandError) {
        let context = try context()
        let image = try image(bulk, byteCount: command.bulkByteCount)
        message = try translating { () throws(BackendError) in
            try context.backend.checkLink(image: UnsafeRawBufferPointer(image.buffer))
        }
    }

    func functionLoad(_ command: FunctionLoad, _ reply: inout FunctionLoad.Reply) throws(CommandError) {
        let module = try session.withState { state throws(CommandError) in
            guard let module = state.modules[command.module] else { throw .invalidHandle }
            return module
        }
        let function = try translating { () throws(BackendError) in try module.backend.function(named: command.name) }
        try session.withState { state throws(CommandError) in
            try state.functions.add(Owned(context: module.context, object: function), id: command.function)
        }
        var snapshot = FunctionSnapshot()
        snapshot.parameters = function.parameters.map { ParameterSlot(offset: $0.offset, byteCount: $0.byteCount) }
        snapshot.attributes = function.attributes
        snapshot.encode(into: &reply.bytes)
    }

    func functionSetAttribute(_ command: FunctionSetAttribute) throws(CommandError) {
        let function = try function(command.function)
        try translating { () throws(BackendError) in
            try function.setAttribute(command.attribute, value: command.value)
        }
    }

    func launch(_ command: Launch) throws(CommandError) {
        session.worker.launchCount.add(1, ordering: .relaxed)
        guard command.flags & ~1 == 0, command.parameters.count <= WireLimits.launchParameterByteCountMax else {
            throw .invalidValue
        }
        let function = try function(command.function)
        let stream = try stream(command.stream)
        let shape = LaunchShape(
            grid: (command.gridX, command.gridY, command.gridZ),
            block: (command.blockX, command.blockY, command.blockZ),
            sharedByteCount: command.sharedByteCount, isCooperative: command.flags & 1 != 0)
        try translating { () throws(BackendError) in
            try stream.launch(function, shape, parameters: command.parameters)
        }
    }

    private func function(_ id: UInt64) throws(CommandError) -> any BackendFunction {
        try session.withState { state throws(CommandError) in
            guard let function = state.functions[id] else { throw .invalidHandle }
            return function.object
        }
    }

    private func image(_ bulk: BulkSource, byteCount: UInt64) throws(CommandError) -> ImageBytes {
        guard byteCount > 0, byteCount <= session.limits.imageByteCount else {
            throw CommandError(BackendStatus.invalidImage, "the image is empty or larger than the worker allows")
        }
        guard let image = ImageBytes(byteCount: Int(byteCount), of: session.imageBudget) else {
            throw CommandError(BackendStatus.outOfMemory, "too many images load at once")
        }
        try bulk.read(into: image.buffer)
        return image
    }
}

/// Bytes that all lanes of a session may keep for images together.
final class ImageBudget: Sendable {
    private let rest: Atomic<Int>

    init(byteCount: UInt64) {
        rest = Atomic(Int(clamping: byteCount))
    }

    /// Takes bytes; false if there are too few.
    func take(_ byteCount: Int) -> Bool {
        let left = rest.subtract(byteCount, ordering: .relaxed).newValue
        if left < 0 { giveBack(byteCount) }
        return left >= 0
    }

    func giveBack(_ byteCount: Int) { rest.add(byteCount, ordering: .relaxed) }
}

/// An image while it is loaded.
private final class ImageBytes {
    let buffer: UnsafeMutableRawBufferPointer
    private let budget: ImageBudget

    /// Nil when the budget is used up.
    init?(byteCount: Int, of budget: ImageBudget) {
        guard budget.take(byteCount) else { return nil }
        self.budget = budget
        buffer = .allocate(byteCount: byteCount, alignment: 16)
    }

    deinit {
        budget.giveBack(buffer.count)
        buffer.deallocate()
    }
}

extension WorkerSession {
    /// Loads a module; its globals are placed, charged and committed, and all of that undone if it fails.
    func load(_ image: UnsafeRawBufferPointer, into context: WorkerContext) throws(CommandError) -> WorkerModule {
        var places: [(address: UInt64, byteCount: UInt64)] = []
        do throws(BackendError) {
            let backend = try context.backend.loadModule(image: image) { byteCount, alignment throws(BackendError) in
                let address = try place(byteCount, alignment, for: context)
                places.append((address, byteCount))
                return address
            }
            return WorkerModule(context: context, backend: backend, places: places)
        } catch {
            release(places, of: context)
            throw CommandError(error)
        }
    }

    /// Frees a module's globals after the work that may use them.
    func unload(_ module: WorkerModule) { release(module.places, of: module.context) }

    private func place(_ byteCount: UInt64, _ alignment: UInt64, for context: WorkerContext) throws(BackendError)
        -> UInt64
    {
        let ordinal = context.device.ordinal
        let charge = { [self] in worker.withLedger { $0.allocateBeyondGrant(for: serial, byteCount) } }
        let isCharged = charge() || (worker.reclaimAbandoned(for: self) && charge())
        guard isCharged else {
            throw BackendError(BackendStatus.outOfMemory, "the vGPU has no memory left for the module's variables")
        }
        let address = withTables { $0.moduleArenas[ordinal]?.place(byteCount: byteCount, alignment: alignment) ?? nil }
        guard let address else {
            worker.withLedger { $0.freeBeyondGrant(for: serial, byteCount) }
            throw BackendError(BackendStatus.outOfMemory, "the modules' variables do not fit the address space")
        }
        do throws(BackendError) {
            try context.device.backend.commit(
                address: address, byteCount: byteCount, kind: .device, for: context.backend)
        } catch {
            worker.withLedger { $0.freeBeyondGrant(for: serial, byteCount) }
            withTables { $0.moduleArenas[ordinal]?.remove(address) }
            throw error
        }
        return address
    }

    private func release(_ places: [(address: UInt64, byteCount: UInt64)], of context: WorkerContext) {
        for place in places {
            context.device.backend.release(address: place.address, for: context.backend)
            worker.withLedger { $0.freeBeyondGrant(for: serial, place.byteCount) }
            withTables { $0.moduleArenas[context.device.ordinal]?.remove(place.address) }
        }
    }
}
