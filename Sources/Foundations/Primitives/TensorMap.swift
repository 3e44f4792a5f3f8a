/// A tensor map of the software GPU: what `cuTensorMapEncodeTiled` and its kin are told, in 128 bytes.
///
/// The layout, in words of 64 bits: 0: magic, rank, element type, swizzle, 1 for what is outside is NaN, 2 for pixels;
/// 1: address; 2–4: sizes less one, 32 bits each; 5–8: strides in bytes; 9–10: box, 16 bits each; 11: steps, 8 bits
/// each. Of pixels: 9: channels and pixels, 32 bits each; 12–13: corners of their box, 16 bits each.
public struct TensorMap: Sendable, Equatable {
    public static let byteCount = 128
    public static let wordCount = 16
    private static let magic: UInt64 = 0x504D_5452

    public var rank: Int
    /// A `CUtensorMapDataType`.
    public var elementType: UInt32
    /// A `CUtensorMapSwizzle`.
    public var swizzle: UInt32 = 0
    /// Elements outside are a NaN, not 0.
    public var fillsNaN = false
    public var address: UInt64
    /// By dimension, the fastest first, as all that follows; only the first `rank` count.
    public var sizes: InlineArray<5, UInt64> = [1, 1, 1, 1, 1]
    /// Bytes from one index to the next, of all dimensions but the first.
    public var strides: InlineArray<4, UInt64> = [0, 0, 0, 0]
    public var box: InlineArray<5, UInt32> = [1, 1, 1, 1, 1]
    public var elementStrides: InlineArray<5, UInt32> = [1, 1, 1, 1, 1]
    /// What is copied is a number of pixels within a box of pixels, not a box of elements.
    public var hasPixels = false
    public var channelCount: UInt32 = 0
    public var pixelCount: UInt32 = 0
    /// The first and the last place of a pixel, the latter relative to the tensor's last.
    public var lowerCorner: InlineArray<3, Int32> = [0, 0, 0]
    public var upperCorner: InlineArray<3, Int32> = [0, 0, 0]

    public init(rank: Int, elementType: UInt32, address: UInt64) {
        self.rank = rank
        self.elementType = elementType
        self.address = address
    }

    /// The map of a request that CUDA's rules allow; nil for what the software GPU does not have: packed types,
    /// interleaving, swizzles of larger units, boxes narrower than their swizzle, and the wide form of pixels.
    public init?(_ request: TensorMapRequest) {
        guard request.kind == .tiled || request.kind == .im2col, request.interleave == 0, request.swizzle <= 3,
            TensorMap.elementByteCount(request.elementType) > 0
        else { return nil }
        self.init(rank: Int(request.rank), elementType: request.elementType, address: request.address)
        swizzle = request.swizzle
        fillsNaN = request.fill == 1
        hasPixels = request.kind == .im2col
        (channelCount, pixelCount) = (request.channelCount, request.pixelCount)
        for dimension in 0..<rank {
            sizes[dimension] = request.sizes[dimension]
            if dimension > 0 {
                strides[dimension - 1] = request.strides[dimension - 1]
                elementStrides[dimension] = request.elementStrides[dimension]
            }
            if !hasPixels { box[dimension] = request.box[dimension] }
        }
        if hasPixels { (lowerCorner, upperCorner) = (request.lowerCorner, request.upperCorner) }
        guard swizzle == 0 || rowByteCount == TensorMap.swizzleByteCount(swizzle) else { return nil }
    }

    /// Bytes of an element type; 0 for one that there is not, or that packs several values.
    public static func elementByteCount(_ type: UInt32) -> UInt64 {
        switch type {
        case 0: 1
        case 1, 6, 9: 2
        case 2, 3, 7, 10, 11, 12: 4
        case 4, 5, 8: 8
        default: 0
        }
    }

    /// Whether an element type is one of floating-point numbers.
    public static func isFloat(_ type: UInt32) -> Bool { (6...12) ~= type }

    /// Bytes of shared memory within which a swizzle moves chunks.
    public static func swizzleByteCount(_ swizzle: UInt32) -> UInt64 {
        switch swizzle {
        case 0: 0
        case 1: 32
        case 2: 64
        default: 128
        }
    }

    public var elementByteCount: UInt64 { TensorMap.elementByteCount(elementType) }

    /// Bytes from one index of a dimension to the next.
    public func stride(_ dimension: Int) -> UInt64 { dimension == 0 ? elementByteCount : strides[dimension - 1] }

    /// Elements of a copy along a dimension of the box.
    public func boxCount(_ dimension: Int) -> Int {
        guard dimension < rank else { return 1 }
        let step = elementStrides[dimension]
        return Int((box[dimension] + step - 1) / step)
    }

