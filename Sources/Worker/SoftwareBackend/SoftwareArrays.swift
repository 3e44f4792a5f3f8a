import GPUBackend
import Primitives
import SIMT
import Synchronization

/// An array of the software GPU. Its memory lives as long as copies, textures or launches name it.
final class SoftwareArray: BackendArray {
    let storage: ArrayStorage

    init(_ storage: ArrayStorage) {
        self.storage = storage
    }

    func destroy() {}
}

/// A box of an array, checked.
struct ArrayRegion: Sendable {
    let storage: ArrayStorage
    let box: ArrayBox

    /// Throws `INVALID_VALUE` unless the box is inside the array.
    init(_ box: ArrayBox) throws(BackendError) {
        guard let array = box.array as? SoftwareArray else { throw BackendError(BackendStatus.invalidHandle) }
        storage = array.storage
        self.box = box
        try box.check(inside: storage.shape)
    }

    var byteCount: UInt64 { box.width * box.height * box.depth }

    /// The bytes of one row.
    func row(_ y: UInt64, _ z: UInt64) -> UnsafeMutableRawBufferPointer {
        let level = storage.level(Int(box.level))
        let offset = Int(box.z + z) * level.slicePitch + Int(box.y + y) * level.pitch + Int(box.x)
        return UnsafeMutableRawBufferPointer(start: level.start + offset, count: Int(box.width))
    }

    /// Calls `body` with each row until it answers false.
    func forEachRow(_ body: (UnsafeMutableRawBufferPointer) -> Bool) {
        guard byteCount > 0 else { return }
        for z in 0..<box.depth {
            for y in 0..<box.height where !body(row(y, z)) { return }
        }
    }
}

/// Work on arrays that waits for its turn.
enum ArrayWork: Sendable {
    case write(ArrayRegion, StagedBytes)
    case toMemory(ArrayRegion, MemoryBox)
    case fromMemory(MemoryBox, ArrayRegion)
    case copy(ArrayRegion, ArrayRegion)
    case toHost(ArrayRegion, token: UInt64)
    case fromHost(token: UInt64, ArrayRegion)

    /// Whether it waits for the client.
    var waitsForClient: Bool {
        switch self {
        case .toHost, .fromHost: true
        default: false
        }
    }

    var stagedByteCount: Int {
        if case .write(_, let bytes) = self { bytes.buffer.count } else { 0 }
    }

    func run(in memory: DeviceMemory, for host: any BackendHost) throws(BackendError) {
        switch self {
        case .write(let region, let bytes):
            var offset = 0
            region.forEachRow { row in
                row.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.buffer[offset..<(offset + row.count)]))
                offset += row.count
                return true
            }
        case .toHost(let region, let token):
            host.copyToHost(token: token, byteCount: region.byteCount) { send in
                region.forEachRow { send(UnsafeRawBufferPointer($0)) }
            }
        case .fromHost(let token, let region):
            guard let bytes = host.copyFromHost(token: token, byteCount: region.byteCount),
                UInt64(bytes.count) == region.byteCount
            else { return }
            var offset = 0
            region.forEachRow { row in
                row.copyBytes(from: bytes[offset..<(offset + row.count)])
                offset += row.count
                return true
            }
        case .toMemory(let region, let box): try move(region, box, memory, isToMemory: true)
        case .fromMemory(let box, let region): try move(region, box, memory, isToMemory: false)
        case .copy(let source, let destination):
            guard source.byteCount > 0 else { return }
            for z in 0..<source.box.depth {
                for y in 0..<source.box.height {
                    destination.row(y, z).copyMemory(from: UnsafeRawBufferPointer(source.row(y, z)))
                }
            }
        }
    }

    private func move(
        _ region: ArrayRegion, _ box: MemoryBox, _ memory: DeviceMemory, isToMemory: Bool
    ) throws(BackendError) {
        guard region.byteCount > 0 else { return }
        guard let span = box.spanByteCount, let start = memory.hostPointer(address: box.address, byteCount: span) else {
            throw .badRange
        }
        for z in 0..<box.depth {
            for y in 0..<box.height {
                let row = region.row(y, z)
                let place = start + Int(z * box.slicePitch + y * box.pitch)
                if isToMemory {
                    place.copyMemory(from: UnsafeRawPointer(row.baseAddress.unsafelyUnwrapped), byteCount: row.count)
                } else {
                    row.copyMemory(from: UnsafeRawBufferPointer(start: place, count: row.count))
                }
            }
        }
    }
}

extension SoftwareStream {
    /// Transfers up to this size are kept while the engine works; longer ones wait for it.
    private static let arrayStagingLimit: UInt64 = 8 << 20

