import CPosix
import Synchronization

/// The host memory behind physical objects: one file in memory for all of a worker's clients.
///
/// The file is sparse and never grows together: an object takes its range of offsets, and punches a hole when it goes,
/// so that memory is only used where something was written, and the next owner of the range reads zeros.
public final class PhysicalStore: Sendable {
    let descriptor: Int32
    /// Free ranges of offsets, sorted, never adjacent.
    private let free: Mutex<[Range<UInt64>]>

    private static let byteCount: UInt64 = 1 << 46
    /// What objects are made of, in bytes.
    public static let pageByteCount: UInt64 = 4096

    /// Makes the file; nil when the host refuses.
    public init?() {
        let descriptor = posix_memory_file("roost-physical", Self.byteCount)
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
        free = Mutex([0..<Self.byteCount])
    }

    deinit { _ = posix_close(descriptor) }

    /// Takes `byteCount` bytes, rounded up to pages, that read as zeros; nil when there is no such range.
    public func make(byteCount: UInt64) -> PhysicalMemory? {
        guard byteCount > 0, byteCount <= Self.byteCount else { return nil }
        let rounded = (byteCount + Self.pageByteCount - 1) & ~(Self.pageByteCount - 1)
        let offset = free.withLock { free -> UInt64? in
            guard let index = free.firstIndex(where: { $0.upperBound - $0.lowerBound >= rounded }) else { return nil }
            let offset = free[index].lowerBound
            if free[index].upperBound == offset + rounded {
                free.remove(at: index)
            } else {
                free[index] = (offset + rounded)..<free[index].upperBound
            }
            return offset
        }
        return offset.map { PhysicalMemory(store: self, offset: $0, byteCount: rounded) }
    }

    fileprivate func release(_ offset: UInt64, _ byteCount: UInt64) {
        // A range that can't be emptied is not given out again: its bytes are its old owner's.
        guard posix_memory_file_discard(descriptor, offset, byteCount) == 0 else { return }
        free.withLock { free in
            var range = offset..<(offset + byteCount)
            let index = free.firstIndex { $0.lowerBound > offset } ?? free.count
            if index < free.count, free[index].lowerBound == range.upperBound {
                range = range.lowerBound..<free.remove(at: index).upperBound
            }
            if index > 0, free[index - 1].upperBound == range.lowerBound {
                free[index - 1] = free[index - 1].lowerBound..<range.upperBound
            } else {
                free.insert(range, at: index)
            }
        }
    }
}

/// Memory without a device address. It lives as long as somebody holds it; mappings do.
public final class PhysicalMemory: Sendable {
    let store: PhysicalStore
    let offset: UInt64
    /// Whole pages.
    public let byteCount: UInt64

    fileprivate init(store: PhysicalStore, offset: UInt64, byteCount: UInt64) {
        self.store = store
        self.offset = offset
        self.byteCount = byteCount
    }

    deinit { store.release(offset, byteCount) }
}
