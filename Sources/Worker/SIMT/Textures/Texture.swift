public import Primitives

/// What texture instructions read: texels of an array or of device memory, and how.
public final class Texture: Sendable {
    let description: TextureDescription
    let texel: TexelFormat
    /// Keeps the texels alive; nil for device memory.
    let storage: ArrayStorage?
    let firstLevel: Int
    let levelCount: Int
    let firstLayer: Int
    /// Layers, faces counted; 1 for arrays that have none.
    let layerCount: Int
    /// Reads answer numbers, not integers.
    let answersNumbers: Bool

    /// Nil for a description that does not fit its array.
    public init?(_ description: TextureDescription, storage: ArrayStorage?) {
        self.description = description
        guard let plain = TexelFormat(format: description.format, channelCount: description.channelCount) else {
            return nil
        }
        var texel = plain
        switch description.resource {
        case .array, .mipmappedArray:
            guard let storage, storage.texel == plain, description.level < storage.shape.levelCount else { return nil }
            self.storage = storage
            let all = Int(storage.shape.levelCount)
            let first = description.resource == .array ? Int(description.level) : 0
            let count = description.resource == .array ? 1 : all
            let layers =
                storage.shape.isLayered || storage.shape.isCubemap ? storage.level(0).depth : 1
            guard description.hasView else {
                (firstLevel, levelCount, firstLayer, layerCount) = (first, count, 0, layers)
                break
            }
            if description.viewFormat != 0 {
                guard let viewed = TexelFormat(viewFormat: description.viewFormat),
                    viewed.byteCount == plain.byteCount
                else { return nil }
                texel = viewed
            }
            guard first + Int(description.lastLevel) < all, Int(description.lastLayer) < max(1, layers) else {
                return nil
            }
            firstLevel = first + Int(description.firstLevel)
            levelCount =
                description.resource == .array
                ? 1 : Int(description.lastLevel) - Int(description.firstLevel) + 1
            firstLayer = Int(description.firstLayer)
            // A view of layers 0 to 0 of something without layers is no view of layers.
            layerCount = layers == 1 ? 1 : Int(description.lastLayer) - Int(description.firstLayer) + 1
        case .linear, .pitched:
            guard description.address % UInt64(plain.byteCount) == 0, description.width > 0,
                description.width < 1 << 40, description.height < 1 << 20,
                description.pitch % UInt64(plain.byteCount) == 0, description.pitch < 1 << 30
            else { return nil }
            self.storage = nil
            (firstLevel, levelCount, firstLayer, layerCount) = (0, 1, 0, 1)
        }
        self.texel = texel
        let isInteger = texel.kind == .unsigned || texel.kind == .signed
        answersNumbers =
            !isInteger
            || (texel.channelByteCount < 4 && description.flags & TextureDescription.Flags.readAsInteger == 0)
    }

    var isNormalized: Bool { description.flags & TextureDescription.Flags.normalizedCoordinates != 0 }

    /// The sizes of a level, counted from the first one of the view.
    func size(level: Int) -> (width: Int, height: Int, depth: Int) {
        guard let storage else {
            let isLinear = description.resource == .linear
            let width = isLinear ? Int(description.width) / texel.byteCount : Int(description.width)
            return (max(1, width), isLinear ? 1 : max(1, Int(description.height)), 1)
        }
        let level = storage.level(firstLevel + min(level, levelCount - 1))
        return (level.width, level.height, level.depth)
    }
}

/// What surface instructions read and write: a level of an array.
public struct Surface: Sendable {
    let storage: ArrayStorage
    let level: Int

    public init(storage: ArrayStorage, level: Int) {
        self.storage = storage
        self.level = level
    }
}

/// Textures and surfaces by their numbers.
public struct TextureTable: Sendable {
    private var textures: [UInt64: Texture] = [:]
    private var surfaces: [UInt64: Surface] = [:]

    public init() {}

    public var count: Int { textures.count + surfaces.count }

    public mutating func insert(_ texture: Texture, _ value: UInt64) { textures[value] = texture }

    public mutating func insert(_ surface: Surface, _ value: UInt64) { surfaces[value] = surface }

    public mutating func remove(_ value: UInt64) {
        textures[value] = nil
        surfaces[value] = nil
    }

    func texture(_ value: UInt64) -> Texture? { textures[value] }

    func surface(_ value: UInt64) -> Surface? { surfaces[value] }
}
