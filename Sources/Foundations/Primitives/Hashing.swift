/// The 64-bit FNV-1a hash: stable over processes and versions, not for hostile input.
public struct FNV1a64: Sendable {
    /// The hash of all bytes so far.
    public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    public init() {}

    /// Adds one byte.
    @inlinable
    public mutating func add(_ byte: UInt8) { mix(UInt64(byte)) }

    /// Adds bytes in order.
    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes { mix(UInt64(byte)) }
    }

    @usableFromInline
    mutating func mix(_ byte: UInt64) { value = (value ^ byte) &* 0x100_0000_01B3 }

    /// The hash of some bytes.
    public static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = FNV1a64()
        hash.add(bytes)
        return hash.value
    }

    /// The hash of some bytes.
    public static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBytes { hash($0) }
    }
}

/// A small, fast generator of pseudo-random numbers: the same seed gives the same numbers everywhere.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// A number in `0..<limit`; 0 when the limit is 0.
    public mutating func next(below limit: UInt64) -> UInt64 {
        limit == 0 ? 0 : next().multipliedFullWidth(by: limit).high
    }
}
