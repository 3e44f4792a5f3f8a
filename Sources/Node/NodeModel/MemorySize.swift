import Primitives

/// An amount of memory in bytes, written as `512MiB` or `4GiB`.
public struct MemorySize: Sendable, Hashable, Comparable {
    /// The step in which device memory is handed out, in bytes.
    public static let granule: UInt64 = 1 << 20

    /// The amount, in bytes.
    public var byteCount: UInt64

    /// Makes an amount out of bytes.
    public init(byteCount: UInt64) {
        self.byteCount = byteCount
    }

    /// Makes an amount out of mebibytes; too large a number becomes the largest whole one.
    public static func mebibytes(_ count: UInt64) -> MemorySize {
        MemorySize(byteCount: min(count, UInt64.max / granule) * granule)
    }

    /// Makes an amount out of gibibytes; too large a number becomes the largest whole one.
    public static func gibibytes(_ count: UInt64) -> MemorySize {
        .mebibytes(min(count, UInt64.max / granule / 1024) * 1024)
    }

    /// Whole mebibytes, rounded down.
    public var wholeMebibytes: UInt64 { byteCount / MemorySize.granule }

    /// Mebibytes, rounded up: what a request of this amount takes from a device.
    public var coveringMebibytes: UInt64 {
        wholeMebibytes + (byteCount % MemorySize.granule == 0 ? 0 : 1)
    }

    public static func < (left: MemorySize, right: MemorySize) -> Bool {
        left.byteCount < right.byteCount
    }
}

// MARK: - Text

extension MemorySize: CustomStringConvertible {
    private static let units: [(name: String, byteCount: UInt64)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
    ]

    /// The largest unit that leaves a number of at least 1, with at most one decimal.
    public var description: String {
        for unit in MemorySize.units where byteCount >= unit.byteCount {
            let whole = byteCount / unit.byteCount
            let tenths = byteCount % unit.byteCount * 10 / unit.byteCount
            return tenths == 0 ? "\(whole) \(unit.name)" : "\(whole).\(tenths) \(unit.name)"
        }
        return "\(byteCount) B"
    }

    /// Reads `4GiB`, `1.5G`, `512M`, `2GB`, `1073741824`; nil where that is no amount above zero.
    ///
    /// `K`, `M`, `G`, `T` alone count in 1024s, as people mean them for device memory; `GB` counts in 1000s. A number
    /// without a unit is bytes.
    public init?(parsing text: String) {
        guard let bytes = Bytes(text), bytes.count > 0 else { return nil }
        byteCount = bytes.count
    }
}

extension MemorySize: Codable {
    /// Reads a number of bytes.
    public init(from decoder: any Decoder) throws {
        byteCount = try decoder.singleValueContainer().decode(UInt64.self)
    }

    /// Writes a number of bytes.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(byteCount)
    }
}