    /// Bytes of a copy along the first dimension.
    public var rowByteCount: UInt64 {
        (hasPixels ? UInt64(channelCount) : UInt64(boxCount(0))) &* elementByteCount
    }

    /// Rows of a copy.
    public var rowCount: Int {
        if hasPixels { return Int(pixelCount) }
        return boxCount(1) * boxCount(2) * boxCount(3) * boxCount(4)
    }

    /// The encoded form, word by word.
    public func word(_ index: Int) -> UInt64 {
        switch index {
        case 0:
            return TensorMap.magic | UInt64(rank) << 32 | UInt64(elementType) << 40 | UInt64(swizzle) << 48
                | (fillsNaN ? 1 : 0) << 56 | (hasPixels ? 2 : 0) << 56
        case 1: return address
        case 2: return (sizes[0] &- 1) & 0xFFFF_FFFF | (sizes[1] &- 1) << 32
        case 3: return (sizes[2] &- 1) & 0xFFFF_FFFF | (sizes[3] &- 1) << 32
        case 4: return (sizes[4] &- 1) & 0xFFFF_FFFF
        case 5...8: return strides[index - 5]
        case 9 where hasPixels: return UInt64(channelCount) | UInt64(pixelCount) << 32
        case 9: return UInt64(box[0]) | UInt64(box[1]) << 16 | UInt64(box[2]) << 32 | UInt64(box[3]) << 48
        case 10: return UInt64(box[4])
        case 11: return packed(8) { UInt64(elementStrides[$0]) }
        case 12: return packed(16) { $0 < 3 ? UInt64(UInt16(truncatingIfNeeded: lowerCorner[$0])) : 0 }
        case 13: return packed(16) { $0 < 3 ? UInt64(UInt16(truncatingIfNeeded: upperCorner[$0])) : 0 }
        default: return 0
        }
    }

    private func packed(_ bitCount: UInt64, _ value: (Int) -> UInt64) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<5 { word |= value(index) << (UInt64(index) * bitCount) }
        return word
    }

    /// Decodes ``word(_:)``; nil for what is no tensor map of the software GPU.
    public init?(words: (Int) -> UInt64) {
        let first = words(0)
        guard first & 0xFFFF_FFFF == TensorMap.magic else { return nil }
        rank = Int((first >> 32) & 255)
        elementType = UInt32((first >> 40) & 255)
        swizzle = UInt32((first >> 48) & 255)
        fillsNaN = (first >> 56) & 1 == 1
        hasPixels = (first >> 57) & 1 == 1
        guard (1...5) ~= rank, TensorMap.elementByteCount(elementType) > 0, swizzle <= 3 else { return nil }
        address = words(1)
        for index in 0..<5 {
            sizes[index] = ((words(2 + index / 2) >> (index % 2 == 1 ? 32 : 0)) & 0xFFFF_FFFF) &+ 1
            if !hasPixels { box[index] = UInt32((words(9 + index / 4) >> (UInt64(index % 4) * 16)) & 0xFFFF) }
            elementStrides[index] = UInt32((words(11) >> (UInt64(index) * 8)) & 255)
        }
        for index in 0..<4 { strides[index] = words(5 + index) }
        if hasPixels {
            channelCount = UInt32(truncatingIfNeeded: words(9))
            pixelCount = UInt32(truncatingIfNeeded: words(9) >> 32)
            for index in 0..<3 {
                lowerCorner[index] = Int32(Int16(truncatingIfNeeded: words(12) >> (UInt64(index) * 16)))
                upperCorner[index] = Int32(Int16(truncatingIfNeeded: words(13) >> (UInt64(index) * 16)))
            }
        }
        guard isSane else { return nil }
    }

    /// Whether a copy by this map stays within small numbers and aligned elements; a kernel may have written it.
    private var isSane: Bool {
        guard address % 16 == 0, !fillsNaN || TensorMap.isFloat(elementType) else { return false }
        for dimension in 0..<rank {
            guard (1...256) ~= box[dimension], (1...8) ~= elementStrides[dimension] else { return false }
            guard dimension > 0 else { continue }
            guard stride(dimension) < 1 << 40, stride(dimension) % 16 == 0 else { return false }
        }
        guard hasPixels else { return true }
        guard rank >= 3, (1...256) ~= channelCount, (1...1024) ~= pixelCount else { return false }
        for corner in 0..<rank - 2 {
            let extent = Int64(sizes[corner + 1]) + Int64(upperCorner[corner]) - Int64(lowerCorner[corner])
            guard extent > 0 else { return false }
        }
        return true
    }

    public static func == (one: TensorMap, other: TensorMap) -> Bool {
        for index in 0..<wordCount where one.word(index) != other.word(index) { return false }
        return true
    }
}
