/// Little-endian reads that answer nil outside the bytes.
struct ImageBytes {
    let bytes: [UInt8]

    func load<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T? {
        guard offset >= 0, offset <= bytes.count, bytes.count - offset >= MemoryLayout<T>.size else { return nil }
        return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    /// The range of `count` bytes at `offset`, or nil where it leaves the bytes.
    func range(_ offset: Int, _ count: UInt64) -> Range<Int>? {
        guard offset >= 0, offset <= bytes.count, count <= UInt64(bytes.count - offset) else { return nil }
        return offset..<(offset + Int(count))
    }
}

extension UInt64 {
    /// The value rounded up to a multiple of 8, or nil where that does not fit.
    var paddedToEight: UInt64? {
        let (sum, overflow) = addingReportingOverflow(7)
        return overflow ? nil : sum & ~7
    }
}
