import CPosix
import Synchronization

/// The pages of an allocation, which other arenas can show too.
public struct SharedPages: Sendable {
    let pieces: [(memory: PhysicalMemory, offset: UInt64, byteCount: UInt64)]
    /// Where the allocation begins on its first page.
    public let firstByteOffset: UInt64
    public let byteCount: UInt64

    var pagesByteCount: UInt64 { pieces.reduce(0) { $0 + $1.byteCount } }
}

// Allocations in several arenas. An allocation's pages are private memory of its arena until somebody shares it; then
// their bytes move to physical objects, mapped in their place. A page may hold other allocations too: what may be
// touched says the bitmap of each arena.
extension DeviceMemory {
    /// Makes the pages of a live range shareable. Nothing may run on the arena meanwhile.
    public func share(
        address: UInt64, byteCount: UInt64, store: PhysicalStore
    ) throws(DeviceMemoryError) -> SharedPages {
        let page = PhysicalStore.pageByteCount
        guard byteCount > 0, hostPointer(address: address, byteCount: byteCount) != nil else { throw .notAllocated }
        let first = address & ~(page - 1)
        let end = (address + byteCount + page - 1) & ~(page - 1)
        let result = sharedRuns.withLock { runs -> Result<[Mapping], DeviceMemoryError> in
            var found: [Mapping] = []
            var position = first
            while position < end {
                let run: Mapping
                if let known = runs.first(where: { $0.address <= position && position < $0.end }) {
                    run = known
                } else {
                    let next = runs.filter { $0.address > position }.map { $0.address }.min() ?? end
                    guard let made = move(position, min(next, end) - position, store) else {
                        return .failure(.reservation)
                    }
                    runs.append(made)
                    run = made
                }
                let stop = min(run.end, end)
                found.append(
                    Mapping(
                        address: position, byteCount: stop - position, memory: run.memory,
                        offset: run.offset + (position - run.address)))
                position = stop
            }
            return .success(found)
        }
        let pieces = try result.get()
        return SharedPages(
            pieces: pieces.map { ($0.memory, $0.offset, $0.byteCount) }, firstByteOffset: address - first,
            byteCount: byteCount)
    }

    /// Moves pages to a fresh physical object, mapped in their place.
    private func move(_ address: UInt64, _ byteCount: UInt64, _ store: PhysicalStore) -> Mapping? {
        guard let memory = store.make(byteCount: byteCount) else { return nil }
        let start = host + Int(address - baseAddress)
        guard posix_write_at(store.descriptor, start, Int(byteCount), memory.offset) == 0,
            posix_map_file_at(start, store.descriptor, Int(byteCount), memory.offset, true, true) == 0
        else { return nil }
        return Mapping(address: address, byteCount: byteCount, memory: memory, offset: 0)
    }

    /// Shows shared pages at a reserved address that lies on its page as the owner's does.
    public func attach(_ pages: SharedPages, at address: UInt64) throws(DeviceMemoryError) {
        guard address % PhysicalStore.pageByteCount == pages.firstByteOffset else { throw .invalidRange }
        var position = address - pages.firstByteOffset
        for piece in pages.pieces {
            do throws(DeviceMemoryError) {
                try map(piece.memory, offset: piece.offset, address: position, byteCount: piece.byteCount)
            } catch {
                let done = position - (address - pages.firstByteOffset)
                if done > 0 { try? unmap(address: address - pages.firstByteOffset, byteCount: done) }
                throw error
            }
            position += piece.byteCount
        }
        mark(address: address, byteCount: Self.rounded(pages.byteCount), live: true)
    }

    /// Takes shared pages away again.
    public func detach(_ pages: SharedPages, at address: UInt64) throws(DeviceMemoryError) {
        try unmap(address: address - pages.firstByteOffset, byteCount: pages.pagesByteCount)
    }

    /// Gives a range of freed pages memory of its own again, where it was shared.
    func unshare(from first: UInt64, to end: UInt64) {
        sharedRuns.withLock { runs in
            guard !runs.isEmpty else { return }
            var kept: [Mapping] = []
            for run in runs {
                let low = max(run.address, first)
                let high = min(run.end, end)
                guard low < high else {
                    kept.append(run)
                    continue
                }
                _ = posix_remap_anonymous(
                    host + Int(low - baseAddress), Int(high - low), Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE))
                if run.address < low {
                    kept.append(
                        Mapping(
                            address: run.address, byteCount: low - run.address, memory: run.memory, offset: run.offset))
                }
                if high < run.end {
                    kept.append(
                        Mapping(
                            address: high, byteCount: run.end - high, memory: run.memory,
                            offset: run.offset + (high - run.address)))
                }
            }
            runs = kept
        }
    }
}
