import Glibc
import Synchronization

/// Why device memory refused an operation.
public enum DeviceMemoryError: Error, Sendable, Equatable {
    /// The host gave no address space for the arena.
    case reservation
    /// The range is empty, not aligned to 512 bytes, or not wholly inside the arena.
    case invalidRange
    /// The range overlaps a live allocation.
    case overlap
    /// No live allocation starts at the address.
    case notAllocated
}

/// One session's device addresses: a reserved range of which allocations make parts live.
///
/// Host memory is committed by touch and goes back on `free`. Every access of a kernel is checked against a bitmap of
/// live 512-byte granules, so a session can neither reach another's memory nor bring the worker down.
public final class DeviceMemory: Sendable {
    /// A live range of device addresses.
    public struct Allocation: Sendable, Equatable {
        public let address: UInt64
        public let byteCount: UInt64
        /// Addresses only: what is live in it says the bitmap alone.
        public var isReserved = false
    }

    /// The unit of liveness, in bytes; also the alignment of allocations.
    public static let granuleByteCount: UInt64 = 512

    /// The first device address of the arena.
    public let baseAddress: UInt64
    /// The size of the arena in bytes.
    public let byteCount: UInt64
    // SAFETY: set once in init; the memory they point to is shared by design, as device memory is.
    nonisolated(unsafe) let host: UnsafeMutableRawPointer
    // SAFETY: words change only under `allocations`; kernels read them without a lock, and a kernel that races with
    // an allocation call sees the old or the new word, as on a device.
    nonisolated(unsafe) let granules: UnsafeMutablePointer<UInt64>
    private let allocations = Mutex<[Allocation]>([])
    /// Physical objects in reserved ranges, by address.
    let mappings = Mutex<[Mapping]>([])
    /// Pages of allocations that were moved to physical objects, in no order.
    let sharedRuns = Mutex<[Mapping]>([])

    /// Reserves `byteCount` bytes of device addresses from `baseAddress`; both are multiples of 4096.
    public init(
        baseAddress: UInt64 = 0x6000_0000_0000, byteCount: UInt64 = 1 << 40
    ) throws(DeviceMemoryError) {
        let page: UInt64 = 4096
        let isValid =
            baseAddress % page == 0 && byteCount % page == 0 && byteCount >= page && byteCount <= 1 << 46
            && baseAddress >= 1 << 36 && baseAddress <= 1 << 62
        guard isValid else { throw .invalidRange }
        self.baseAddress = baseAddress
        self.byteCount = byteCount
        let bitmapByteCount = Int(byteCount / Self.granuleByteCount / 8 + 8)
        guard let host = Self.reserve(Int(byteCount)) else { throw .reservation }
        guard let bitmap = Self.reserve(bitmapByteCount) else {
            munmap(host, Int(byteCount))
            throw .reservation
        }
        self.host = host
        granules = bitmap.bindMemory(to: UInt64.self, capacity: bitmapByteCount / 8)
    }

    deinit {
        munmap(host, Int(byteCount))
        munmap(granules, Int(byteCount / Self.granuleByteCount / 8 + 8))
    }

