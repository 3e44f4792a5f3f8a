/// What a program tells `cuTensorMapEncode…` and `cuTensorMapReplaceAddress`, in the words of CUDA; it crosses the wire
/// to a worker whose driver alone knows how its tensor maps look.
public struct TensorMapRequest: Sendable {
    public enum Kind: UInt8, Sendable {
        case tiled, im2col, im2colWide, replaceAddress
    }

    /// Words of 64 bits of the encoded form.
    public static let wordCount = 38
    public static let dimensionMax = 5

    public var kind: Kind
    /// A `CUtensorMapDataType`.
    public var elementType: UInt32 = 0
    public var rank: UInt32 = 0
    /// A `CUtensorMapInterleave`.
    public var interleave: UInt32 = 0
    /// A `CUtensorMapSwizzle`.
    public var swizzle: UInt32 = 0
    /// A `CUtensorMapL2promotion`.
    public var cachePromotion: UInt32 = 0
    /// A `CUtensorMapFloatOOBfill`.
    public var fill: UInt32 = 0
    /// A `CUtensorMapIm2ColWideMode`.
    public var wideMode: UInt32 = 0
    public var address: UInt64 = 0
    /// By dimension, the fastest first, as all that follows; only the first `rank` count.
    public var sizes: InlineArray<5, UInt64> = [1, 1, 1, 1, 1]
    /// Bytes from one index to the next, of all dimensions but the first.
    public var strides: InlineArray<4, UInt64> = [0, 0, 0, 0]
    public var box: InlineArray<5, UInt32> = [1, 1, 1, 1, 1]
    public var elementStrides: InlineArray<5, UInt32> = [1, 1, 1, 1, 1]
    /// Corners of the box of pixels, of all dimensions but the first and the last.
    public var lowerCorner: InlineArray<3, Int32> = [0, 0, 0]
    public var upperCorner: InlineArray<3, Int32> = [0, 0, 0]
    public var channelCount: UInt32 = 0
    public var pixelCount: UInt32 = 0
    /// The map to change.
    public var map: InlineArray<16, UInt64> = .init(repeating: 0)

    public init(kind: Kind) { self.kind = kind }

    // MARK: - On the wire

    /// The encoded form, word by word; of a request that ``isValid`` says yes to.
    public func word(_ index: Int) -> UInt64 {
        switch index {
        case 0:
            let low = UInt64(kind.rawValue) | UInt64(elementType) << 8 | UInt64(rank) << 16 | UInt64(interleave) << 24
            return low | UInt64(swizzle) << 32 | UInt64(cachePromotion) << 40 | UInt64(fill) << 48
                | UInt64(wideMode) << 56
        case 1: return address
        case 2...6: return sizes[index - 2]
        case 7...10: return strides[index - 7]
        case 11...15: return UInt64(box[index - 11]) | UInt64(elementStrides[index - 11]) << 32
        case 16...18:
            let lower = UInt64(UInt32(bitPattern: lowerCorner[index - 16]))
            return lower | UInt64(UInt32(bitPattern: upperCorner[index - 16])) << 32
        case 19: return UInt64(channelCount) | UInt64(pixelCount) << 32
        case 20...35: return map[index - 20]
        default: return 0
        }
    }

