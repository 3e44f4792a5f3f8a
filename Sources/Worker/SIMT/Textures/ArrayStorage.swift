import Glibc
public import Primitives

// SAFETY: the memory is owned, mapped once and unmapped at the end; its contents are shared by design, as device
// memory is.
/// The texels of an array: levels of rows without gaps, one after the other, in memory that costs nothing until it is
/// touched.
public final class ArrayStorage: @unchecked Sendable {
    /// One level of an array.
    public struct Level {
        public var start: UnsafeMutableRawPointer
        /// Texels; none of them 0.
        public var width: Int
        public var height: Int
        public var depth: Int
        /// Bytes.
        public var pitch: Int
        public var slicePitch: Int
    }

    public let shape: ArrayShape
    public let texel: TexelFormat
    private let levels: [Level]
    private let start: UnsafeMutableRawPointer
    private let byteCount: Int

    /// Nil for a shape that is not valid, and when the host has no memory.
    public init?(_ shape: ArrayShape) {
        guard shape.isValid, let texel = shape.texel, shape.byteCount > 0, shape.byteCount < 1 << 46 else { return nil }
        byteCount = Int(shape.byteCount)
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED else {
            return nil
        }
        var levels: [Level] = []
        var offset = 0
        for level in 0..<shape.levelCount {
            let size = shape.extent(level: level)
            let pitch = Int(size.width) * texel.byteCount
            levels.append(
                Level(
                    start: start + offset, width: Int(size.width), height: Int(size.height), depth: Int(size.depth),
                    pitch: pitch, slicePitch: pitch * Int(size.height)))
            offset += (Int(shape.byteCount(level: level)) + 511) & ~511
        }
        self.shape = shape
        self.texel = texel
        self.levels = levels
        self.start = start
    }

    deinit {
        munmap(start, byteCount)
    }

    /// A level; the caller knows that there is one.
    public func level(_ index: Int) -> Level { levels[index] }
}
