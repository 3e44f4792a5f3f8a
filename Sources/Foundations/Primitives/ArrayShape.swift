/// How one channel of a texel is stored.
public enum ChannelKind: UInt8, Sendable {
    case unsigned, signed, float
    /// Integers that always read as numbers from 0 to 1, or from -1 to 1.
    case unsignedNormalized, signedNormalized
}

/// A texel: one, two or four channels of the same kind.
public struct TexelFormat: Sendable, Equatable {
    public var kind: ChannelKind
    /// 1, 2 or 4.
    public var channelByteCount: Int
    /// 1, 2 or 4.
    public var channelCount: Int

    public init(kind: ChannelKind, channelByteCount: Int, channelCount: Int) {
        self.kind = kind
        self.channelByteCount = channelByteCount
        self.channelCount = channelCount
    }

    /// The texel of a `CUarray_format` with so many channels; nil for formats that are compressed, planar or packed,
    /// and for a count that the format doesn't have.
    public init?(format: UInt32, channelCount: UInt32) {
        guard channelCount == 1 || channelCount == 2 || channelCount == 4 else { return nil }
        self.channelCount = Int(channelCount)
        switch format {
        case 1: (kind, channelByteCount) = (.unsigned, 1)
        case 2: (kind, channelByteCount) = (.unsigned, 2)
        case 3: (kind, channelByteCount) = (.unsigned, 4)
        case 8: (kind, channelByteCount) = (.signed, 1)
        case 9: (kind, channelByteCount) = (.signed, 2)
        case 10: (kind, channelByteCount) = (.signed, 4)
        case 16: (kind, channelByteCount) = (.float, 2)
        case 32: (kind, channelByteCount) = (.float, 4)
        case 192...203:
            let index = format &- 192
            kind = index < 6 ? .unsignedNormalized : .signedNormalized
            channelByteCount = index % 6 < 3 ? 1 : 2
            guard channelCount == 1 << (index % 3) else { return nil }
        default: return nil
        }
    }

    /// The texel of a `CUresourceViewFormat`; nil for none and for compressed ones.
    public init?(viewFormat: UInt32) {
        guard (1...24) ~= viewFormat else { return nil }
        let index = viewFormat &- 1
        channelCount = 1 << Int(index % 3)
        switch index / 3 {
        case 0: (kind, channelByteCount) = (.unsigned, 1)
        case 1: (kind, channelByteCount) = (.signed, 1)
        case 2: (kind, channelByteCount) = (.unsigned, 2)
        case 3: (kind, channelByteCount) = (.signed, 2)
        case 4: (kind, channelByteCount) = (.unsigned, 4)
        case 5: (kind, channelByteCount) = (.signed, 4)
        case 6: (kind, channelByteCount) = (.float, 2)
        default: (kind, channelByteCount) = (.float, 4)
        }
    }

    public var byteCount: Int { channelByteCount &* channelCount }
}

/// What an array is: its sizes, its texels and its levels, as `cuArray3DCreate` and `cuMipmappedArrayCreate` take them.
public struct ArrayShape: Sendable, Equatable {
    /// The flags of `CUDA_ARRAY3D_DESCRIPTOR` that arrays here may have.
    public enum Flags {
        public static let layered: UInt32 = 1
        public static let surface: UInt32 = 2
        public static let cubemap: UInt32 = 4
        public static let gather: UInt32 = 8
        /// Says only how graphics would use the array.
        public static let colorAttachment: UInt32 = 0x20
        public static let known: UInt32 = 0x2F
        /// Sparse arrays, and ones whose memory is mapped later.
        public static let late: UInt32 = 0xC0
    }

    /// In texels; a height or depth of 0 means that there is no such dimension. Layers count as depth.
    public var width: UInt64
    public var height: UInt64
    public var depth: UInt64
    /// A `CUarray_format`.
    public var format: UInt32
    public var channelCount: UInt32
    public var flags: UInt32
    public var levelCount: UInt32

    public init(
        size: (width: UInt64, height: UInt64, depth: UInt64), format: UInt32, channelCount: UInt32, flags: UInt32 = 0,
        levelCount: UInt32 = 1
    ) {
        (width, height, depth) = size
        self.format = format
        self.channelCount = channelCount
        self.flags = flags
        self.levelCount = levelCount
    }

    public var texel: TexelFormat? { TexelFormat(format: format, channelCount: channelCount) }
    public var isLayered: Bool { flags & Flags.layered != 0 }
    public var isCubemap: Bool { flags & Flags.cubemap != 0 }

    /// Whether arrays of this shape exist: sizes within the devices' limits, and flags that fit together.
    public var isValid: Bool {
        guard texel != nil, flags & ~Flags.known == 0, width > 0, levelCount >= 1, levelCount <= 18 else {
            return false
        }
        if isCubemap {
            guard width == height, width <= 32_768 else { return false }
            return isLayered ? depth > 0 && depth % 6 == 0 && depth <= 2046 : depth == 6
        }
        if isLayered {
            return depth > 0 && depth <= 2048 && width <= 32_768 && height <= 32_768
        }
        if depth > 0 { return height > 0 && max(width, max(height, depth)) <= 16_384 }
        return width <= 131_072 && height <= 65_536
    }

    /// The sizes of a level, none of them 0.
    public func extent(level: UInt32) -> (width: UInt64, height: UInt64, depth: UInt64) {
        let level = UInt64(min(level, 63))
        let flatDepth = max(1, depth)
        return (
            max(1, width >> level), max(1, height >> level),
            isLayered || isCubemap ? flatDepth : max(1, flatDepth >> level)
        )
    }

    /// Bytes of one level, without gaps; 0 for a shape that is not valid.
    public func byteCount(level: UInt32) -> UInt64 {
        guard let texel, isValid else { return 0 }
        let size = extent(level: level)
        // At most 2^17 · 2^16 · 2^4, 2^42 · 2^4 or 2^41 · 2^4.
        return size.width &* size.height &* size.depth &* UInt64(texel.byteCount)
    }

    /// Bytes that the array counts with: all levels, each in whole 512 bytes.
    public var byteCount: UInt64 {
        var sum: UInt64 = 0
        for level in 0..<min(levelCount, 18) { sum &+= (byteCount(level: level) &+ 511) & ~511 }
        return sum
    }

    /// Levels down to a single texel.
    public var levelCountMax: UInt32 {
        let size = extent(level: 0)
        let longest = max(size.width, max(size.height, isLayered || isCubemap ? 1 : size.depth))
        return UInt32(truncatingIfNeeded: 64 &- longest.leadingZeroBitCount)
    }
}
