/// A tensor map of the software GPU: what `cuTensorMapEncodeTiled` is told, in 128 bytes.
///
/// The layout, in words of 64 bits: 0: magic, rank, element type, swizzle, fill of what is outside; 1: address; 2–4:
/// sizes less one, 32 bits each; 5–8: strides in bytes; 9–10: box, 16 bits each; 11: element strides, 8 bits each.
public struct TensorMap: Sendable, Equatable {
    public static let byteCount = 128
    public static let wordCount = 16
    private static let magic: UInt64 = 0x504D_5452

    public var rank: Int
    /// A `CUtensorMapDataType`.
    public var elementType: UInt32
    /// A `CUtensorMapSwizzle`.
    public var swizzle: UInt32
    /// Elements outside are a NaN, not 0.
    public var fillsNaN: Bool
    public var address: UInt64
    /// By dimension, the fastest first; only the first `rank` count.
    public var sizes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (1, 1, 1, 1, 1)
    /// Bytes from one index to the next, of all dimensions but the first.
    public var strides: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    public var box: (UInt32, UInt32, UInt32, UInt32, UInt32) = (1, 1, 1, 1, 1)
    public var elementStrides: (UInt32, UInt32, UInt32, UInt32, UInt32) = (1, 1, 1, 1, 1)

    public init(rank: Int, elementType: UInt32, swizzle: UInt32, fillsNaN: Bool, address: UInt64) {
        self.rank = rank
        self.elementType = elementType
        self.swizzle = swizzle
        self.fillsNaN = fillsNaN
        self.address = address
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

    public var elementByteCount: UInt64 { TensorMap.elementByteCount(elementType) }

    public func size(_ dimension: Int) -> UInt64 {
        switch dimension {
        case 0: sizes.0
        case 1: sizes.1
        case 2: sizes.2
        case 3: sizes.3
        default: sizes.4
        }
    }

    /// Bytes from one index of a dimension to the next.
    public func stride(_ dimension: Int) -> UInt64 {
        switch dimension {
        case 0: elementByteCount
        case 1: strides.0
        case 2: strides.1
        case 3: strides.2
        default: strides.3
        }
    }

    public func boxSize(_ dimension: Int) -> UInt32 {
        switch dimension {
        case 0: box.0
        case 1: box.1
        case 2: box.2
        case 3: box.3
        default: box.4
        }
    }

    public func elementStride(_ dimension: Int) -> UInt32 {
        switch dimension {
        case 0: elementStrides.0
        case 1: elementStrides.1
        case 2: elementStrides.2
        case 3: elementStrides.3
        default: elementStrides.4
        }
    }

    /// The encoded form, word by word.
    public func word(_ index: Int) -> UInt64 {
        switch index {
        case 0:
            return TensorMap.magic | UInt64(rank) << 32 | UInt64(elementType) << 40 | UInt64(swizzle) << 48
                | (fillsNaN ? 1 : 0) << 56
        case 1: return address
        case 2: return (sizes.0 &- 1) & 0xFFFF_FFFF | (sizes.1 &- 1) << 32
        case 3: return (sizes.2 &- 1) & 0xFFFF_FFFF | (sizes.3 &- 1) << 32
        case 4: return (sizes.4 &- 1) & 0xFFFF_FFFF
        case 5: return strides.0
        case 6: return strides.1
        case 7: return strides.2
        case 8: return strides.3
        case 9:
            return UInt64(box.0) | UInt64(box.1) << 16 | UInt64(box.2) << 32 | UInt64(box.3) << 48
        case 10: return UInt64(box.4)
        case 11:
            let low = UInt64(elementStrides.0) | UInt64(elementStrides.1) << 8 | UInt64(elementStrides.2) << 16
            return low | UInt64(elementStrides.3) << 24 | UInt64(elementStrides.4) << 32
        default: return 0
        }
    }

    /// Decodes ``word(_:)``; nil for what is no tensor map of the software GPU.
    public init?(words: (Int) -> UInt64) {
        let first = words(0)
        guard first & 0xFFFF_FFFF == TensorMap.magic else { return nil }
        rank = Int((first >> 32) & 255)
        elementType = UInt32((first >> 40) & 255)
        swizzle = UInt32((first >> 48) & 255)
        fillsNaN = (first >> 56) & 1 == 1
        guard (1...5) ~= rank, TensorMap.elementByteCount(elementType) > 0, swizzle <= 3 else { return nil }
        address = words(1)
        func size(_ word: Int, _ shift: UInt64) -> UInt64 { ((words(word) >> shift) & 0xFFFF_FFFF) &+ 1 }
        sizes = (size(2, 0), size(2, 32), size(3, 0), size(3, 32), size(4, 0))
        strides = (words(5), words(6), words(7), words(8))
        func box(_ shift: UInt64) -> UInt32 { UInt32((words(9) >> shift) & 0xFFFF) }
        self.box = (box(0), box(16), box(32), box(48), UInt32(words(10) & 0xFFFF))
        func step(_ shift: UInt64) -> UInt32 { UInt32((words(11) >> shift) & 255) }
        elementStrides = (step(0), step(8), step(16), step(24), step(32))
        for dimension in 0..<rank {
            guard (1...256) ~= boxSize(dimension), (1...8) ~= elementStride(dimension), stride(dimension) < 1 << 40
            else { return nil }
        }
    }

    public static func == (one: TensorMap, other: TensorMap) -> Bool {
        for index in 0..<wordCount where one.word(index) != other.word(index) { return false }
        return true
    }
}
