import Foundation

@testable import DeviceImages

/// Fatbins, cubins and texts built by hand, and the ones that `fatbinary` made.
enum ImageFixtures {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/fatbin")

    static func file(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    /// One entry for ``fatbin(_:)``.
    struct Entry {
        var kind: UInt16
        var arch: UInt32
        var flags: UInt64 = 0x11
        var payload: [UInt8]
        /// Given for a compressed payload.
        var unpackedByteCount: UInt64 = 0
        var isCompressed = false
        var name = ""
    }

    static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        (0..<MemoryLayout<T>.size).map { UInt8(truncatingIfNeeded: value >> T($0 * 8)) }
    }

    static func fatbin(_ entries: [Entry]) -> [UInt8] {
        let files = entries.flatMap(bytes)
        let header = little(UInt32(0xBA55_ED50)) + little(UInt16(1)) + little(UInt16(16))
        return header + little(UInt64(files.count)) + files
    }

    private static func bytes(_ entry: Entry) -> [UInt8] {
        let name = Array(entry.name.utf8)
        let headerSize = (64 + name.count + 7) / 8 * 8
        let padded = (entry.payload.count + 7) / 8 * 8
        var bytes = little(entry.kind) + little(UInt16(0x0101)) + little(UInt32(headerSize)) + little(UInt64(padded))
        bytes += little(entry.isCompressed ? UInt32(entry.payload.count) : 0) + little(UInt32(0))
        bytes += little(UInt16(5)) + little(UInt16(8)) + little(entry.arch)
        bytes += little(UInt32(name.isEmpty ? 0 : 64)) + little(UInt32(name.count)) + little(entry.flags)
        bytes += little(UInt64(0)) + little(entry.unpackedByteCount) + name
        bytes += [UInt8](repeating: 0, count: headerSize - 64 - name.count) + entry.payload
        return bytes + [UInt8](repeating: 0, count: padded - entry.payload.count)
    }

    static let text = Array(".version 8.5\n.target sm_80\n.address_size 64\n".utf8)

    /// An LZ4 block of `text`, then `repeats` bytes `a` as one long match, then 5 literals, as the format demands.
    static func lz4(repeats: Int) -> [UInt8] {
        let literals = text + [UInt8(ascii: "a")]
        var block = [UInt8(0xFF)] + length(literals.count - 15) + literals + [1, 0]
        block += length(repeats - 4 - 15)
        return block + [0x50] + Array("aaaaa".utf8)
    }

    private static func length(_ count: Int) -> [UInt8] {
        [UInt8](repeating: 255, count: count / 255) + [UInt8(count % 255)]
    }

    /// A Zstandard frame without a recorded size: one raw block, then one that repeats `a`.
    static func zstd(repeats: Int) -> [UInt8] {
        let raw = UInt32(text.count) << 3
        let repeated = UInt32(repeats) << 3 | 1 << 1 | 1
        return [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58] + little(raw).prefix(3) + text + little(repeated).prefix(3)
            + [UInt8(ascii: "a")]
    }

    static func cubin(osABI: UInt8, flags: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64)
        bytes.replaceSubrange(0..<8, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, osABI])
        bytes.replaceSubrange(18..<20, with: little(UInt16(190)))
        bytes.replaceSubrange(48..<52, with: little(flags))
        return bytes
    }

    static func error(_ work: () throws(DeviceImageError) -> Void) -> DeviceImageError? {
        do throws(DeviceImageError) {
            try work()
            return nil
        } catch {
            return error
        }
    }

    static func select(
        _ bytes: [UInt8], byteLimit: Int = FatbinReader.defaultByteLimit
    ) throws(DeviceImageError) -> [SelectedPTX] {
        try DeviceImage(identifying: bytes).selectPTX(byteLimit: byteLimit)
    }
}
