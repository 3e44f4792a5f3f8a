import GPUBackend
import Primitives
import WireProtocol

/// A texture or a surface. Devices that pick the numbers themselves use them once in each context and of each kind.
struct TextureName: Hashable {
    let context: WorkerContext
    let value: UInt64
    let isSurface: Bool

    static func == (one: TextureName, other: TextureName) -> Bool {
        one.value == other.value && one.isSurface == other.isSurface && one.context === other.context
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(value)
        hasher.combine(isSurface)
    }
}

/// An array of a session.
final class WorkerArray: Sendable, ContextOwned {
    let context: WorkerContext
    let backend: any BackendArray
    /// Bytes that it was charged.
    let byteCount: UInt64

    init(context: WorkerContext, backend: any BackendArray, byteCount: UInt64) {
        self.context = context
        self.backend = backend
        self.byteCount = byteCount
    }
}

extension LaneHandler {
    func arrayCreate(_ command: ArrayCreate) throws(CommandError) {
        let context = try context()
        let shape = ArrayShape(
            size: (command.width, command.height, command.depth), format: command.format,
            channelCount: command.channelCount, flags: command.flags, levelCount: command.levelCount)
        guard shape.isValid, shape.levelCount <= shape.levelCountMax else { throw .invalidValue }
        let byteCount = shape.byteCount
        guard session.worker.withLedger({ $0.allocate(for: session.serial, byteCount) }) else { throw .outOfMemory }
        do throws(CommandError) {
            let made = try translating { () throws(BackendError) in try context.backend.makeArray(shape) }
            let array = WorkerArray(context: context, backend: made, byteCount: byteCount)
            try session.withState { state throws(CommandError) in
                try state.arrays.add(array, id: command.array)
            }
        } catch {
            session.worker.withLedger { $0.free(for: session.serial, byteCount) }
            throw error
        }
    }

    func arrayDestroy(_ command: ArrayDestroy) throws(CommandError) {
        let array = try session.withState { state throws(CommandError) in
            guard let array = state.arrays.remove(id: command.array) else { throw .invalidHandle }
            return array
        }
        array.backend.destroy()
        session.worker.withLedger { $0.free(for: session.serial, array.byteCount) }
    }

    private func array(_ id: UInt64) throws(CommandError) -> WorkerArray {
        try session.withState { state throws(CommandError) in
            guard let array = state.arrays[id] else { throw .invalidHandle }
            return array
        }
    }

    private func box(
        _ array: UInt64, _ level: UInt32, _ origin: (x: UInt64, y: UInt64, z: UInt64),
        _ size: (width: UInt64, height: UInt64, depth: UInt64)
    ) throws(CommandError) -> ArrayBox {
        ArrayBox(array: try self.array(array).backend, level: level, origin: origin, size: size)
    }

    // MARK: - Copies