    func copyToArray(_ box: ArrayBox, receive: (UnsafeMutableRawBufferPointer) -> Bool) throws(BackendError) {
        try context.throwIfFatal()
        let region = try ArrayRegion(box)
        guard region.byteCount > 0 else { return }
        let engine = context.engine
        let isStageable = region.byteCount <= Self.arrayStagingLimit
        if let sequence = try engine.claim(on: self, waits: !isStageable) {
            defer { engine.finishClaim() }
            note(sequence)
            region.forEachRow(receive)
            return
        }
        let bytes = StagedBytes(byteCount: Int(region.byteCount))
        guard receive(bytes.buffer) else { return }
        try submit(.array(context, .write(region, bytes)), isQuick: false)
    }

    func copyFromArray(_ box: ArrayBox, send: (UnsafeRawBufferPointer) -> Bool) throws(BackendError) {
        try context.throwIfFatal()
        let region = try ArrayRegion(box)
        let engine = context.engine
        guard let sequence = try engine.claim(on: self, waits: true) else { throw .cancelled }
        defer { engine.finishClaim() }
        note(sequence)
        try context.throwIfFatal()
        region.forEachRow { send(UnsafeRawBufferPointer($0)) }
    }

    func copy(from source: MemoryBox, toArray destination: ArrayBox) throws(BackendError) {
        let region = try ArrayRegion(destination)
        try check(source, region)
        try submit(.array(context, .fromMemory(source, region)), isQuick: region.byteCount <= 64 << 10)
    }

    func copy(fromArray source: ArrayBox, to destination: MemoryBox) throws(BackendError) {
        let region = try ArrayRegion(source)
        try check(destination, region)
        try submit(.array(context, .toMemory(region, destination)), isQuick: region.byteCount <= 64 << 10)
    }

    func copy(fromArray source: ArrayBox, toArray destination: ArrayBox) throws(BackendError) {
        let from = try ArrayRegion(source)
        let to = try ArrayRegion(destination)
        guard source.isSameSize(as: destination) else { throw .badBox }
        try submit(.array(context, .copy(from, to)), isQuick: from.byteCount <= 64 << 10)
    }

    func copyToHost(_ box: ArrayBox, token: UInt64) throws(BackendError) {
        try submit(.array(context, .toHost(try ArrayRegion(box), token: token)), isQuick: false)
    }

    func copyFromHost(_ box: ArrayBox, token: UInt64) throws(BackendError) {
        try submit(.array(context, .fromHost(token: token, try ArrayRegion(box))), isQuick: false)
    }

    private func check(_ memory: MemoryBox, _ region: ArrayRegion) throws(BackendError) {
        guard region.box.isSameSize(as: memory), memory.spanByteCount != nil else { throw .badBox }
    }
}

/// The textures and surfaces of a session, as launches take them along.
final class SoftwareTextures: Sendable {
    private let table = Mutex(TextureTable())
    private let count = Atomic(0)

    /// All that exist now; a launch keeps them alive.
    var snapshot: TextureTable {
        count.load(ordering: .acquiring) == 0 ? TextureTable() : table.withLock { $0 }
    }

    func change(_ body: (inout TextureTable) -> Void) {
        table.withLock { table in
            body(&table)
            count.store(table.count, ordering: .releasing)
        }
    }
}

extension SoftwareContext {
    func makeArray(_ shape: ArrayShape) throws(BackendError) -> any BackendArray {
        guard shape.isValid, shape.texel != nil else {
            throw BackendError(BackendStatus.notSupported, "the software GPU has no arrays of this format or size")
        }
        guard let storage = ArrayStorage(shape) else {
            throw BackendError(BackendStatus.outOfMemory, "the host has no memory for the array")
        }
        return SoftwareArray(storage)
    }

    func makeTexture(
        _ description: TextureDescription, array: (any BackendArray)?, value: UInt64?
    ) throws(BackendError) -> UInt64 {
        guard let value else { throw BackendError(BackendStatus.invalidValue) }
        let storage = (array as? SoftwareArray)?.storage
        guard let texture = Texture(description, storage: storage) else {
            throw BackendError(BackendStatus.invalidValue, "the texture's resource, format or view does not fit")
        }
        session.textures.change { $0.insert(texture, value) }
        return value
    }

    func makeSurface(array: any BackendArray, level: UInt32, value: UInt64?) throws(BackendError) -> UInt64 {
        guard let value, let array = array as? SoftwareArray, level < array.storage.shape.levelCount,
            array.storage.shape.flags & ArrayShape.Flags.surface != 0
        else { throw BackendError(BackendStatus.invalidValue, "the array was not made for surfaces") }
        session.textures.change { $0.insert(Surface(storage: array.storage, level: Int(level)), value) }
        return value
    }

    func destroyTexture(_ value: UInt64, isSurface: Bool) throws(BackendError) {
        session.textures.change { $0.remove(value) }
    }
}
