internal import CPosix
internal import ClientRuntime

/// Finds out how long a module image is: the loading functions get no length.
enum ImageLength {
    static let wrapperMagic: UInt32 = 0x4662_43B1
    static let fatbinMagic: UInt32 = 0xBA55_ED50
    static let elfMagic: UInt32 = 0x464C_457F
    /// No image is longer than this; a header that says so is not believed.
    private static let byteCountMax: UInt64 = 4 << 30

    /// The image behind a pointer that a program passes; nil when it is none.
    static func image(at pointer: UnsafeRawPointer) -> UnsafeRawBufferPointer? {
        let first = pointer.loadUnaligned(as: UInt32.self)
        switch first {
        case wrapperMagic: return wrapped(pointer)
        case fatbinMagic: return sized(pointer, fatbin(pointer))
        case elfMagic: return sized(pointer, elf(pointer))
        default:
            if LinkBundle.isBundle(pointer) { return sized(pointer, LinkBundle.byteCount(at: pointer)) }
            guard isText(pointer) else { return nil }
            let text = pointer.assumingMemoryBound(to: CChar.self)
            return sized(pointer, UInt64(Environment.length(of: text)))
        }
    }

    private static func sized(_ pointer: UnsafeRawPointer, _ byteCount: UInt64?) -> UnsafeRawBufferPointer? {
        guard let byteCount, byteCount > 0, byteCount <= byteCountMax else { return nil }
        return UnsafeRawBufferPointer(start: pointer, count: Int(byteCount))
    }

    /// Device code as text begins with a directive or a comment, perhaps after spaces.
    private static func isText(_ pointer: UnsafeRawPointer) -> Bool {
        var index = 0
        while index < 4096 {
            let byte = pointer.load(fromByteOffset: index, as: UInt8.self)
            switch byte {
            case 9, 10, 13, 32: index &+= 1
            case UInt8(ascii: "."), UInt8(ascii: "/"): return true
            default: return false
            }
        }
        return false
    }

    /// The wrapper that compilers put around the images of a program.
    private static func wrapped(_ pointer: UnsafeRawPointer) -> UnsafeRawBufferPointer? {
        let version = pointer.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        guard version == 1 || version == 2 else { return nil }
        let bits = pointer.loadUnaligned(fromByteOffset: 8, as: UInt.self)
        guard let inner = UnsafeRawPointer(bitPattern: bits) else { return nil }
        // Never another wrapper: a chain without an end would be a trap.
        guard inner.loadUnaligned(as: UInt32.self) != wrapperMagic, let image = image(at: inner) else { return nil }
        let last = pointer.loadUnaligned(fromByteOffset: 16, as: UInt.self)
        guard version == 2, inner.loadUnaligned(as: UInt32.self) == fatbinMagic,
            let list = UnsafeRawPointer(bitPattern: last)
        else { return image }
        return PrelinkedImage.bundle(linked: image, list: list) ?? image
    }

    private static func fatbin(_ pointer: UnsafeRawPointer) -> UInt64? {
        let headerByteCount = UInt64(pointer.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
        let filesByteCount = pointer.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        guard headerByteCount >= 16, filesByteCount <= byteCountMax else { return nil }
        return headerByteCount &+ filesByteCount
    }

    /// An object file ends with its section table or, in cubins, with its program header table.
    private static func elf(_ pointer: UnsafeRawPointer) -> UInt64? {
        // 64-bit, little endian.
        guard pointer.load(fromByteOffset: 4, as: UInt8.self) == 2,
            pointer.load(fromByteOffset: 5, as: UInt8.self) == 1
        else { return nil }
        let programOffset = pointer.loadUnaligned(fromByteOffset: 32, as: UInt64.self)
        let sectionOffset = pointer.loadUnaligned(fromByteOffset: 40, as: UInt64.self)
        let programEntry = UInt64(pointer.loadUnaligned(fromByteOffset: 54, as: UInt16.self))
        let programCount = UInt64(pointer.loadUnaligned(fromByteOffset: 56, as: UInt16.self))
        let sectionEntry = UInt64(pointer.loadUnaligned(fromByteOffset: 58, as: UInt16.self))
        let sectionCount = UInt64(pointer.loadUnaligned(fromByteOffset: 60, as: UInt16.self))
        guard programOffset <= byteCountMax, sectionOffset <= byteCountMax else { return nil }
        let programEnd = programOffset &+ programEntry &* programCount
        let sectionEnd = sectionOffset &+ sectionEntry &* sectionCount
        return max(64, max(programEnd, sectionEnd))
    }
}

/// What the linker hands out instead of a cubin: all inputs, one after the other, to be linked where they run.
///
/// Layout, little endian: the magic, u32 count, u32 limit of registers (0: none); then for each input u32 kind, u32
/// name length, u64 content length, the name, the content; name and content are padded to 8 bytes each.
enum LinkBundle {
    static let magic: UInt64 = 0x314B_4E49_4C54_5352  // "RSTLINK1"
    private static let inputCountMax: UInt32 = 1 << 16

    static func isBundle(_ pointer: UnsafeRawPointer) -> Bool {
        // Four bytes at a time: a shorter text may end right at the end of a page.
        pointer.loadUnaligned(as: UInt32.self) == UInt32(truncatingIfNeeded: magic)
            && pointer.loadUnaligned(fromByteOffset: 4, as: UInt32.self) == UInt32(truncatingIfNeeded: magic >> 32)
    }

    static func byteCount(at pointer: UnsafeRawPointer) -> UInt64? {
        let count = pointer.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        guard count <= inputCountMax else { return nil }
        var offset = 16
        for _ in 0..<count {
            let nameByteCount = Int(pointer.loadUnaligned(fromByteOffset: offset &+ 4, as: UInt32.self))
            let contentByteCount = pointer.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
            guard contentByteCount <= 4 << 30, nameByteCount <= 1 << 20 else { return nil }
            offset &+= 16 &+ (nameByteCount &+ 7) & ~7 &+ (Int(contentByteCount) &+ 7) & ~7
        }
        return UInt64(offset)
    }

    /// One input of a link.
    struct Input {
        var kind: UInt32
        var name: [UInt8]
        var content: [UInt8]
    }

    /// The limit of registers that a bundle was linked with; 0 for other images.
    static func registerLimit(_ image: UnsafeRawBufferPointer) -> UInt32 {
        guard image.count >= 16, let start = image.baseAddress, isBundle(start) else { return 0 }
        return start.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
    }

    static func encode(_ inputs: [Input], registerLimit: UInt32 = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        append(magic, to: &bytes)
        append(UInt32(truncatingIfNeeded: inputs.count), to: &bytes)
        append(registerLimit, to: &bytes)
        for input in inputs {
            append(input.kind, to: &bytes)
            append(UInt32(truncatingIfNeeded: input.name.count), to: &bytes)
            append(UInt64(input.content.count), to: &bytes)
            appendPadded(input.name, to: &bytes)
            appendPadded(input.content, to: &bytes)
        }
        return bytes
    }

    private static func append<Value: FixedWidthInteger>(_ value: Value, to bytes: inout [UInt8]) {
        for index in 0..<MemoryLayout<Value>.size {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(index &* 8)))
        }
    }

    private static func appendPadded(_ content: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(contentsOf: content)
        while bytes.count & 7 != 0 { bytes.append(0) }
    }
}