    func copyHostToArray(_ command: CopyHostToArray, _ bulk: BulkSource) throws(CommandError) {
        let stream = try stream(command.stream)
        let box = try box(
            command.array, command.level, (command.x, command.y, command.z),
            (command.width, command.height, command.depth))
        guard byteCount(command.width, command.height, command.depth) == command.bulkByteCount else {
            throw .invalidValue
        }
        try translating { () throws(BackendError) in
            try stream.copyToArray(box) { buffer in
                do throws(CommandError) {
                    try bulk.read(into: buffer)
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    func copyArrayToHost(_ command: CopyArrayToHost, _ reply: inout CopyArrayToHost.Reply, _ sink: BulkSink)
        throws(CommandError)
    {
        let stream = try stream(command.stream)
        let box = try box(
            command.array, command.level, (command.x, command.y, command.z),
            (command.width, command.height, command.depth))
        guard let byteCount = byteCount(command.width, command.height, command.depth),
            byteCount <= WireLimits.bulkByteCountMax
        else { throw .invalidValue }
        sink.promise(byteCount)
        try translating { () throws(BackendError) in try stream.copyFromArray(box) { sink.send($0) } }
    }

    func copyArrayToDevice(_ command: CopyArrayToDevice) throws(CommandError) {
        let stream = try stream(command.stream)
        let box = try box(
            command.array, command.level, (command.x, command.y, command.z),
            (command.width, command.height, command.depth))
        let memory = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        try translating { () throws(BackendError) in try stream.copy(fromArray: box, to: memory) }
    }

    func copyDeviceToArray(_ command: CopyDeviceToArray) throws(CommandError) {
        let stream = try stream(command.stream)
        let box = try box(
            command.array, command.level, (command.x, command.y, command.z),
            (command.width, command.height, command.depth))
        let memory = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        try translating { () throws(BackendError) in try stream.copy(from: memory, toArray: box) }
    }

    func copyArrayToArray(_ command: CopyArrayToArray) throws(CommandError) {
        let stream = try stream(command.stream)
        let size = (command.width, command.height, command.depth)
        let source = try box(
            command.source, command.sourceLevel, (command.sourceX, command.sourceY, command.sourceZ), size)
        let destination = try box(
            command.destination, command.destinationLevel,
            (command.destinationX, command.destinationY, command.destinationZ), size)
        try translating { () throws(BackendError) in try stream.copy(fromArray: source, toArray: destination) }
    }

    func arrayToHost(_ command: ArrayToHost) throws(CommandError) {
        let stream = try stream(command.stream)
        let box = try box(
            command.array, command.level, (command.x, command.y, command.z),
            (command.width, command.height, command.depth))
        try translating { () throws(BackendError) in try stream.copyToHost(box, token: command.token) }
    }

    func arrayFromHost(_ command: ArrayFromHost) throws(CommandError) {
        let stream = try stream(command.stream)
        let box = try box(
            command.array, command.level, (command.x, command.y, command.z),
            (command.width, command.height, command.depth))
        try translating { () throws(BackendError) in try stream.copyFromHost(box, token: command.token) }
    }

    private func byteCount(_ width: UInt64, _ height: UInt64, _ depth: UInt64) -> UInt64? {
        MemoryBox(address: 0, pitch: width, slicePitch: 0, width: width, height: height, depth: depth).byteCount
    }

    // MARK: - Textures and surfaces

    func textureCreate(_ command: TextureCreate) throws(CommandError) {
        guard command.texture != 0 else { throw .invalidHandle }
        _ = try makeTexture(command.description, value: command.texture)
    }

    func textureObtain(_ command: TextureObtain, _ reply: inout TextureObtain.Reply) throws(CommandError) {
        reply.texture = try makeTexture(command.description, value: nil)
    }

    private func makeTexture(_ bytes: UnsafeRawBufferPointer, value: UInt64?) throws(CommandError) -> UInt64 {
        let context = try context()
        guard bytes.count == TextureDescription.wordCount * 8,
            let description = TextureDescription(words: {
                bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)
            })
        else { throw .invalidValue }
        let needsArray = description.resource == .array || description.resource == .mipmappedArray
        let array = needsArray ? try self.array(description.array).backend : nil
        try reserve(value, context)
        let made = try translating { () throws(BackendError) in
            try context.backend.makeTexture(description, array: array, value: value)
        }
        note(TextureName(context: context, value: made, isSurface: false))
        return made
    }

    func surfaceCreate(_ command: SurfaceCreate) throws(CommandError) {
        guard command.surface != 0 else { throw .invalidHandle }
        _ = try makeSurface(command.array, command.level, value: command.surface)
    }

    func surfaceObtain(_ command: SurfaceObtain, _ reply: inout SurfaceObtain.Reply) throws(CommandError) {
        reply.surface = try makeSurface(command.array, command.level, value: nil)
    }

    private func makeSurface(_ id: UInt64, _ level: UInt32, value: UInt64?) throws(CommandError) -> UInt64 {
        let context = try context()
        let array = try array(id)
        try reserve(value, context)
        let made = try translating { () throws(BackendError) in
            try context.backend.makeSurface(array: array.backend, level: level, value: value)
        }
        note(TextureName(context: context, value: made, isSurface: true))
        return made
    }

    /// Refuses a number of the client's that is taken, and more textures than a session may have.
    private func reserve(_ value: UInt64?, _ context: WorkerContext) throws(CommandError) {
        let limit = session.limits.handleCount
        try session.withState { state throws(CommandError) in
            guard state.textures.count < limit else { throw .tooManyObjects }
            guard let value else { return }
            for isSurface in [false, true]
            where state.textures.contains(TextureName(context: context, value: value, isSurface: isSurface)) {
                throw .invalidHandle
            }
        }
    }

    private func note(_ name: TextureName) { session.withTables { _ = $0.textures.insert(name) } }

    func textureDestroy(_ command: TextureDestroy) throws(CommandError) {
        guard command.isSurface <= 1 else { throw .invalidValue }
        let context = try context()
        let name = TextureName(context: context, value: command.texture, isSurface: command.isSurface == 1)
        try session.withState { state throws(CommandError) in
            guard state.textures.remove(name) != nil else { throw .invalidHandle }
        }
        try translating { () throws(BackendError) in
            try context.backend.destroyTexture(name.value, isSurface: name.isSurface)
        }
    }

    func tensorMapEncode(_ command: TensorMapEncode, _ reply: inout TensorMapEncode.Reply) throws(CommandError) {
        let context = try context()
        let request = command.request
        reply.bytes = try translating { () throws(BackendError) in try context.backend.encodeTensorMap(request) }
    }
}

extension WorkerSession {
    /// Takes out what was made of arrays in a context that ends; the caller holds the tables.
    func removeArraysAndTextures(of context: WorkerContext, _ state: inout State) {
        for array in state.arrays.removeObjects(of: context) {
            array.backend.destroy()
            worker.withLedger { $0.free(for: serial, array.byteCount) }
        }
        for name in state.textures.filter({ $0.context === context }) {
            state.textures.remove(name)
            try? context.backend.destroyTexture(name.value, isSurface: name.isSurface)
        }
    }
}
