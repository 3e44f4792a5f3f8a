/// Reads little-endian values out of a payload. Every read is checked; the first failure ends the reading.
public struct WireReader {
    @usableFromInline let buffer: UnsafeRawBufferPointer
    @usableFromInline var offset = 0

    @inlinable
    public init(_ buffer: UnsafeRawBufferPointer) {
        self.buffer = buffer
    }

    /// Bytes not yet read.
    @inlinable public var remainingByteCount: Int { buffer.count &- offset }

    /// Reads one value of a fixed size.
    @inlinable
    public mutating func read<T: BitwiseCopyable>(_ type: T.Type = T.self) throws(WireError) -> T {
        guard remainingByteCount >= MemoryLayout<T>.size, let start = buffer.baseAddress else {
            throw .truncated
        }
        let value = (start + offset).loadUnaligned(as: T.self)
        offset &+= MemoryLayout<T>.size
        return value
    }

    /// Reads a u32 length and that many bytes; they stay where they are.
    @inlinable
    public mutating func readBytes(atMost limit: Int = WireLimits.frameByteCountMax) throws(WireError)
        -> UnsafeRawBufferPointer
    {
        let count = Int(try read(UInt32.self))
        guard count <= limit else { throw .oversized }
        return try readUnprefixed(count)
    }

    /// Reads `count` bytes; they stay where they are.
    @inlinable
    public mutating func readUnprefixed(_ count: Int) throws(WireError) -> UnsafeRawBufferPointer {
        guard count >= 0, remainingByteCount >= count else { throw .truncated }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[offset..<(offset &+ count)])
        offset &+= count
        return bytes
    }

    /// Makes sure that only padding (fewer than 8 bytes) is left.
    @inlinable
    public func finish() throws(WireError) {
        guard remainingByteCount < 8 else { throw .trailingBytes }
    }
}