    /// Decodes ``word(_:)``; nil for a kind that there is not. What else it says is not checked.
    public init?(words: (Int) -> UInt64) {
        let first = words(0)
        guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: first)) else { return nil }
        self.kind = kind
        func byte(_ shift: UInt64) -> UInt32 { UInt32((first >> shift) & 255) }
        (elementType, rank, interleave, swizzle) = (byte(8), byte(16), byte(24), byte(32))
        (cachePromotion, fill, wideMode) = (byte(40), byte(48), byte(56))
        address = words(1)
        for index in 0..<5 {
            sizes[index] = words(2 + index)
            box[index] = UInt32(truncatingIfNeeded: words(11 + index))
            elementStrides[index] = UInt32(truncatingIfNeeded: words(11 + index) >> 32)
        }
        for index in 0..<4 { strides[index] = words(7 + index) }
        for index in 0..<3 {
            lowerCorner[index] = Int32(truncatingIfNeeded: words(16 + index))
            upperCorner[index] = Int32(truncatingIfNeeded: words(16 + index) >> 32)
        }
        channelCount = UInt32(truncatingIfNeeded: words(19))
        pixelCount = UInt32(truncatingIfNeeded: words(19) >> 32)
        for index in 0..<16 { map[index] = words(20 + index) }
    }

    // MARK: - What CUDA allows

    /// `CU_TENSOR_MAP_DATA_TYPE_16U4_ALIGN8B` and its two neighbours hold several values in a unit.
    private static let firstPackedType: UInt32 = 13
    private static let lastType: UInt32 = 15
    private static let interleave32: UInt32 = 2
    private static let lastSwizzle: UInt32 = 6

    private var isPacked: Bool { elementType >= TensorMapRequest.firstPackedType }
    /// Packed types whose units lie 16 bytes apart.
    private var hasWideUnits: Bool { elementType > TensorMapRequest.firstPackedType }

    /// Whether CUDA's rules allow the request. For an address to replace, only the address of the map's layout counts.
    public var isValid: Bool {
        if kind == .replaceAddress { return address % 16 == 0 }
        return isTensorValid && (kind == .tiled ? isBoxValid : isPixelBoxValid) && isSwizzleValid && isFillValid
    }

    private var isTensorValid: Bool {
        let leastRank: UInt32 = kind != .tiled || interleave != 0 ? 3 : 1
        guard elementType <= TensorMapRequest.lastType, rank >= leastRank, rank <= 5,
            interleave <= TensorMapRequest.interleave32, cachePromotion <= 3, wideMode <= 1
        else { return false }
        let unit: UInt64 = interleave == TensorMapRequest.interleave32 || hasWideUnits ? 32 : 16
        guard address % unit == 0 else { return false }
        for dimension in 0..<Int(rank) {
            guard sizes[dimension] >= 1, sizes[dimension] <= 1 << 32 else { return false }
            // The first dimension has no step of its own without interleaving.
            let steps = elementStrides[dimension]
            guard (dimension == 0 && interleave == 0) || (steps >= 1 && steps <= 8) else { return false }
            guard dimension > 0 else { continue }
            guard strides[dimension - 1] % unit == 0, strides[dimension - 1] < 1 << 40 else { return false }
        }
        return sizes[0] % (hasWideUnits ? 128 : isPacked ? 2 : 1) == 0
    }

    private var isBoxValid: Bool {
        for dimension in 0..<Int(rank) {
            guard box[dimension] >= 1, box[dimension] <= 256 else { return false }
        }
        if hasWideUnits { return box[0] == 128 }
        return interleave != 0 || innerBitCount % 128 == 0
    }

    private var isPixelBoxValid: Bool {
        guard channelCount >= 1, channelCount <= 256, pixelCount <= 1024,
            pixelCount >= 1 || (kind == .im2colWide && wideMode == 1), !hasWideUnits || channelCount == 128
        else { return false }
        // The more corners there are, the fewer bits each has.
        let bits: Int32 = kind == .im2colWide || rank == 3 ? 15 : rank == 4 ? 7 : 4
        let limit: Int32 = 1 << bits
        for corner in 0..<(kind == .im2colWide ? 1 : Int(rank) - 2) {
            let (lower, upper) = (lowerCorner[corner], upperCorner[corner])
            guard lower >= -limit, lower < limit, upper >= -limit, upper < limit else { return false }
            guard Int64(sizes[corner + 1]) + Int64(upper) - Int64(lower) > 0 else { return false }
        }
        return kind == .im2col || interleave == 0
    }

    /// Bits of the box along its first dimension.
    private var innerBitCount: UInt64 {
        let bits: UInt64 =
            elementType == TensorMapRequest.lastType
            ? 6 : isPacked ? 4 : TensorMap.elementByteCount(elementType) * 8
        return UInt64(kind == .tiled ? box[0] : channelCount) * bits
    }

    private var isSwizzleValid: Bool {
        guard swizzle <= TensorMapRequest.lastSwizzle else { return false }
        if interleave == TensorMapRequest.interleave32 { return swizzle == 1 }
        if elementType == TensorMapRequest.lastType, interleave != 0 || ![0, 3, 4, 6].contains(swizzle) {
            return false
        }
        if elementType == TensorMapRequest.firstPackedType + 1, ![0, 3, 4].contains(swizzle) { return false }
        guard interleave == 0, swizzle != 0 else { return true }
        return innerBitCount <= 8 * TensorMap.swizzleByteCount(swizzle)
    }

    private var isFillValid: Bool { fill == 0 || (fill == 1 && TensorMap.isFloat(elementType)) }
}
