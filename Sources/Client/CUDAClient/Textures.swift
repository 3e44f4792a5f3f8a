internal import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// A texture or a surface object, with what the program said when it created it.
final class TextureRecord {
    let value: UInt64
    let isSurface: Bool
    let context: UnsafeMutablePointer<ContextState>
    let resource: CUDA_RESOURCE_DESC
    let texture: CUDA_TEXTURE_DESC
    let view: CUDA_RESOURCE_VIEW_DESC?

    init(
        value: UInt64, isSurface: Bool, context: UnsafeMutablePointer<ContextState>, resource: CUDA_RESOURCE_DESC,
        texture: CUDA_TEXTURE_DESC, view: CUDA_RESOURCE_VIEW_DESC?
    ) {
        self.value = value
        self.isSurface = isSurface
        self.context = context
        self.resource = resource
        self.texture = texture
        self.view = view
    }
}

extension CUDADriver {
    // SAFETY: both are only touched under `tablesLock`.
    nonisolated(unsafe) private static var textures: [TextureRecord] = []
    nonisolated(unsafe) private static var lastTexture: UInt64 = 0

    /// A number for a texture or a surface; never used again in this process.
    static func nextTextureValue() -> UInt64 {
        tablesLock.acquire()
        defer { tablesLock.release() }
        lastTexture &+= 1
        // Programs keep them in 64 bits, but take 0 for none.
        return 0x7E00_0000_0000 &+ lastTexture &<< 5
    }

    static func keep(_ record: TextureRecord) {
        tablesLock.acquire()
        textures.append(record)
        tablesLock.release()
    }

    /// Where a record is: devices that pick the numbers use them once in each context, so that of the thread's context
    /// comes first. The caller holds the lock.
    private static func textureIndex(_ value: UInt64, isSurface: Bool) -> Int? {
        let current = ThreadState.mine?.pointee.current
        var found: Int?
        for index in textures.indices where textures[index].value == value && textures[index].isSurface == isSurface {
            if textures[index].context == current { return index }
            if found == nil { found = index }
        }
        return found
    }

    static func textureRecord(_ value: UInt64, isSurface: Bool) -> TextureRecord? {
        tablesLock.acquire()
        defer { tablesLock.release() }
        return textureIndex(value, isSurface: isSurface).map { textures[$0] }
    }

    /// Takes a record out.
    static func endTexture(_ value: UInt64, isSurface: Bool) -> TextureRecord? {
        tablesLock.acquire()
        defer { tablesLock.release() }
        return textureIndex(value, isSurface: isSurface).map { textures.remove(at: $0) }
    }

    static func forgetTextures(of context: UnsafeMutablePointer<ContextState>) {
        tablesLock.acquire()
        textures.removeAll { $0.context == context }
        tablesLock.release()
    }

