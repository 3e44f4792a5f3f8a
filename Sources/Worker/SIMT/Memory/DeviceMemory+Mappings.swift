import CPosix
import Synchronization

// Virtual memory management: ranges of addresses, physical objects mapped in them, and the right to touch them. A
// mapping lies at its place in the arena's host memory, so that kernels reach it as they reach all other memory.
extension DeviceMemory {
    /// A physical object, or a part of it, at device addresses.
    struct Mapping {
        let address: UInt64
        let byteCount: UInt64
        let memory: PhysicalMemory
        let offset: UInt64

        var end: UInt64 { address + byteCount }
    }

    /// Takes a range of addresses out of use, without memory behind it.
    public func reserve(address: UInt64, byteCount: UInt64) throws(DeviceMemoryError) {
        guard isPaged(address, byteCount) else { throw .invalidRange }
        try insert(Allocation(address: address, byteCount: byteCount, isReserved: true))
    }

    /// Ends a reservation in which nothing is mapped.
    public func unreserve(address: UInt64) throws(DeviceMemoryError) {
        guard let range = allocation(containing: address), range.address == address, range.isReserved else {
            throw .notAllocated
        }
        let isEmpty = mappings.withLock { list in
            let index = Self.firstIndex(in: list, notBefore: address)
            return index == list.count || list[index].address >= address + range.byteCount
        }
        guard isEmpty else { throw .overlap }
        remove(address: address)
    }

    /// Whether an address was reserved without memory.
    public func isReserved(_ address: UInt64) -> Bool { allocation(containing: address)?.isReserved ?? false }

    /// Maps a part of an object at reserved addresses; nothing may touch it before access is allowed.
    public func map(
        _ memory: PhysicalMemory, offset: UInt64, address: UInt64, byteCount: UInt64
    ) throws(DeviceMemoryError) {
        let page = PhysicalStore.pageByteCount
        guard isPaged(address, byteCount), offset % page == 0, offset <= memory.byteCount,
            byteCount <= memory.byteCount - offset, let range = allocation(containing: address), range.isReserved,
            byteCount <= range.byteCount - (address - range.address)
        else { throw .invalidRange }
        let mapping = Mapping(address: address, byteCount: byteCount, memory: memory, offset: offset)
        let failure = mappings.withLock { list -> DeviceMemoryError? in
            let index = Self.firstIndex(in: list, notBefore: address)
            if index < list.count, list[index].address < mapping.end { return .overlap }
            if index > 0, list[index - 1].end > address { return .overlap }
            let result = posix_map_file_at(
                host + Int(address - baseAddress), memory.store.descriptor, Int(byteCount), memory.offset + offset,
                true,
                true)
            guard result == 0 else { return .reservation }
            list.insert(mapping, at: index)
            return nil
        }
        if let failure { throw failure }
    }

    /// Ends the mappings that a range consists of.
    public func unmap(address: UInt64, byteCount: UInt64) throws(DeviceMemoryError) {
        // What is no longer mapped is released after the lock: the last one gives its memory back.
        var ended: ArraySlice<Mapping> = []
        let failure = mappings.withLock { list -> DeviceMemoryError? in
            guard let range = Self.whole(in: list, address, byteCount) else { return .notAllocated }
            mark(address: address, byteCount: byteCount, live: false)
            let result = posix_remap_anonymous(
                host + Int(address - baseAddress), Int(byteCount), Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE))
            guard result == 0 else { return .reservation }
            ended = list[range]
            list.removeSubrange(range)
            return nil
        }
        withExtendedLifetime(ended) {}
        if let failure { throw failure }
    }

    /// Sets whether the mappings that a range consists of may be touched.
    public func setAccess(address: UInt64, byteCount: UInt64, isAllowed: Bool) throws(DeviceMemoryError) {
        let isDone = mappings.withLock { list in
            guard Self.whole(in: list, address, byteCount) != nil else { return false }
            mark(address: address, byteCount: byteCount, live: isAllowed)
            return true
        }
        guard isDone else { throw .notAllocated }
    }

    private func isPaged(_ address: UInt64, _ byteCount: UInt64) -> Bool {
        let page = PhysicalStore.pageByteCount
        guard address >= baseAddress, address % page == 0, byteCount > 0, byteCount % page == 0 else { return false }
        return address - baseAddress <= self.byteCount && byteCount <= self.byteCount - (address - baseAddress)
    }

    /// The mappings that make up a range without a gap, or nil.
    private static func whole(in list: [Mapping], _ address: UInt64, _ byteCount: UInt64) -> Range<Int>? {
        let first = firstIndex(in: list, notBefore: address)
        let (end, overflow) = address.addingReportingOverflow(byteCount)
        guard byteCount > 0, !overflow else { return nil }
        var index = first
        var position = address
        while position < end {
            guard index < list.count, list[index].address == position else { return nil }
            position = list[index].end
            index += 1
        }
        return position == end ? first..<index : nil
    }

    private static func firstIndex(in list: [Mapping], notBefore address: UInt64) -> Int {
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle].address < address { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
