internal import CCompression

/// Unpacks what fatbins compress, into at most `limit` bytes.
enum Decompression {
    /// An LZ4 block can't expand by more than this factor.
    private static let lz4Ratio = 255

    /// Unpacks a raw LZ4 block; the recorded size may be too small, so it is only where the search for room starts.
    static func lz4(
        _ block: ArraySlice<UInt8>, recordedByteCount: UInt64, limit: Int
    ) throws(DeviceImageError) -> [UInt8] {
        guard block.count <= Int(Int32.max) else { throw .tooLarge(limit) }
        let most = min(limit, block.count * lz4Ratio + 64, Int(Int32.max))
        var capacity = min(most, max(4096, Int(clamping: recordedByteCount)))
        while true {
            if let bytes = lz4(block, capacity: capacity) { return bytes }
            guard capacity < most else { break }
            capacity = min(most, capacity * 2)
        }
        if most == limit { throw .tooLarge(limit) }
        throw DeviceImageError(.corrupt, "an LZ4 block of the fatbin is damaged")
    }

    private static func lz4(_ block: ArraySlice<UInt8>, capacity: Int) -> [UInt8]? {
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
            let written = block.withUnsafeBytes { input in
                LZ4_decompress_safe(
                    input.baseAddress?.assumingMemoryBound(to: CChar.self),
                    UnsafeMutableRawPointer(output.baseAddress)?.assumingMemoryBound(to: CChar.self),
                    Int32(truncatingIfNeeded: input.count), Int32(truncatingIfNeeded: capacity))
            }
            isWhole = written >= 0
            count = max(0, Int(written))
        }
        return isWhole ? bytes : nil
    }

    /// Unpacks Zstandard frames, in pieces, so that memory follows what they hold and not what they announce.
    static func zstd(_ frames: ArraySlice<UInt8>, limit: Int) throws(DeviceImageError) -> [UInt8] {
        guard let stream = ZSTD_createDStream() else { throw DeviceImageError(.limit, "no memory to unpack a fatbin") }
        defer { ZSTD_freeDStream(stream) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: ZSTD_DStreamOutSize())
        var position = 0
        var rest = 1
        while true {
            let step = frames.withUnsafeBytes { source in
                piece.withUnsafeMutableBytes { target in
                    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: position)
                    var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    rest = ZSTD_decompressStream(stream, &output, &input)
                    return (consumed: input.pos, produced: output.pos)
                }
            }
            guard ZSTD_isError(rest) == 0 else {
                throw DeviceImageError(.corrupt, "a Zstandard frame of the fatbin is damaged")
            }
            guard step.produced <= limit - bytes.count else { throw .tooLarge(limit) }
            bytes += piece[..<step.produced]
            let isStuck = step.consumed == position && step.produced == 0
            position = step.consumed
            if rest == 0, !startsFrame(frames.dropFirst(position)) { return bytes }
            if isStuck || (rest != 0 && position == frames.count && step.produced < piece.count) {
                throw DeviceImageError(.corrupt, "a Zstandard frame of the fatbin ends early")
            }
        }
    }

    private static func startsFrame(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.prefix(4).elementsEqual([0x28, 0xB5, 0x2F, 0xFD])
    }
}

extension DeviceImageError {
    static func tooLarge(_ limit: Int) -> DeviceImageError {
        DeviceImageError(.limit, "the image would unpack to more than \(limit) bytes")
    }
}
