/// One entry of a fatbin: the same kernels in one form for one architecture.
public struct FatbinEntry: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case ptx
        /// Machine code for one architecture.
        case cubin
        /// Anything else (LTO-IR, tile IR, …), with its number.
        case other(UInt16)
    }

    public enum Compression: Sendable, Equatable {
        case none, lz4, zstd
        /// Compressed in a way that the reader does not know.
        case unknown
    }

    public var kind: Kind
    /// The `NN` of `sm_NN` or `compute_NN`.
    public var arch: Int
    /// PTX or cubin version of the entry.
    public var majorVersion: Int
    public var minorVersion: Int
    /// The raw flags word.
    public var flags: UInt64
    public var compression: Compression
    /// Where the stored bytes lie in the fatbin.
    public var payload: Range<Int>
    /// Where the entry lies in the unpacked payload that it shares with other entries; nil if it shares none.
    public var part: Range<Int>?
    /// Bytes after decompression as recorded; LZ4 entries may hold more. 0 where nothing is recorded.
    public var recordedByteCount: UInt64
    /// The name of the source, empty where none is recorded.
    public var objectName: [UInt8]
}

/// A bare fatbin (header `0xBA55ED50`): lists its entries and unpacks them.
public struct FatbinReader: Sendable {
    public static let magic: UInt32 = 0xBA55_ED50
    /// Bytes that one entry may unpack to by default: 256 MiB.
    public static let defaultByteLimit = 256 << 20

    public let entries: [FatbinEntry]
    private let bytes: [UInt8]

    private static let headerByteCount = 16
    private static let fixedEntryByteCount = 64
    private static let entryLimit = 4096
    /// The kind of an entry that compresses several others together (`fatbinary --concat`).
    private static let groupKind: UInt16 = 0x100
    private static let nameLimit: UInt32 = 4096

    /// Reads the header and lists the entries; their payloads are not touched.
    public init(_ bytes: [UInt8]) throws(DeviceImageError) {
        let image = ImageBytes(bytes: bytes)
        guard image.load(0, as: UInt32.self) == Self.magic, let version = image.load(4, as: UInt16.self),
            let headerSize = image.load(6, as: UInt16.self), let filesSize = image.load(8, as: UInt64.self)
        else { throw DeviceImageError(.corrupt, "the fatbin ends within its header") }
        guard version == 1 else {
            throw DeviceImageError(.unsupported, "the fatbin has version \(version), only 1 is known")
        }
        guard headerSize >= Self.headerByteCount, let files = image.range(Int(headerSize), filesSize) else {
            throw DeviceImageError(
                .corrupt, "the fatbin announces \(filesSize) bytes of entries, but has only \(bytes.count) in all")
        }
        self.bytes = bytes
        var entries: [FatbinEntry] = []
        var offset = files.lowerBound
        while files.upperBound - offset >= Self.fixedEntryByteCount {
            guard entries.count < Self.entryLimit else {
                throw DeviceImageError(.limit, "the fatbin has more than \(Self.entryLimit) entries")
            }
            guard let (entry, next) = Self.entry(image, at: offset, end: files.upperBound) else {
                throw DeviceImageError(.corrupt, "entry \(entries.count) of the fatbin leaves the fatbin")
            }
            if entry.kind == .other(Self.groupKind) {
                entries += try Self.parts(of: entry, image, at: offset)
            } else {
                entries.append(entry)
            }
            offset = next
        }
        self.entries = entries
    }

    private static func entry(_ image: ImageBytes, at offset: Int, end: Int) -> (FatbinEntry, next: Int)? {
        guard let kind = image.load(offset, as: UInt16.self),
            let headerSize = image.load(offset + 4, as: UInt32.self), headerSize >= fixedEntryByteCount,
            let header = image.range(offset, UInt64(headerSize)),
            let paddedSize = image.load(offset + 8, as: UInt64.self),
            let compressedSize = image.load(offset + 16, as: UInt32.self),
            let minor = image.load(offset + 24, as: UInt16.self), let major = image.load(offset + 26, as: UInt16.self),
            let arch = image.load(offset + 28, as: UInt32.self), let flags = image.load(offset + 40, as: UInt64.self),
            let recorded = image.load(offset + 56, as: UInt64.self),
            let stored = max(paddedSize, UInt64(compressedSize)).paddedToEight,
            let whole = image.range(header.upperBound, min(stored, UInt64(max(0, end - header.upperBound)))),
            let payload = image.range(header.upperBound, compressedSize > 0 ? UInt64(compressedSize) : paddedSize),
            payload.upperBound <= end
        else { return nil }
        let compression: FatbinEntry.Compression
        switch (compressedSize > 0, flags & 0x2000 != 0, flags & 0x8000 != 0) {
        case (false, _, _): compression = .none
        case (true, true, false): compression = .lz4
        case (true, false, true): compression = .zstd
        default: compression = .unknown
        }
        let entry = FatbinEntry(
            kind: FatbinEntry.Kind(kind), arch: Int(arch), majorVersion: Int(major), minorVersion: Int(minor),
            flags: flags, compression: compression, payload: payload, part: nil, recordedByteCount: recorded,
            objectName: name(image, at: offset))
        return (entry, whole.upperBound)
    }

