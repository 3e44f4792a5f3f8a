internal import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// A texture or surface reference: a variable of a module that stands for a texture, or one that only keeps settings.
final class TextureReference {
    let isSurface: Bool
    /// The module's variable that holds the number of the texture; 0 for a reference without a module.
    let address: UInt64
    let module: UInt64
    let context: UnsafeMutablePointer<ContextState>?
    var handle: OpaquePointer?
    var resource = CUDA_RESOURCE_DESC()
    var texture = CUDA_TEXTURE_DESC()
    var hasResource = false
    var format: UInt32 = 32
    var channelCount: UInt32 = 1
    var isDirty = false
    /// The texture that the variable holds now.
    var bound: UInt64 = 0

    init(isSurface: Bool, address: UInt64, module: UInt64, context: UnsafeMutablePointer<ContextState>?) {
        self.isSurface = isSurface
        self.address = address
        self.module = module
        self.context = context
        texture.addressMode = (CU_TR_ADDRESS_MODE_CLAMP, CU_TR_ADDRESS_MODE_CLAMP, CU_TR_ADDRESS_MODE_CLAMP)
    }
}

/// The references of all modules. A reference gets its texture before the first launch after it was set.
enum TextureReferences {
    // SAFETY: only touched under `lock`; `areDirty` is a hint that is read without it.
    nonisolated(unsafe) private static var references: [TextureReference] = []
    nonisolated(unsafe) private(set) static var areDirty = false
    private static let lock = Lock()

    /// The handle of a module's variable, the same each time.
    static func handle(_ global: ModuleSnapshot.Global, _ module: ModuleRecord) -> OpaquePointer? {
        lock.acquire()
        defer { lock.release() }
        for reference in references where reference.address == global.address && reference.module == module.id {
            return reference.handle
        }
        let reference = TextureReference(
            isSurface: global.reference == .surface, address: global.address, module: module.id,
            context: module.context)
        guard let handle = add(reference) else { return nil }
        return handle
    }

    /// A reference without a module.
    static func make() -> OpaquePointer? {
        lock.acquire()
        defer { lock.release() }
        return add(TextureReference(isSurface: false, address: 0, module: 0, context: nil))
    }

    private static func add(_ reference: TextureReference) -> OpaquePointer? {
        let kind = reference.isSurface ? HandleKind.surfaceReference : .textureReference
        let object = Unmanaged.passRetained(reference)
        guard let made = CUDADriver.makeHandle(kind, context: reference.context, object: object.toOpaque()) else {
            object.release()
            return nil
        }
        reference.handle = made.handle
        references.append(reference)
        return made.handle
    }

    /// Changes a reference; its texture is made anew before the next launch.
    static func change(_ reference: TextureReference, _ body: (TextureReference) -> Void) {
        lock.acquire()
        body(reference)
        if reference.address != 0 {
            reference.isDirty = true
            areDirty = true
        }
        lock.release()
    }

    /// Ends a reference; null if it is no handle of one.
    static func end(_ handle: OpaquePointer?, _ kind: HandleKind) -> Bool {
        guard let object = CUDADriver.endHandle(handle, kind) else { return false }
        let reference = Unmanaged<TextureReference>.fromOpaque(object).takeRetainedValue()
        lock.acquire()
        references.removeAll { $0 === reference }
        lock.release()
        return true
    }

    /// Ends the references of a module that ends.
    static func forget(_ module: ModuleRecord) {
        lock.acquire()
        var ended: [TextureReference] = []
        for reference in references where reference.module == module.id { ended.append(reference) }
        lock.release()
        for reference in ended {
            _ = end(reference.handle, reference.isSurface ? .surfaceReference : .textureReference)
        }
    }

    /// Makes the textures that references of the context lack, and writes their numbers to the variables.
    static func bind(_ target: CallTarget) {
        lock.acquire()
        defer { lock.release() }
        var remain = false
        for reference in references where reference.isDirty {
            guard reference.context == target.context else {
                remain = true
                continue
            }
            reference.isDirty = false
            let old = reference.bound
            reference.bound = texture(reference, target)
            var value = reference.bound
            _ = withUnsafeBytes(of: &value) { bytes in
                target.send(
                    CopyHostToDevice(bulkByteCount: 8, address: reference.address, stream: StreamID.legacyDefault),
                    bulk: bytes)
            }
            if old != 0 { _ = target.send(TextureDestroy(texture: old, isSurface: reference.isSurface ? 1 : 0)) }
        }
        areDirty = remain
    }

    private static func texture(_ reference: TextureReference, _ target: CallTarget) -> UInt64 {
        guard reference.hasResource else { return 0 }
        if reference.isSurface {
            guard let record = CUDADriver.array(reference.resource.res.array.hArray) else { return 0 }
            let made = CUDADriver.makeSurface(record, target)
            return made.status == CUDA_SUCCESS ? made.value : 0
        }
        var (status, description) = CUDADriver.describe(reference.resource, target)
        guard status == CUDA_SUCCESS, CUDADriver.add(reference.texture, to: &description) else { return 0 }
        let made = CUDADriver.makeTexture(description, target)
        return made.status == CUDA_SUCCESS ? made.value : 0
    }
}

extension CUDADriver {
    /// Ends a reference of a context that ends.
    static func endReference(_ handle: OpaquePointer?) { _ = TextureReferences.end(handle, .textureReference) }

    static func textureReference(_ handle: CUtexref?) -> TextureReference? {
        object(handle, .textureReference, as: TextureReference.self)
    }

    static func surfaceReference(_ handle: CUsurfref?) -> TextureReference? {
        object(handle, .surfaceReference, as: TextureReference.self)
    }
}
