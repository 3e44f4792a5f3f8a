/// What the bytes of `cuModuleLoadData` or `cuLibraryLoadData` are.
public enum DeviceImage: Sendable {
    /// PTX text, without zero bytes at its end.
    case ptx([UInt8])
    /// Machine code for `sm_NN` alone.
    case cubin(arch: Int)
    case fatbin(FatbinReader)
    case linkBundle(LinkBundle)
    case unknown

    /// Looks at the first bytes, and lists what a container holds.
    public init(identifying bytes: [UInt8]) throws(DeviceImageError) {
        let image = ImageBytes(bytes: bytes)
        if image.load(0, as: UInt32.self) == FatbinReader.magic {
            self = .fatbin(try FatbinReader(bytes))
        } else if LinkBundle.matches(bytes) {
            self = .linkBundle(try LinkBundle(decoding: bytes))
        } else if let arch = Self.cubinArch(image) {
            self = .cubin(arch: arch)
        } else if Self.startsPTX(bytes) {
            let end = bytes.firstIndex(of: 0) ?? bytes.count
            self = .ptx(Array(bytes[..<end]))
        } else {
            self = .unknown
        }
    }

    /// The `NN` of `sm_NN` in the header of a cubin, or nil where the bytes are no cubin.
    private static func cubinArch(_ image: ImageBytes) -> Int? {
        guard image.load(0, as: UInt32.self) == 0x464C_457F, image.load(18, as: UInt16.self) == 190,
            let abi = image.load(7, as: UInt8.self), let flags = image.load(48, as: UInt32.self)
        else { return nil }
        // The newer ABI (OSABI 0x41) keeps the number one byte higher.
        return Int(abi == 0x41 ? flags >> 8 & 0xff : flags & 0xff)
    }

    /// Whether `.version` is the first thing behind space and comments.
    private static func startsPTX(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while let first = rest.first {
            if first == 0x20 || (first >= 9 && first <= 13) {
                rest = rest.dropFirst()
            } else if rest.starts(with: [UInt8(ascii: "/"), UInt8(ascii: "/")]) {
                rest = rest.drop { $0 != UInt8(ascii: "\n") }
            } else if rest.starts(with: [UInt8(ascii: "/"), UInt8(ascii: "*")]) {
                guard let end = commentEnd(rest.dropFirst(2)) else { return false }
                rest = rest[end...]
            } else {
                return rest.starts(with: Array(".version".utf8))
            }
        }
        return false
    }

    private static func commentEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        var index = bytes.startIndex
        while index + 1 < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "*"), bytes[index + 1] == UInt8(ascii: "/") { return index + 2 }
            index += 1
        }
        return nil
    }
}
