import Synchronization

/// The heap that `malloc` and `free` of kernels use: a range of live device memory, its lists kept by the host.
public final class KernelHeap: Sendable {
    /// What CUDA gives by default (CU_LIMIT_MALLOC_HEAP_SIZE), in bytes.
    public static let defaultByteCount: UInt64 = 8 << 20

    private struct Lists {
        /// Free ranges by address, never adjacent.
        var free: [(address: UInt64, byteCount: UInt64)]
        var used: [UInt64: UInt64] = [:]
    }

    private let lists: Mutex<Lists>

    /// Makes a heap of `byteCount` bytes of live device memory at `address`.
    public init(address: UInt64, byteCount: UInt64) {
        lists = Mutex(Lists(free: [(address, byteCount)]))
    }

    /// A block of at least `byteCount` bytes, aligned to 16; 0 when there is none.
    func allocate(_ byteCount: UInt64) -> UInt64 {
        guard byteCount > 0, byteCount < 1 << 40 else { return 0 }
        let size = (byteCount + 15) & ~15
        return lists.withLock { (lists: inout Lists) -> UInt64 in
            guard let index = lists.free.firstIndex(where: { $0.byteCount >= size }) else { return 0 }
            let address = lists.free[index].address
            if lists.free[index].byteCount == size {
                lists.free.remove(at: index)
            } else {
                lists.free[index].address += size
                lists.free[index].byteCount -= size
            }
            lists.used[address] = size
            return address
        }
    }

    /// Returns a block; false when `address` is none.
    func free(_ address: UInt64) -> Bool {
        lists.withLock { (lists: inout Lists) -> Bool in
            guard let size = lists.used.removeValue(forKey: address) else { return false }
            let index = lists.free.firstIndex { $0.address > address } ?? lists.free.count
            lists.free.insert((address, size), at: index)
            if index + 1 < lists.free.count, address + size == lists.free[index + 1].address {
                lists.free[index].byteCount += lists.free.remove(at: index + 1).byteCount
            }
            if index > 0, lists.free[index - 1].address + lists.free[index - 1].byteCount == address {
                lists.free[index - 1].byteCount += lists.free.remove(at: index).byteCount
            }
            return true
        }
    }
}
