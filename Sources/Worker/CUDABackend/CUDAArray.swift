import CCUDA
import CUDABinding
import GPUBackend
import Primitives
import Synchronization

// SAFETY: the handles never change and may be used by any thread; whether they are still there is atomic.
/// An array of a driver, or a mipmapped one with the handles of its levels.
final class CUDAArray: BackendArray, @unchecked Sendable {
    let shape: ArrayShape
    private let context: CUDAContext
    private let levels: [CUarray?]
    private let mipmaps: CUmipmappedArray?
    private let isGone = Atomic(false)

    init(_ shape: ArrayShape, context: CUDAContext) throws(BackendError) {
        self.shape = shape
        self.context = context
        (levels, mipmaps) = try context.perform { driver throws(CUDAFailure) in
            var description = CUDA_ARRAY3D_DESCRIPTOR()
            description.Width = Int(shape.width)
            description.Height = Int(shape.height)
            description.Depth = Int(shape.depth)
            description.Format = CUarray_format(rawValue: shape.format)
            description.NumChannels = shape.channelCount
            description.Flags = shape.flags
            guard shape.levelCount > 1 else {
                var array: CUarray?
                try driver.cuArray3DCreate_v2(&array, &description)
                return ([array], nil)
            }
            var mipmaps: CUmipmappedArray?
            try driver.cuMipmappedArrayCreate(&mipmaps, &description, shape.levelCount)
            var levels: [CUarray?] = []
            do throws(CUDAFailure) {
                for level in 0..<shape.levelCount {
                    var array: CUarray?
                    try driver.cuMipmappedArrayGetLevel(&array, mipmaps, level)
                    levels.append(array)
                }
            } catch {
                try? driver.cuMipmappedArrayDestroy(mipmaps)
                throw error
            }
            return (levels, mipmaps)
        }
        let (levels, mipmaps) = (levels, mipmaps)
        context.session.objects.add(key, of: context) { driver in
            if let mipmaps {
                try? driver.cuMipmappedArrayDestroy(mipmaps)
            } else {
                try? driver.cuArrayDestroy(levels[0])
            }
        }
    }

    private var key: DriverObjects.Key { .array(ObjectIdentifier(self)) }

    /// The handle of a level.
    func level(_ level: UInt32) throws(BackendError) -> CUarray? {
        guard !isGone.load(ordering: .acquiring) else { throw BackendError(BackendStatus.invalidHandle) }
        guard level < levels.count else { throw .badBox }
        return levels[Int(level)]
    }

    /// All levels as a driver's textures take them; with a single one it is a plain array.
    func describe(into resource: inout CUDA_RESOURCE_DESC) throws(BackendError) {
        guard let mipmaps else {
            resource.resType = CU_RESOURCE_TYPE_ARRAY
            resource.res.array.hArray = try level(0)
            return
        }
        guard !isGone.load(ordering: .acquiring) else { throw BackendError(BackendStatus.invalidHandle) }
        resource.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY
        resource.res.mipmap.hMipmappedArray = mipmaps
    }

    func destroy() {
        guard !isGone.exchange(true, ordering: .acquiringAndReleasing) else { return }
        context.session.giveUp(key)
    }
}

extension CUDAContext {
    func makeArray(_ shape: ArrayShape) throws(BackendError) -> any BackendArray {
        guard shape.isValid else { throw BackendError(BackendStatus.invalidValue, "no array has this shape") }
        do throws(BackendError) {
            return try CUDAArray(shape, context: self)
        } catch {
            guard error.status == BackendStatus.outOfMemory else { throw error }
            // What was freed may still wait for its streams.
            session.settle()
            return try CUDAArray(shape, context: self)
        }
    }

    // MARK: - Textures and surfaces

    func makeTexture(
        _ description: TextureDescription, array: (any BackendArray)?, value: UInt64?
    ) throws(BackendError) -> UInt64 {
        guard value == nil else { throw .pickedTexture }
        var resource = CUDA_RESOURCE_DESC()
        switch description.resource {
        case .array:
            guard let array = array as? CUDAArray else { throw BackendError(BackendStatus.invalidHandle) }
            resource.resType = CU_RESOURCE_TYPE_ARRAY
            resource.res.array.hArray = try array.level(description.level)
        case .mipmappedArray:
            guard let array = array as? CUDAArray else { throw BackendError(BackendStatus.invalidHandle) }
            try array.describe(into: &resource)
        case .linear:
            guard session.memory.contains(description.address, description.width) else { throw .badRange }
            resource.resType = CU_RESOURCE_TYPE_LINEAR
            resource.res.linear.devPtr = description.address
            resource.res.linear.format = CUarray_format(rawValue: description.format)
            resource.res.linear.numChannels = description.channelCount
            resource.res.linear.sizeInBytes = Int(description.width)
        case .pitched:
            try checkPlane(description)
            resource.resType = CU_RESOURCE_TYPE_PITCH2D
            resource.res.pitch2D.devPtr = description.address
            resource.res.pitch2D.format = CUarray_format(rawValue: description.format)
            resource.res.pitch2D.numChannels = description.channelCount
            resource.res.pitch2D.width = Int(description.width)
            resource.res.pitch2D.height = Int(description.height)
            resource.res.pitch2D.pitchInBytes = Int(description.pitch)
        }
        let made = try perform { driver throws(CUDAFailure) in
            var texture = description.reading
            var object: CUtexObject = 0
            if var view = description.view {
                try driver.cuTexObjectCreate(&object, &resource, &texture, &view)
            } else {
                try driver.cuTexObjectCreate(&object, &resource, &texture, nil)
            }
            return object
        }
        session.objects.add(key(made, isSurface: false), of: self) { try? $0.cuTexObjectDestroy(made) }
        return made
    }

