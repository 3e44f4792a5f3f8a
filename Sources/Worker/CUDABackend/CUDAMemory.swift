import CCUDA
import CUDABinding
import GPUBackend
import Primitives

/// A moment of a stream: an event that was recorded on it.
struct CUDAPoint {
    let context: CUDAContext
    let event: CUevent

    /// Whether the work before it was done; an error when it never will be.
    var status: CUresult { context.status(of: event) }

    /// Whether the work before it was done, or never will be.
    var isReached: Bool { status != CUDA_ERROR_NOT_READY }
}

// SAFETY: everything that changes is only reached under `lock`.
/// The memory of a session: live allocations, and the physical chunks that back them at the addresses that the client
/// picked. Small allocations share a chunk, since a driver maps no less than 2 MiB.
final class CUDAMemory: @unchecked Sendable {
    private struct Chunk {
        var base: UInt64
        var byteCount: UInt64
        var handle: CUmemGenericAllocationHandle
        /// Live allocations in it, and released ones whose streams still run.
        var useCount: Int

        var end: UInt64 { base + byteCount }
    }

    private struct Allocation {
        var address: UInt64
        var byteCount: UInt64
        /// Whether it is a physical object that the client mapped.
        var isMapped: Bool

        var end: UInt64 { address + byteCount }
    }

    /// Allocations that a client has freed, and what has to happen before their memory may go.
    private struct Released {
        var ranges: [(address: UInt64, byteCount: UInt64)]
        var points: [CUDAPoint]
    }

    /// Larger allocations are backed by several chunks.
    private static let chunkByteCountMax: UInt64 = 256 << 20
    /// Unused chunks that stay mapped, since programs often allocate what they have just freed.
    private static let idleByteCountMax: UInt64 = 64 << 20

    private let arena: AddressArena
    private let driver: CUDALibrary
    private let device: CUdevice
    private let granularity: UInt64
    private let lock = Lock()
    /// Ascending, disjoint.
    private var chunks: [Chunk] = []
    /// Live allocations, ascending, disjoint.
    private var allocations: [Allocation] = []
    private var released: [Released] = []
    private var idleByteCount: UInt64 = 0
    /// What the driver did not take back yet.
    private var refused: [Chunk] = []

    init(arena: AddressArena, driver: CUDALibrary, device: CUdevice) throws(BackendError) {
        self.arena = arena
        self.driver = driver
        self.device = device
        granularity = try translating { () throws(CUDAFailure) in
            var granularity = 0
            var properties = CUDAMemory.properties(device)
            try driver.cuMemGetAllocationGranularity(&granularity, &properties, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED)
            return UInt64(max(granularity, 4096))
        }
    }

    static func properties(_ device: CUdevice) -> CUmemAllocationProp {
        var properties = CUmemAllocationProp()
        properties.type = CU_MEM_ALLOCATION_TYPE_PINNED
        properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE
        properties.location.id = device
        return properties
    }

    // MARK: - Live allocations

