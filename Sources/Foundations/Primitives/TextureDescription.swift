/// All that `cuTexObjectCreate` is told, with the array named by a number.
public struct TextureDescription: Sendable, Equatable {
    /// A `CUresourcetype`.
    public enum Resource: UInt32, Sendable {
        case array = 0
        case mipmappedArray = 1
        case linear = 2
        case pitched = 3
    }

    /// The flags of `CUDA_TEXTURE_DESC`.
    public enum Flags {
        public static let readAsInteger: UInt32 = 1
        public static let normalizedCoordinates: UInt32 = 2
        public static let sRGB: UInt32 = 0x10
        public static let noTrilinearOptimization: UInt32 = 0x20
        public static let seamlessCubemap: UInt32 = 0x40
        public static let known: UInt32 = 0x73
    }

    public var resource = Resource.array
    /// The array, and its level if it belongs to a mipmapped one.
    public var array: UInt64 = 0
    public var level: UInt32 = 0
    /// Linear and pitched memory.
    public var address: UInt64 = 0
    public var format: UInt32 = 0
    public var channelCount: UInt32 = 0
    /// Bytes of linear memory, or texels of a row.
    public var width: UInt64 = 0
    public var height: UInt64 = 0
    public var pitch: UInt64 = 0

    /// By dimension, a `CUaddress_mode`.
    public var addressModes: (UInt32, UInt32, UInt32) = (0, 0, 0)
    public var isLinear = false
    public var flags: UInt32 = 0
    public var maxAnisotropy: UInt32 = 0
    public var isMipmapLinear = false
    public var levelBias: Float = 0
    public var minLevel: Float = 0
    public var maxLevel: Float = 0
    public var border: (Float, Float, Float, Float) = (0, 0, 0, 0)

    /// A `CUresourceViewFormat`, and the levels and layers of a view; they count only when there is one.
    public var hasView = false
    public var viewFormat: UInt32 = 0
    public var viewWidth: UInt64 = 0
    public var viewHeight: UInt64 = 0
    public var viewDepth: UInt64 = 0
    public var firstLevel: UInt32 = 0
    public var lastLevel: UInt32 = 0
    public var firstLayer: UInt32 = 0
    public var lastLayer: UInt32 = 0

    public init() {}

    /// Words of 64 bits in the encoded form.
    public static let wordCount = 34

    /// The encoded form, word by word.
    public func word(_ index: Int) -> UInt64 {
        switch index {
        case 0: UInt64(resource.rawValue)
        case 1: array
        case 2: UInt64(level)
        case 3: address
        case 4: UInt64(format)
        case 5: UInt64(channelCount)
        case 6: width
        case 7: height
        case 8: pitch
        case 9: UInt64(addressModes.0)
        case 10: UInt64(addressModes.1)
        case 11: UInt64(addressModes.2)
        case 12: isLinear ? 1 : 0
        case 13: UInt64(flags)
        case 14: UInt64(maxAnisotropy)
        case 15: isMipmapLinear ? 1 : 0
        case 16: UInt64(levelBias.bitPattern)
        case 17: UInt64(minLevel.bitPattern)
        case 18: UInt64(maxLevel.bitPattern)
        case 19: UInt64(border.0.bitPattern)
        case 20: UInt64(border.1.bitPattern)
        case 21: UInt64(border.2.bitPattern)
        case 22: UInt64(border.3.bitPattern)
        default: viewWord(index)
        }
    }

    private func viewWord(_ index: Int) -> UInt64 {
        switch index {
        case 23: hasView ? 1 : 0
        case 24: UInt64(viewFormat)
        case 25: viewWidth
        case 26: viewHeight
        case 27: viewDepth
        case 28: UInt64(firstLevel)
        case 29: UInt64(lastLevel)
        case 30: UInt64(firstLayer)
        case 31: UInt64(lastLayer)
        default: 0
        }
    }

    /// Decodes ``word(_:)``; nil for values that no description has.
    public init?(words: (Int) -> UInt64) {
        func narrow(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: words(index)) }
        func number(_ index: Int) -> Float { Float(bitPattern: narrow(index)) }
        guard let resource = Resource(rawValue: narrow(0)) else { return nil }
        self.resource = resource
        array = words(1)
        level = narrow(2)
        address = words(3)
        format = narrow(4)
        channelCount = narrow(5)
        (width, height, pitch) = (words(6), words(7), words(8))
        addressModes = (narrow(9), narrow(10), narrow(11))
        isLinear = narrow(12) != 0
        flags = narrow(13)
        maxAnisotropy = narrow(14)
        isMipmapLinear = narrow(15) != 0
        (levelBias, minLevel, maxLevel) = (number(16), number(17), number(18))
        border = (number(19), number(20), number(21), number(22))
        hasView = narrow(23) != 0
        viewFormat = narrow(24)
        (viewWidth, viewHeight, viewDepth) = (words(25), words(26), words(27))
        (firstLevel, lastLevel, firstLayer, lastLayer) = (narrow(28), narrow(29), narrow(30), narrow(31))
        let modes = max(addressModes.0, max(addressModes.1, addressModes.2))
        guard modes <= 3, flags & ~Flags.known == 0, firstLevel <= lastLevel, firstLayer <= lastLayer else {
            return nil
        }
    }

    public static func == (one: TextureDescription, other: TextureDescription) -> Bool {
        for index in 0..<wordCount where one.word(index) != other.word(index) { return false }
        return true
    }
}
