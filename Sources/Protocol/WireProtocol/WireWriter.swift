/// Appends little-endian values to memory that somebody else owns.
///
/// The caller makes sure of the room before it writes: ``WireCommand/encodedByteCount`` says how much a command needs.
/// Writing beyond the end is ignored and remembered, never performed.
public struct WireWriter {
    @usableFromInline let buffer: UnsafeMutableRawBufferPointer
    @usableFromInline var written = 0
    @usableFromInline var overflowed = false

    /// Bytes written so far.
    @inlinable public var byteCount: Int { written }
    /// Whether something did not fit.
    @inlinable public var isOverflowed: Bool { overflowed }

    @inlinable
    public init(into buffer: UnsafeMutableRawBufferPointer) {
        self.buffer = buffer
    }

    /// Appends an integer or a floating-point number as its little-endian bytes.
    @inlinable
    public mutating func write<T: BitwiseCopyable>(_ value: T) {
        guard buffer.count &- byteCount >= MemoryLayout<T>.size, let start = buffer.baseAddress else {
            markOverflow()
            return
        }
        (start + byteCount).storeBytes(of: value, as: T.self)
        advance(MemoryLayout<T>.size)
    }

    /// Appends a u32 length and that many bytes.
    @inlinable
    public mutating func writeBytes(_ bytes: UnsafeRawBufferPointer) {
        write(UInt32(truncatingIfNeeded: bytes.count))
        writeUnprefixed(bytes)
    }

    /// Appends bytes without their length.
    @inlinable
    public mutating func writeUnprefixed(_ bytes: UnsafeRawBufferPointer) {
        guard buffer.count &- byteCount >= bytes.count, let start = buffer.baseAddress else {
            if bytes.count > 0 { markOverflow() }
            return
        }
        if let source = bytes.baseAddress { (start + byteCount).copyMemory(from: source, byteCount: bytes.count) }
        advance(bytes.count)
    }

    /// Appends zeros up to a multiple of `alignment`.
    @inlinable
    public mutating func pad(to alignment: Int) {
        while byteCount & (alignment &- 1) != 0, !isOverflowed { write(UInt8(0)) }
    }

    @inlinable
    mutating func advance(_ count: Int) { written &+= count }

    @inlinable
    mutating func markOverflow() { overflowed = true }
}
