import Glibc
import Primitives

/// One texel as kernels get it: numbers, or integers as bits. Channels that are missing are 0, and 1 for the last.
struct Texel {
    var r: Float = 0
    var g: Float = 0
    var b: Float = 0
    var a: Float = 0

    static let zero = Texel()

    mutating func add(_ other: Texel, times weight: Float) {
        r = r.addingProduct(other.r, weight)
        g = g.addingProduct(other.g, weight)
        b = b.addingProduct(other.b, weight)
        a = a.addingProduct(other.a, weight)
    }

    /// Bits of the channels; integers keep theirs in the numbers' bits.
    subscript(index: Int) -> Float {
        get {
            switch index {
            case 0: r
            case 1: g
            case 2: b
            default: a
            }
        }
        set {
            switch index {
            case 0: r = newValue
            case 1: g = newValue
            case 2: b = newValue
            default: a = newValue
            }
        }
    }
}

extension Texture {
    /// Reads the texel at a host address.
    func texel(at pointer: UnsafeRawPointer) -> Texel {
        var result = Texel()
        result.a = answersNumbers ? 1 : Float(bitPattern: 1)
        let isSRGB = description.flags & TextureDescription.Flags.sRGB != 0 && texel.channelByteCount == 1
        for channel in 0..<texel.channelCount {
            let bits = Self.channel(pointer, channel, texel)
            if !answersNumbers {
                result[channel] = Float(bitPattern: bits)
                continue
            }
            let number = Self.number(bits, texel)
            result[channel] = isSRGB && channel < 3 ? Self.linear(fromSRGB: number) : number
        }
        return result
    }

    /// A channel, extended to 32 bits.
    static func channel(_ pointer: UnsafeRawPointer, _ index: Int, _ format: TexelFormat) -> UInt32 {
        let isSigned = format.kind == .signed || format.kind == .signedNormalized
        switch format.channelByteCount {
        case 1:
            let value = pointer.load(fromByteOffset: index, as: UInt8.self)
            return isSigned ? UInt32(bitPattern: Int32(Int8(bitPattern: value))) : UInt32(value)
        case 2:
            let value = pointer.load(fromByteOffset: index * 2, as: UInt16.self)
            return isSigned ? UInt32(bitPattern: Int32(Int16(bitPattern: value))) : UInt32(value)
        default: return pointer.load(fromByteOffset: index * 4, as: UInt32.self)
        }
    }

    /// What a channel's bits mean as a number.
    static func number(_ bits: UInt32, _ format: TexelFormat) -> Float {
        let isNarrow = format.channelByteCount == 1
        switch format.kind {
        case .float: return isNarrow || format.channelByteCount == 2 ? float(half: bits) : Float(bitPattern: bits)
        case .unsigned, .unsignedNormalized: return Float(bits) / (isNarrow ? 255 : 65_535)
        case .signed, .signedNormalized:
            return max(-1, Float(Int32(bitPattern: bits)) / (isNarrow ? 127 : 32_767))
        }
    }

    private static func linear(fromSRGB value: Float) -> Float {
        value <= 0.04045 ? value / 12.92 : powf((value + 0.055) / 1.055, 2.4)
    }

    /// What is read beyond the border.
    var border: Texel {
        let color = description.border
        guard !answersNumbers else { return Texel(r: color.0, g: color.1, b: color.2, a: color.3) }
        func bits(_ value: Float) -> Float {
            let clamped = value.isFinite ? min(max(value, -2_147_483_648), 4_294_967_040) : 0
            return Float(bitPattern: UInt32(truncatingIfNeeded: Int64(clamped)))
        }
        return Texel(r: bits(color.0), g: bits(color.1), b: bits(color.2), a: bits(color.3))
    }
}