    /// Sends what makes a texture; its number, or why there is none.
    static func makeTexture(
        _ description: TextureDescription, _ target: CallTarget
    ) -> (status: CUresult, value: UInt64) {
        let isSoftware = device(of: target.context)?.snapshot.isSoftware ?? true
        let byteCount = TextureDescription.wordCount &* 8
        return withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 8) { bytes in
            for index in 0..<TextureDescription.wordCount {
                bytes.storeBytes(of: description.word(index), toByteOffset: index &* 8, as: UInt64.self)
            }
            let encoded = UnsafeRawBufferPointer(bytes)
            guard isSoftware else {
                var reply = TextureObtain.Reply()
                let status = target.call(TextureObtain(description: encoded), &reply)
                return (status, reply.texture)
            }
            let value = nextTextureValue()
            return (target.send(TextureCreate(texture: value, description: encoded)), value)
        }
    }

    /// Sends what makes a surface; its number, or why there is none.
    static func makeSurface(_ record: ArrayRecord, _ target: CallTarget) -> (status: CUresult, value: UInt64) {
        guard device(of: target.context)?.snapshot.isSoftware ?? true else {
            var reply = SurfaceObtain.Reply()
            let status = target.call(SurfaceObtain(array: record.id, level: record.level), &reply)
            return (status, reply.surface)
        }
        let value = nextTextureValue()
        return (target.send(SurfaceCreate(surface: value, array: record.id, level: record.level)), value)
    }

    // MARK: - What a program said, in our words

    /// What a texture reads, or why it can't.
    static func describe(
        _ resource: CUDA_RESOURCE_DESC, _ target: CallTarget
    ) -> (status: CUresult, description: TextureDescription) {
        var description = TextureDescription()
        let invalid = (CUDA_ERROR_INVALID_VALUE, description)
        guard resource.flags == 0 else { return invalid }
        switch resource.resType {
        case CU_RESOURCE_TYPE_ARRAY:
            guard let record = array(resource.res.array.hArray) else { return (CUDA_ERROR_INVALID_HANDLE, description) }
            description.resource = .array
            (description.array, description.level) = (record.id, record.level)
            (description.format, description.channelCount) = (record.shape.format, record.shape.channelCount)
        case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY:
            guard let record = mipmappedArray(resource.res.mipmap.hMipmappedArray) else {
                return (CUDA_ERROR_INVALID_HANDLE, description)
            }
            description.resource = .mipmappedArray
            description.array = record.id
            (description.format, description.channelCount) = (record.shape.format, record.shape.channelCount)
        case CU_RESOURCE_TYPE_LINEAR:
            let linear = resource.res.linear
            description.resource = .linear
            description.address = linear.devPtr
            (description.format, description.channelCount) = (linear.format.rawValue, linear.numChannels)
            guard linear.sizeInBytes > 0, linear.devPtr % 512 == 0 || linear.devPtr % 16 == 0,
                isDeviceRange(linear.devPtr, UInt64(linear.sizeInBytes), target)
            else { return invalid }
            description.width = UInt64(linear.sizeInBytes)
        case CU_RESOURCE_TYPE_PITCH2D:
            let plane = resource.res.pitch2D
            description.resource = .pitched
            description.address = plane.devPtr
            (description.format, description.channelCount) = (plane.format.rawValue, plane.numChannels)
            guard plane.width > 0, plane.height > 0, plane.width <= 131_072, plane.height <= 65_000,
                plane.pitchInBytes > 0, plane.pitchInBytes <= 2_097_120, plane.pitchInBytes % 32 == 0,
                plane.devPtr % 32 == 0
            else { return invalid }
            description.width = UInt64(plane.width)
            description.height = UInt64(plane.height)
            description.pitch = UInt64(plane.pitchInBytes)
            let texelByteCount = UInt64(
                TexelFormat(format: description.format, channelCount: description.channelCount)?.byteCount ?? 0)
            let rowByteCount = description.width &* texelByteCount
            let byteCount = description.pitch &* (description.height &- 1) &+ rowByteCount
            guard rowByteCount <= description.pitch, isDeviceRange(plane.devPtr, byteCount, target) else {
                return invalid
            }
        default: return invalid
        }
        guard TexelFormat(format: description.format, channelCount: description.channelCount) != nil else {
            return (CUDA_ERROR_NOT_SUPPORTED, description)
        }
        return (CUDA_SUCCESS, description)
    }

    /// Adds how a texture is read; false for what can't be.
    static func add(_ request: CUDA_TEXTURE_DESC, to description: inout TextureDescription) -> Bool {
        description.addressModes = (
            request.addressMode.0.rawValue, request.addressMode.1.rawValue, request.addressMode.2.rawValue
        )
        description.isLinear = request.filterMode == CU_TR_FILTER_MODE_LINEAR
        description.isMipmapLinear = request.mipmapFilterMode == CU_TR_FILTER_MODE_LINEAR
        description.flags = request.flags
        description.maxAnisotropy = request.maxAnisotropy
        description.levelBias = request.mipmapLevelBias
        description.minLevel = request.minMipmapLevelClamp
        description.maxLevel = request.maxMipmapLevelClamp
        description.border = request.borderColor
        let modes = description.addressModes
        guard max(modes.0, max(modes.1, modes.2)) <= CU_TR_ADDRESS_MODE_BORDER.rawValue,
            request.filterMode.rawValue <= 1, request.mipmapFilterMode.rawValue <= 1,
            request.flags & ~TextureDescription.Flags.known == 0
        else { return false }
        guard let texel = TexelFormat(format: description.format, channelCount: description.channelCount) else {
            return false
        }
        // Only numbers can be interpolated.
        let isInteger = texel.kind == .unsigned || texel.kind == .signed
        let readsIntegers =
            isInteger
            && (texel.channelByteCount == 4 || request.flags & TextureDescription.Flags.readAsInteger != 0)
        return !readsIntegers || !description.isLinear || description.resource == .linear
    }

    /// Adds a view; false for one that does not fit.
    static func add(_ request: CUDA_RESOURCE_VIEW_DESC, to description: inout TextureDescription) -> Bool {
        guard description.resource == .array || description.resource == .mipmappedArray,
            let texel = TexelFormat(format: description.format, channelCount: description.channelCount)
        else { return false }
        description.hasView = true
        description.viewFormat = request.format.rawValue
        description.viewWidth = UInt64(request.width)
        description.viewHeight = UInt64(request.height)
        description.viewDepth = UInt64(request.depth)
        description.firstLevel = request.firstMipmapLevel
        description.lastLevel = request.lastMipmapLevel
        description.firstLayer = request.firstLayer
        description.lastLayer = request.lastLayer
        guard description.firstLevel <= description.lastLevel, description.firstLayer <= description.lastLayer else {
            return false
        }
        if request.format == CU_RES_VIEW_FORMAT_NONE { return true }
        return TexelFormat(viewFormat: request.format.rawValue)?.byteCount == texel.byteCount
    }
}
