/// A box of bytes in device memory: `depth` slices of `height` rows of `width` bytes.
public struct MemoryBox: Sendable, Equatable {
    public var address: UInt64
    /// Bytes from one row to the next, and from one slice to the next.
    public var pitch: UInt64
    public var slicePitch: UInt64
    /// Bytes of a row.
    public var width: UInt64
    public var height: UInt64
    public var depth: UInt64

    public init(address: UInt64, pitch: UInt64, slicePitch: UInt64, width: UInt64, height: UInt64, depth: UInt64) {
        self.address = address
        self.pitch = pitch
        self.slicePitch = slicePitch
        self.width = width
        self.height = height
        self.depth = depth
    }

    /// One row.
    public init(address: UInt64, byteCount: UInt64) {
        self.init(address: address, pitch: byteCount, slicePitch: byteCount, width: byteCount, height: 1, depth: 1)
    }

    public var isEmpty: Bool { width == 0 || height == 0 || depth == 0 }

    /// Bytes of all rows, densely packed; nil beyond 64 bits.
    public var byteCount: UInt64? {
        let (area, areaOverflow) = width.multipliedReportingOverflow(by: height)
        let (volume, volumeOverflow) = area.multipliedReportingOverflow(by: depth)
        return areaOverflow || volumeOverflow ? nil : volume
    }

    /// Bytes from the first byte of the box to its last; nil beyond 64 bits, or when rows or slices overlap.
    public var spanByteCount: UInt64? {
        guard !isEmpty else { return 0 }
        guard height == 1 || pitch >= width else { return nil }
        let (rows, rowsOverflow) = pitch.multipliedReportingOverflow(by: height - 1)
        let (slices, slicesOverflow) = slicePitch.multipliedReportingOverflow(by: depth - 1)
        guard depth == 1 || (!rowsOverflow && slicePitch >= width && slicePitch - width >= rows) else { return nil }
        let (partial, partialOverflow) = rows.addingReportingOverflow(slices)
        let (span, spanOverflow) = partial.addingReportingOverflow(width)
        let (_, endOverflow) = address.addingReportingOverflow(span)
        let isLost = rowsOverflow || slicesOverflow || partialOverflow || spanOverflow || endOverflow
        return isLost ? nil : span
    }

    /// The same bytes with as few rows as possible: dense rows become one.
    public var coalesced: MemoryBox {
        var box = self
        let (area, overflow) = width.multipliedReportingOverflow(by: height)
        if !overflow, height > 1, pitch == width, depth == 1 || slicePitch == area {
            box.width = area
            box.height = 1
            box.pitch = area
        }
        let (volume, volumeOverflow) = box.width.multipliedReportingOverflow(by: depth)
        if !volumeOverflow, box.height == 1, depth > 1, slicePitch == box.width {
            box.width = volume
            box.pitch = volume
            box.slicePitch = volume
            box.depth = 1
        }
        return box
    }
}
