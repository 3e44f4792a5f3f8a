import WireProtocol

/// Places module globals in the range of device addresses that no client picks from.
struct ModuleArena {
    private let start: UInt64
    private let end: UInt64
    /// Ascending, disjoint.
    private var ranges: [Range<UInt64>] = []

    init(arena: DeviceArena) {
        start = arena.base + arena.moduleOffset
        end = arena.base + arena.hostVisibleOffset
    }

    /// Whether an address lies in the range, so that clients may not allocate there.
    func contains(_ address: UInt64, byteCount: UInt64) -> Bool {
        address < end && byteCount > 0 && (address >= start || byteCount > start - address)
    }

    /// The first free place; nil if there is none.
    mutating func place(byteCount: UInt64, alignment: UInt64) -> UInt64? {
        let alignment = max(alignment, DeviceArena.alignment)
        guard byteCount > 0, byteCount <= end - start, alignment <= 1 << 30, alignment.nonzeroBitCount == 1 else {
            return nil
        }
        let size = (byteCount + DeviceArena.alignment - 1) & ~(DeviceArena.alignment - 1)
        var candidate = (start + alignment - 1) & ~(alignment - 1)
        for (index, range) in ranges.enumerated() {
            if range.lowerBound >= candidate, range.lowerBound - candidate >= size {
                ranges.insert(candidate..<(candidate + size), at: index)
                return candidate
            }
            candidate = max(candidate, (range.upperBound + alignment - 1) & ~(alignment - 1))
        }
        guard candidate <= end, end - candidate >= size else { return nil }
        ranges.append(candidate..<(candidate + size))
        return candidate
    }

    /// Gives a place back.
    mutating func remove(_ address: UInt64) {
        if let index = ranges.firstIndex(where: { $0.lowerBound == address }) { ranges.remove(at: index) }
    }
}