    /// The place in ``allocations`` of the first one that ends behind an address; the caller holds the lock.
    private func place(of address: UInt64) -> Int {
        var low = 0
        var high = allocations.count
        while low < high {
            let middle = (low + high) / 2
            if allocations[middle].end <= address { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether a range lies in one live allocation, or outside the arena where the driver places its own things.
    func contains(_ address: UInt64, _ byteCount: UInt64) -> Bool {
        guard address &- arena.base < arena.byteCount else { return true }
        lock.acquire()
        defer { lock.release() }
        var index = place(of: address)
        guard index < allocations.count, allocations[index].address <= address else { return false }
        let (end, overflow) = address.addingReportingOverflow(byteCount)
        guard !overflow else { return false }
        while allocations[index].end < end {
            guard allocations[index].isMapped, index + 1 < allocations.count, allocations[index + 1].isMapped,
                allocations[index + 1].address == allocations[index].end
            else { return false }
            index += 1
        }
        return true
    }

    func commit(address: UInt64, byteCount: UInt64) throws(BackendError) {
        guard byteCount > 0, address >= arena.base, address - arena.base < arena.byteCount,
            byteCount <= arena.byteCount - (address - arena.base)
        else { throw BackendError(BackendStatus.invalidValue, "the range lies outside the device arena") }
        reclaim()
        lock.acquire()
        defer { lock.release() }
        let index = place(of: address)
        guard index == allocations.count || allocations[index].address >= address + byteCount else {
            throw BackendError(BackendStatus.invalidValue, "the range overlaps a live allocation")
        }
        try map(address, byteCount)
        allocations.insert(Allocation(address: address, byteCount: byteCount, isMapped: false), at: index)
    }

    /// Ends a live allocation; its bytes, which stay mapped, or nil when none begins there.
    func remove(address: UInt64) -> UInt64? {
        lock.acquire()
        defer { lock.release() }
        let index = place(of: address)
        guard index < allocations.count, allocations[index].address == address, !allocations[index].isMapped else {
            return nil
        }
        return allocations.remove(at: index).byteCount
    }

    // MARK: - Mapped objects; they count as live allocations, and neighbours among them as one

    /// Maps a part of an object; `settle` lets go what a client has freed at the same addresses.
    func mapPhysical(
        _ memory: CUDAPhysicalMemory, offset: UInt64, at address: UInt64, byteCount: UInt64,
        settle: () throws(BackendError) -> Void
    ) throws(BackendError) {
        guard address &- arena.base < arena.byteCount, byteCount > 0,
            byteCount <= arena.byteCount - (address - arena.base)
        else { throw BackendError(BackendStatus.invalidValue, "the range lies outside the device arena") }
        let isTaken = lock.withLock {
            let index = chunkIndex(endingAfter: address)
            return index < chunks.count && chunks[index].base < address + byteCount
        }
        if isTaken { try settle() }
        lock.acquire()
        defer { lock.release() }
        let index = place(of: address)
        guard index == allocations.count || allocations[index].address >= address + byteCount else {
            throw BackendError(BackendStatus.invalidValue, "the range overlaps a live allocation")
        }
        try translating { () throws(CUDAFailure) in
            try driver.cuMemMap(address, Int(byteCount), Int(offset), memory.handle, 0)
        }
        allocations.insert(Allocation(address: address, byteCount: byteCount, isMapped: true), at: index)
    }

    /// Ends the mappings that a range consists of.
    func unmapPhysical(_ address: UInt64, _ byteCount: UInt64) throws(BackendError) {
        lock.acquire()
        defer { lock.release() }
        let first = place(of: address)
        var last = first
        var end = address
        while last < allocations.count, allocations[last].address == end, allocations[last].isMapped,
            end < address + byteCount
        {
            end = allocations[last].end
            last += 1
        }
        guard end == address + byteCount else { throw BackendError(BackendStatus.invalidValue) }
        try translating { () throws(CUDAFailure) in
            for mapping in allocations[first..<last] {
                try driver.cuMemUnmap(mapping.address, Int(mapping.byteCount))
            }
        }
        allocations.removeSubrange(first..<last)
    }

    // MARK: - Released memory

    /// Lets memory go once all points were reached.
    func release(address: UInt64, byteCount: UInt64, after points: [CUDAPoint]) {
        lock.withLock { released.append(Released(ranges: [(address, byteCount)], points: points)) }
        reclaim()
    }

    /// Lets go what nothing uses any more, without waiting; whether something is left.
    @discardableResult
    func reclaim() -> Bool {
        while true {
            lock.acquire()
            guard let first = released.first else {
                lock.release()
                return false
            }
            // In order: a later release has recorded later points.
            let isReached = first.points.allSatisfy(\.isReached)
            if isReached {
                released.removeFirst()
                for range in first.ranges { unmap(range.address, range.byteCount) }
            }
            lock.release()
            guard isReached else { return true }
            for point in first.points { point.context.giveBack(point.event) }
        }
    }

    /// Gives all unused memory back to the driver.
    func disposeUnused() {
        lock.acquire()
        for chunk in chunks where chunk.useCount == 0 { dispose(chunk) }
        chunks.removeAll { $0.useCount == 0 }
        idleByteCount = 0
        lock.release()
    }

    /// Gives everything back; nothing runs any more.
    func dispose() {
        lock.acquire()
        for entry in released {
            for point in entry.points { point.context.giveBack(point.event) }
        }
        released = []
        let all = refused + chunks
        refused = []
        for chunk in all { dispose(chunk) }
        for mapping in allocations where mapping.isMapped {
            try? driver.cuMemUnmap(mapping.address, Int(mapping.byteCount))
        }
        chunks = []
        allocations = []
        lock.release()
        try? driver.cuMemAddressFree(arena.base, Int(arena.byteCount))
    }

    // MARK: - Chunks; the caller holds the lock

    private func chunkIndex(endingAfter address: UInt64) -> Int {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].end <= address { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func pages(_ address: UInt64, _ byteCount: UInt64) -> Range<UInt64> {
        let mask = granularity - 1
        return (address & ~mask)..<((address + byteCount + mask) & ~mask)
    }

    private func map(_ address: UInt64, _ byteCount: UInt64) throws(BackendError) {
        let pages = pages(address, byteCount)
        var position = pages.lowerBound
        do throws(BackendError) {
            while position < pages.upperBound {
                let index = chunkIndex(endingAfter: position)
                if index < chunks.count, chunks[index].base <= position {
                    if chunks[index].useCount == 0 { idleByteCount -= chunks[index].byteCount }
                    chunks[index].useCount += 1
                    position = chunks[index].end
                    continue
                }
                let gapEnd = index < chunks.count ? min(pages.upperBound, chunks[index].base) : pages.upperBound
                let pieceEnd = pieceEnd(position, gapEnd, address..<(address + byteCount))
                chunks.insert(try makeChunk(position, pieceEnd - position), at: index)
                position = pieceEnd
            }
        } catch {
            if position > address { unmap(address, min(byteCount, position - address)) }
            throw error
        }
    }

    /// Where a chunk that begins at `start` ends: pages at the allocation's edges stand alone, since others share them.
    private func pieceEnd(_ start: UInt64, _ gapEnd: UInt64, _ allocation: Range<UInt64>) -> UInt64 {
        if start < allocation.lowerBound { return start + granularity }
        let whole = allocation.upperBound & ~(granularity - 1)
        let end = min(gapEnd, whole, start + CUDAMemory.chunkByteCountMax)
        return end > start ? end : min(gapEnd, start + granularity)
    }

    private func makeChunk(_ base: UInt64, _ byteCount: UInt64) throws(BackendError) -> Chunk {
        try translating { () throws(CUDAFailure) in
            var handle: CUmemGenericAllocationHandle = 0
            var properties = CUDAMemory.properties(device)
            try driver.cuMemCreate(&handle, Int(byteCount), &properties, 0)
            do throws(CUDAFailure) {
                // One object for each mapping: drivers before 13 map no offset other than 0.
                try driver.cuMemMap(base, Int(byteCount), 0, handle, 0)
            } catch {
                try? driver.cuMemRelease(handle)
                throw error
            }
            let chunk = Chunk(base: base, byteCount: byteCount, handle: handle, useCount: 1)
            do throws(CUDAFailure) {
                var access = CUmemAccessDesc()
                access.location = properties.location
                access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE
                try driver.cuMemSetAccess(base, Int(byteCount), &access, 1)
            } catch {
                dispose(chunk)
                throw error
            }
            return chunk
        }
    }

    private func unmap(_ address: UInt64, _ byteCount: UInt64) {
        let pages = pages(address, byteCount)
        var index = chunkIndex(endingAfter: pages.lowerBound)
        while index < chunks.count, chunks[index].base < pages.upperBound {
            chunks[index].useCount -= 1
            guard chunks[index].useCount == 0 else {
                index += 1
                continue
            }
            if idleByteCount + chunks[index].byteCount <= CUDAMemory.idleByteCountMax {
                idleByteCount += chunks[index].byteCount
                index += 1
            } else {
                dispose(chunks.remove(at: index))
            }
        }
    }

    private func dispose(_ chunk: Chunk) {
        guard (try? driver.cuMemUnmap(chunk.base, Int(chunk.byteCount))) != nil else {
            // The context is spoiled by a fault; the session can only end, and comes back to this then.
            refused.append(chunk)
            return
        }
        try? driver.cuMemRelease(chunk.handle)
    }
}