    /// The entries that a group compresses together: behind its fixed part stand their number, the size of the table,
    /// and a header for each, which has the offset in the unpacked bytes where others have the size of the header.
    private static func parts(
        of group: FatbinEntry, _ image: ImageBytes, at offset: Int
    ) throws(DeviceImageError) -> [FatbinEntry] {
        let corrupt = DeviceImageError(.corrupt, "the table of a compressed group leaves the fatbin")
        let table = offset + fixedEntryByteCount
        guard let count = image.load(table, as: UInt32.self), let size = image.load(table + 4, as: UInt32.self),
            count > 0, count <= entryLimit, size >= 8, let range = image.range(table, UInt64(size)),
            range.upperBound <= group.payload.lowerBound
        else { throw corrupt }
        let stride = (Int(size) - 8) / Int(count)
        guard stride >= fixedEntryByteCount else { throw corrupt }
        var entries: [FatbinEntry] = []
        for index in 0..<Int(count) {
            let header = table + 8 + index * stride
            guard let kind = image.load(header, as: UInt16.self), let start = image.load(header + 4, as: UInt32.self),
                let byteCount = image.load(header + 8, as: UInt64.self), byteCount <= UInt64(Int32.max),
                let minor = image.load(header + 24, as: UInt16.self),
                let major = image.load(header + 26, as: UInt16.self),
                let arch = image.load(header + 28, as: UInt32.self)
            else { throw corrupt }
            var entry = group
            entry.kind = FatbinEntry.Kind(kind)
            entry.part = Int(start)..<(Int(start) + Int(byteCount))
            (entry.arch, entry.majorVersion, entry.minorVersion) = (Int(arch), Int(major), Int(minor))
            entries.append(entry)
        }
        return entries
    }

    private static func name(_ image: ImageBytes, at offset: Int) -> [UInt8] {
        guard let start = image.load(offset + 32, as: UInt32.self), start >= fixedEntryByteCount,
            let count = image.load(offset + 36, as: UInt32.self), count <= nameLimit,
            let range = image.range(offset + Int(start), UInt64(count))
        else { return [] }
        return Array(image.bytes[range].prefix { $0 != 0 })
    }

    /// The entry's bytes, decompressed; for PTX without the zero bytes that pad it.
    public func contents(
        of entry: FatbinEntry, byteLimit: Int = FatbinReader.defaultByteLimit
    ) throws(DeviceImageError) -> [UInt8] {
        guard entry.payload.lowerBound >= 0, entry.payload.upperBound <= bytes.count else {
            throw DeviceImageError(.corrupt, "the entry is not one of this fatbin")
        }
        let stored = bytes[entry.payload]
        var contents: [UInt8]
        switch entry.compression {
        case .none:
            guard stored.count <= byteLimit else { throw .tooLarge(byteLimit) }
            contents = Array(stored)
        case .lz4:
            contents = try Decompression.lz4(stored, recordedByteCount: entry.recordedByteCount, limit: byteLimit)
        case .zstd:
            contents = try Decompression.zstd(stored, limit: byteLimit)
        case .unknown:
            throw DeviceImageError(.unsupported, "the fatbin entry is compressed in an unknown way")
        }
        if let part = entry.part {
            guard part.lowerBound >= 0, part.upperBound <= contents.count else {
                throw DeviceImageError(.corrupt, "an entry leaves the unpacked bytes of its compressed group")
            }
            contents = Array(contents[part])
        }
        if entry.kind == .ptx {
            while contents.last == 0 { contents.removeLast() }
        }
        return contents
    }
}

extension FatbinEntry.Kind {
    init(_ number: UInt16) {
        switch number {
        case 1: self = .ptx
        case 2: self = .cubin
        default: self = .other(number)
        }
    }
}