    private static func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let pointer = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
        return pointer == MAP_FAILED ? nil : pointer
    }

    /// Makes `byteCount` bytes from `address` live; they read as zero.
    public func allocate(address: UInt64, byteCount: UInt64) throws(DeviceMemoryError) {
        let granule = Self.granuleByteCount
        guard byteCount > 0, byteCount <= self.byteCount, address >= baseAddress, address % granule == 0 else {
            throw .invalidRange
        }
        let rounded = (byteCount + granule - 1) & ~(granule - 1)
        guard address - baseAddress <= self.byteCount - rounded else { throw .invalidRange }
        try insert(Allocation(address: address, byteCount: byteCount))
    }

    /// Notes a range that overlaps no other, and makes an allocation live.
    func insert(_ range: Allocation) throws(DeviceMemoryError) {
        let rounded = Self.rounded(range.byteCount)
        let failure = allocations.withLock { (list: inout [Allocation]) -> DeviceMemoryError? in
            let index = Self.firstIndex(in: list, notBefore: range.address)
            if index < list.count, list[index].address < range.address + rounded { return .overlap }
            if index > 0 {
                let previous = list[index - 1]
                if previous.address + Self.rounded(previous.byteCount) > range.address { return .overlap }
            }
            list.insert(range, at: index)
            if !range.isReserved { mark(address: range.address, byteCount: rounded, live: true) }
            return nil
        }
        if let failure { throw failure }
    }

    /// Forgets a reserved range.
    func remove(address: UInt64) {
        allocations.withLock { (list: inout [Allocation]) in
            let index = Self.firstIndex(in: list, notBefore: address)
            if index < list.count, list[index].address == address { list.remove(at: index) }
        }
    }

    /// Ends the allocation that starts at `address` and returns its size in bytes.
    @discardableResult
    public func free(address: UInt64) throws(DeviceMemoryError) -> UInt64 {
        let freed = allocations.withLock { (list: inout [Allocation]) -> UInt64? in
            let index = Self.firstIndex(in: list, notBefore: address)
            guard index < list.count, list[index].address == address, !list[index].isReserved else {
                return nil
            }
            let byteCount = list.remove(at: index).byteCount
            mark(address: address, byteCount: Self.rounded(byteCount), live: false)
            discard(address: address, byteCount: Self.rounded(byteCount))
            return byteCount
        }
        guard let freed else { throw .notAllocated }
        return freed
    }

    /// The live allocation that contains `address`, or nil.
    public func allocation(containing address: UInt64) -> Allocation? {
        allocations.withLock { (list: inout [Allocation]) -> Allocation? in
            let next = Self.firstIndex(in: list, notBefore: address)
            if next < list.count, list[next].address == address { return list[next] }
            guard next > 0, address - list[next - 1].address < list[next - 1].byteCount else { return nil }
            return list[next - 1]
        }
    }

    /// All live allocations, by address.
    public var liveAllocations: [Allocation] {
        allocations.withLock { (list: inout [Allocation]) in list }
    }

    /// The host memory behind a range of device addresses; nil unless it lies wholly inside live allocations.
    public func hostPointer(address: UInt64, byteCount: UInt64) -> UnsafeMutableRawPointer? {
        guard address >= baseAddress, byteCount <= self.byteCount else { return nil }
        let offset = address - baseAddress
        guard offset <= self.byteCount - byteCount, offset < self.byteCount else { return nil }
        let last = (offset + (byteCount == 0 ? 0 : byteCount - 1)) / Self.granuleByteCount
        guard isLive(offset / Self.granuleByteCount, through: last) else { return nil }
        return host + Int(offset)
    }

    private func isLive(_ first: UInt64, through last: UInt64) -> Bool {
        var granule = first
        while granule <= last {
            let word = granules[Int(granule >> 6)]
            if granule & 63 == 0, last - granule >= 63 {
                if word != ~0 { return false }
                granule += 64
            } else {
                if (word >> (granule & 63)) & 1 == 0 { return false }
                granule += 1
            }
        }
        return true
    }

    func mark(address: UInt64, byteCount: UInt64, live: Bool) {
        var granule = (address - baseAddress) / Self.granuleByteCount
        let end = granule + byteCount / Self.granuleByteCount
        while granule < end {
            let bit = granule & 63
            let count = min(64 - bit, end - granule)
            let mask = (count == 64 ? ~0 : (UInt64(1) << count) - 1) << bit
            let word = granules + Int(granule >> 6)
            word.pointee = live ? word.pointee | mask : word.pointee & ~mask
            granule += count
        }
    }

    /// Gives whole pages back and clears the parts of pages that live neighbours share.
    private func discard(address: UInt64, byteCount: UInt64) {
        let start = address - baseAddress
        let end = start + byteCount
        let bytes = UnsafeMutableRawPointer(granules).assumingMemoryBound(to: UInt8.self)
        var first = start & ~4095
        var last = (end + 4095) & ~4095
        if first < start, bytes[Int(first >> 12)] != 0 {
            let edge = min(end, first + 4096)
            memset(host + Int(start), 0, Int(edge - start))
            first += 4096
        }
        if last > end, last > first, bytes[Int((last - 1) >> 12)] != 0 {
            let edge = max(start, last - 4096)
            memset(host + Int(edge), 0, Int(end - edge))
            last -= 4096
        }
        guard last > first else { return }
        unshare(from: baseAddress + first, to: baseAddress + last)
        madvise(host + Int(first), Int(last - first), MADV_DONTNEED)
    }

    static func rounded(_ byteCount: UInt64) -> UInt64 {
        (byteCount + granuleByteCount - 1) & ~(granuleByteCount - 1)
    }

    private static func firstIndex(in list: [Allocation], notBefore address: UInt64) -> Int {
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle].address < address { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
