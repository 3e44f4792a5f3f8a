internal import CPosix
internal import Primitives

/// Device memory outside of the arena: a real driver places the variables of modules where it likes.
///
/// The process's own mappings may lie at the same numbers. The pages are claimed where they are free, so that later
/// ones don't; where they are taken, the range counts as the device's.
final class ForeignRanges {
    private struct Entry {
        var address: UInt64
        var byteCount: UInt64
        var isClaimed: Bool
    }

    private let lock = Lock()
    /// Ascending by address.
    private var entries: [Entry] = []
    /// Pages that this process has mapped for variables.
    private var claims: [Range<UInt64>] = []
    /// The lowest address and the first one behind all; equal while there is none. Read without the lock.
    private let bounds: UnsafeMutablePointer<UInt64>

    init() {
        bounds = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)
        bounds.initialize(repeating: 0, count: 2)
    }

    deinit { bounds.deallocate() }

    /// Notes a range.
    func add(_ address: UInt64, byteCount: UInt64) {
        let (end, overflow) = address.addingReportingOverflow(byteCount)
        guard byteCount > 0, !overflow else { return }
        lock.acquire()
        defer { lock.release() }
        let isClaimed = claim(address..<end)
        let index = entries.firstIndex { $0.address >= address } ?? entries.count
        entries.insert(Entry(address: address, byteCount: byteCount, isClaimed: isClaimed), at: index)
        updateBounds()
    }

    /// Forgets a range.
    func remove(_ address: UInt64) {
        lock.acquire()
        defer { lock.release() }
        guard let index = entries.firstIndex(where: { $0.address == address }) else { return }
        entries.remove(at: index)
        updateBounds()
    }

    func contains(_ address: UInt64) -> Bool {
        guard address < posix_atomic_load_relaxed_64(bounds + 1), address >= posix_atomic_load_relaxed_64(bounds) else {
            return false
        }
        return lock.withLock { find(address) != nil }
    }

    /// Whether this process holds the pages of the range that begins at an address.
    func isClaimed(_ address: UInt64) -> Bool {
        lock.withLock { find(address)?.isClaimed ?? false }
    }

    private func find(_ address: UInt64) -> Entry? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low &+ high) / 2
            if entries[middle].address <= address { low = middle &+ 1 } else { high = middle }
        }
        guard low > 0, address &- entries[low &- 1].address < entries[low &- 1].byteCount else { return nil }
        return entries[low &- 1]
    }

    private func updateBounds() {
        var end: UInt64 = 0
        for entry in entries { end = max(end, entry.address &+ entry.byteCount) }
        posix_atomic_store_release_64(bounds, entries.first?.address ?? 0)
        posix_atomic_store_release_64(bounds + 1, end)
    }

    /// Beyond this, a range of which some page is taken is not claimed page by page.
    private static let pagewiseByteCountMax: UInt64 = 4 << 20

    /// Maps the pages of a range without access; false where one of them is somebody else's.
    private func claim(_ range: Range<UInt64>) -> Bool {
        let pageByteCount = UInt64(posix_page_byte_count())
        var page = range.lowerBound & ~(pageByteCount &- 1)
        let end = (range.upperBound &+ pageByteCount &- 1) & ~(pageByteCount &- 1)
        guard end > page, end <= 1 << 47 else { return false }
        if isOurs(page), isOurs(end &- pageByteCount), end &- page <= 2 &* pageByteCount { return true }
        let whole = UnsafeMutableRawPointer(bitPattern: UInt(page))
        if posix_map_anonymous(whole, Int(end &- page), Int32(POSIX_PROTECT_NONE)) != nil {
            claims.append(page..<end)
            return true
        }
        guard end &- page <= ForeignRanges.pagewiseByteCountMax else { return false }
        var isClaimed = true
        while page < end {
            let start = UnsafeMutableRawPointer(bitPattern: UInt(page))
            let isFree = posix_map_anonymous(start, Int(pageByteCount), Int32(POSIX_PROTECT_NONE)) != nil
            if isFree {
                claims.append(page..<(page &+ pageByteCount))
            } else if !isOurs(page) {
                isClaimed = false
            }
            page &+= pageByteCount
        }
        return isClaimed
    }

    /// Whether the page was claimed before; a claim outlasts its variable, since neighbours may share the page.
    private func isOurs(_ page: UInt64) -> Bool {
        for range in claims where range.contains(page) { return true }
        return false
    }
}