    /// Refuses memory that is not all there, before a kernel finds out.
    private func checkPlane(_ description: TextureDescription) throws(BackendError) {
        guard let texel = TexelFormat(format: description.format, channelCount: description.channelCount) else {
            throw BackendError(BackendStatus.notSupported, "no texture has this format")
        }
        let (width, overflow) = description.width.multipliedReportingOverflow(by: UInt64(texel.byteCount))
        let box = MemoryBox(
            address: description.address, pitch: description.pitch, slicePitch: 0, width: width,
            height: description.height, depth: 1)
        guard !overflow, let span = box.spanByteCount, span > 0, session.memory.contains(box.address, span) else {
            throw .badRange
        }
    }

    func makeSurface(array: any BackendArray, level: UInt32, value: UInt64?) throws(BackendError) -> UInt64 {
        guard value == nil else { throw .pickedTexture }
        guard let array = array as? CUDAArray else { throw BackendError(BackendStatus.invalidHandle) }
        guard array.shape.flags & ArrayShape.Flags.surface != 0 else {
            throw BackendError(BackendStatus.invalidValue, "the array was not made for surfaces")
        }
        var resource = CUDA_RESOURCE_DESC()
        resource.resType = CU_RESOURCE_TYPE_ARRAY
        resource.res.array.hArray = try array.level(level)
        let made = try perform { driver throws(CUDAFailure) in
            var object: CUsurfObject = 0
            try driver.cuSurfObjectCreate(&object, &resource)
            return object
        }
        session.objects.add(key(made, isSurface: true), of: self) { try? $0.cuSurfObjectDestroy(made) }
        return made
    }

    func destroyTexture(_ value: UInt64, isSurface: Bool) throws(BackendError) {
        // Launches before this may still read it, and no driver says that it waits for them.
        session.giveUp(key(value, isSurface: isSurface))
    }

    private func key(_ value: UInt64, isSurface: Bool) -> DriverObjects.Key {
        isSurface ? .surface(ObjectIdentifier(self), value) : .texture(ObjectIdentifier(self), value)
    }
}

extension BackendError {
    fileprivate static let pickedTexture = BackendError(
        BackendStatus.invalidValue, "this device picks the numbers of textures and surfaces itself")
}

extension TextureDescription {
    /// How a driver's texture reads.
    fileprivate var reading: CUDA_TEXTURE_DESC {
        var texture = CUDA_TEXTURE_DESC()
        texture.addressMode = (
            CUaddress_mode(rawValue: addressModes.0), CUaddress_mode(rawValue: addressModes.1),
            CUaddress_mode(rawValue: addressModes.2)
        )
        texture.filterMode = isLinear ? CU_TR_FILTER_MODE_LINEAR : CU_TR_FILTER_MODE_POINT
        texture.flags = flags
        texture.maxAnisotropy = maxAnisotropy
        texture.mipmapFilterMode = isMipmapLinear ? CU_TR_FILTER_MODE_LINEAR : CU_TR_FILTER_MODE_POINT
        texture.mipmapLevelBias = levelBias
        texture.minMipmapLevelClamp = minLevel
        texture.maxMipmapLevelClamp = maxLevel
        texture.borderColor = border
        return texture
    }

    /// The part of an array that it shows, if that was said.
    fileprivate var view: CUDA_RESOURCE_VIEW_DESC? {
        guard hasView else { return nil }
        var view = CUDA_RESOURCE_VIEW_DESC()
        view.format = CUresourceViewFormat(rawValue: viewFormat)
        view.width = Int(viewWidth)
        view.height = Int(viewHeight)
        view.depth = Int(viewDepth)
        view.firstMipmapLevel = firstLevel
        view.lastMipmapLevel = lastLevel
        view.firstLayer = firstLayer
        view.lastLayer = lastLayer
        return view
    }
}
