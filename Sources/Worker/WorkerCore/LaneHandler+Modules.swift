import GPUBackend
import Primitives
import Synchronization
import WireProtocol

extension LaneHandler {
    func moduleLoad(_ command: ModuleLoad, _ reply: inout ModuleLoad.Reply, _ bulk: BulkSource) throws(CommandError) {
        let context = try context()
        let image = try image(bulk, byteCount: command.bulkByteCount)
        let bytes = UnsafeRawBufferPointer(image.buffer)
        try load(bytes, as: command.module, into: context, &reply.bytes)
        // The client's word for the hash would do for nobody else.
        if let cache = session.worker.imageCache, bytes.count >= WireLimits.hashedImageByteCountMin {
            cache.write(bytes, ContentHash(of: bytes))
        }
    }

    func moduleOpen(_ command: ModuleOpen, _ reply: inout ModuleOpen.Reply) throws(CommandError) {
        let context = try context()
        guard let cache = session.worker.imageCache else {
            reply.state = 2
            return
        }
        let image = try imageBytes(command.byteCount)
        let hash = ContentHash(words: (command.hash0, command.hash1, command.hash2, command.hash3))
        guard cache.read(hash, into: image.buffer) else {
            reply.state = 1
            return
        }
        try load(UnsafeRawBufferPointer(image.buffer), as: command.module, into: context, &reply.bytes)
    }

    private func load(
        _ image: UnsafeRawBufferPointer, as id: UInt64, into context: WorkerContext, _ output: inout [UInt8]
    ) throws(CommandError) {
        let module = try session.load(image, into: context)
        do throws(CommandError) {
            try session.withState { state throws(CommandError) in try state.modules.add(module, id: id) }
        } catch {
            session.unload(module)
            throw error
        }
        message = module.backend.log
        // Room for the other output of the answer, and for lengths.
        ModuleSnapshot(module.backend).encode(into: &output, byteCountMax: ReplyWriter.outputByteCountMax - 64)
    }

    func moduleUnload(_ command: ModuleUnload) throws(CommandError) {
        let module = try session.withState { state throws(CommandError) in
            guard let module = state.modules.remove(id: command.module) else { throw .invalidHandle }
            state.removeFunctions(of: module)
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
            try state.functions.add(WorkerFunction(module: module, object: function), id: command.function)
        }
        FunctionSnapshot(function).encode(into: &reply.bytes)
    }

    func functionPrepare(_ command: FunctionPrepare) throws(CommandError) {
        try session.withState { state throws(CommandError) in
            guard let module = state.modules[command.module] else { throw .invalidHandle }
            try state.preparedFunctions.add(
                PreparedFunction(module: module, index: Int(command.index)), id: command.function)
        }
    }

    func functionDescribe(_ command: FunctionDescribe, _ reply: inout FunctionDescribe.Reply) throws(CommandError) {
        FunctionSnapshot(try function(command.function)).encode(into: &reply.bytes)
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

    /// A function by its id; one that was only named is compiled now.
    func function(_ id: UInt64) throws(CommandError) -> any BackendFunction {
        let (known, prepared) = session.withTables { ($0.functions[id]?.object, $0.preparedFunctions[id]) }
        if let known { return known }
        guard let prepared else { throw .invalidHandle }
        let function = try prepared.compile()
        session.withTables { state in
            // Another lane may have been faster, or the context may be gone; then this one serves this call only.
            guard state.preparedFunctions.remove(id: id) != nil else { return }
            try? state.functions.insert(WorkerFunction(module: prepared.module, object: function), id: id)
        }
        return function
    }

    private func image(_ bulk: BulkSource, byteCount: UInt64) throws(CommandError) -> ImageBytes {
        let image = try imageBytes(byteCount)
        try bulk.read(into: image.buffer)
        return image
    }

    private func imageBytes(_ byteCount: UInt64) throws(CommandError) -> ImageBytes {
        guard byteCount > 0, byteCount <= session.limits.imageByteCount else {
            throw CommandError(BackendStatus.invalidImage, "the image is empty or larger than the worker allows")
        }
        guard let image = ImageBytes(byteCount: Int(byteCount), of: session.imageBudget) else {
            throw CommandError(BackendStatus.outOfMemory, "too many images load at once")
        }
        return image
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
