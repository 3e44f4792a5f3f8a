/// Picks addresses inside one half of a device's arena.
///
/// Free ranges are kept in lists by size (eight classes for each power of two), so that picking takes constant time
/// and small allocations settle next to each other. A freed range rests first: work that still runs may use it. It
/// becomes free when the owner says that the context is idle, and then melts into free neighbours.
public struct AddressAllocator: ~Copyable {
    private static let classCount: Int = 40 * 8

    private var map = BlockMap()
    private let alignment: UInt64
    private let start: UInt64
    private let end: UInt64
    private var heads: UnsafeMutablePointer<Int32>
    /// One bit for each list that is not empty.
    private var occupied: UnsafeMutablePointer<UInt64>
    private var restingHead: Int32 = -1
    private var restingTail: Int32 = -1
    private var nextSerial: UInt64 = 1
    /// Counts frees; names a moment for ``release(through:)``.
    public private(set) var freeCount: UInt64 = 0
    /// Bytes in use.
    public private(set) var usedByteCount: UInt64 = 0

    /// Creates an allocator for `start..<end`; both are multiples of `alignment`, a power of two.
    public init(start: UInt64, end: UInt64, alignment: UInt64 = 512) {
        self.alignment = alignment
        self.start = start
        self.end = end
        heads = UnsafeMutablePointer<Int32>.allocate(capacity: AddressAllocator.classCount)
        heads.initialize(repeating: -1, count: AddressAllocator.classCount)
        occupied = UnsafeMutablePointer<UInt64>.allocate(capacity: AddressAllocator.classCount / 64)
        occupied.initialize(repeating: 0, count: AddressAllocator.classCount / 64)
        guard end > start else { return }
        let index = map.makeNode()
        map.nodes[Int(index)].address = start
        map.nodes[Int(index)].byteCount = end &- start
        map.insert(index)
        addFree(index)
    }

    deinit {
        heads.deallocate()
        occupied.deallocate()
    }

    /// Whether the address belongs to this allocator's range.
    public func contains(_ address: UInt64) -> Bool { address >= start && address < end }

    /// The bytes that an allocation takes, or nil when that can't be.
    public func roundedByteCount(_ byteCount: UInt64) -> UInt64? {
        let (sum, overflow) = byteCount.addingReportingOverflow(alignment &- 1)
        let rounded = sum & ~(alignment &- 1)
        return byteCount > 0 && !overflow && rounded <= end &- start ? rounded : nil
    }

    /// Takes a range. Nil when no free range is large enough.
    public mutating func allocate(_ byteCount: UInt64) -> UnsafeMutablePointer<Block>? {
        guard let rounded = roundedByteCount(byteCount) else { return nil }
        let found = findFree(rounded)
        guard found >= 0 else { return nil }
        return carve(found, at: map.nodes[Int(found)].address, rounded, requested: byteCount)
    }

    /// Takes a range that begins at a multiple of `wantedAlignment`, a power of two. Nil when no free range is large
    /// enough.
    public mutating func allocate(_ byteCount: UInt64, alignedTo wantedAlignment: UInt64) -> UnsafeMutablePointer<
        Block
    >? {
        guard let rounded = roundedByteCount(byteCount), wantedAlignment <= end &- start,
            let padded = roundedByteCount(rounded &+ wantedAlignment)
        else { return nil }
        let mask = max(wantedAlignment, alignment) &- 1
        let found = findFree(padded)
        guard found >= 0 else { return nil }
        return carve(found, at: (map.nodes[Int(found)].address &+ mask) & ~mask, rounded, requested: byteCount)
    }

    /// Takes exactly the range at `address`. Nil when a part of it is not free.
    public mutating func allocate(_ byteCount: UInt64, at address: UInt64) -> UnsafeMutablePointer<Block>? {
        guard let rounded = roundedByteCount(byteCount), contains(address), (address &- start) & (alignment &- 1) == 0
        else { return nil }
        let index = map.floor(address)
        guard index >= 0, map.nodes[Int(index)].state == .free else { return nil }
        let room =
            map.nodes[Int(index)].byteCount
            &- min(
                map.nodes[Int(index)].byteCount, address &- map.nodes[Int(index)].address)
        guard rounded <= room else { return nil }
        return carve(index, at: address, rounded, requested: byteCount)
    }

    /// Makes a part of a free block an allocation; what lies before and behind stays free.
    private mutating func carve(
        _ index: Int32, at address: UInt64, _ rounded: UInt64, requested: UInt64
    ) -> UnsafeMutablePointer<Block> {
        removeFree(index)
        var found = index
        let before = address &- map.nodes[Int(index)].address
        if before > 0 {
            found = map.makeNode()
            map.nodes[Int(found)].address = address
            map.nodes[Int(found)].byteCount = map.nodes[Int(index)].byteCount &- before
            map.insert(found)
            map.nodes[Int(index)].byteCount = before
            addFree(index)
        }
        let rest = map.nodes[Int(found)].byteCount &- rounded
        if rest > 0 {
            let tail = map.makeNode()
            map.nodes[Int(tail)].address = address &+ rounded
            map.nodes[Int(tail)].byteCount = rest
            map.insert(tail)
            addFree(tail)
            map.nodes[Int(found)].byteCount = rounded
        }
        let block = map.nodes + Int(found)
        block.pointee.state = .used
        block.pointee.requestedByteCount = requested
        block.pointee.serial = nextSerial
        block.pointee.kind = 0
        block.pointee.flags = 0
        block.pointee.context = nil
        block.pointee.object = nil
        nextSerial &+= 1
        usedByteCount &+= rounded
        return block
    }

    /// The allocation in use that contains `address`, or nil. The pointer is good until the next change.
    public func find(_ address: UInt64) -> UnsafeMutablePointer<Block>? {
        let index = map.floor(address)
        guard index >= 0 else { return nil }
        let block = map.nodes + Int(index)
        guard block.pointee.state == .used, address &- block.pointee.address < block.pointee.byteCount else {
            return nil
        }
        return block
    }

    /// Ends the allocation that begins at `address`; its range rests. The bytes it took, or nil when there is none.
    public mutating func free(_ address: UInt64) -> UInt64? {
        let index = map.floor(address)
        guard index >= 0 else { return nil }
        let block = map.nodes + Int(index)
        guard block.pointee.address == address, block.pointee.state == .used else { return nil }
        block.pointee.state = .resting
        freeCount &+= 1
        block.pointee.serial = freeCount
        block.pointee.next = -1
        if restingTail >= 0 { map.nodes[Int(restingTail)].next = index } else { restingHead = index }
        restingTail = index
        usedByteCount &-= block.pointee.byteCount
        return block.pointee.byteCount
    }

    /// Ends the allocation that begins at `address`; its range is usable at once. The bytes it took, or nil when there
    /// is none.
    public mutating func freeAtOnce(_ address: UInt64) -> UInt64? {
        guard let block = find(address), block.pointee.address == address else { return nil }
        let index = map.floor(address)
        let byteCount = block.pointee.byteCount
        usedByteCount &-= byteCount
        block.pointee.state = .free
        addFree(merged(index))
        return byteCount
    }

    /// Makes the ranges usable again that were freed up to the moment when ``freeCount`` was `moment`.
    public mutating func release(through moment: UInt64) {
        while restingHead >= 0, map.nodes[Int(restingHead)].serial <= moment {
            let index = restingHead
            restingHead = map.nodes[Int(index)].next
            if restingHead < 0 { restingTail = -1 }
            map.nodes[Int(index)].state = .free
            addFree(merged(index))
        }
    }

    /// Whether freed ranges rest.
    public var hasResting: Bool { restingHead >= 0 }

    /// Visits all allocations in use, in order of address. For the end of a context; takes O(n log n).
    public func nextUsed(after address: UInt64) -> UnsafeMutablePointer<Block>? {
        var position = max(address, start)
        while position < end {
            let index = map.floor(position)
            guard index >= 0 else { return nil }
            let block = map.nodes + Int(index)
            if block.pointee.state == .used, block.pointee.address >= address { return block }
            position = block.pointee.address &+ block.pointee.byteCount
        }
        return nil
    }

    // MARK: - Free lists

    private mutating func merged(_ index: Int32) -> Int32 {
        var index = index
        let after = map.floor(map.nodes[Int(index)].address &+ map.nodes[Int(index)].byteCount)
        if after >= 0, after != index, map.nodes[Int(after)].state == .free {
            removeFree(after)
            map.remove(address: map.nodes[Int(after)].address)
            map.nodes[Int(index)].byteCount &+= map.nodes[Int(after)].byteCount
            map.recycle(after)
        }
        guard map.nodes[Int(index)].address > start else { return index }
        let before = map.floor(map.nodes[Int(index)].address &- 1)
        if before >= 0, map.nodes[Int(before)].state == .free {
            removeFree(before)
            map.remove(address: map.nodes[Int(index)].address)
            map.nodes[Int(before)].byteCount &+= map.nodes[Int(index)].byteCount
            map.recycle(index)
            index = before
        }
        return index
    }

    /// The class whose blocks have at least this size, when `roundUp`; else the class that a block of this size
    /// belongs to.
    private func sizeClass(_ byteCount: UInt64, roundUp: Bool) -> Int {
        let units = byteCount / alignment
        guard units >= 8 else { return Int(units) }
        let exponent = 63 &- units.leadingZeroBitCount
        let step = UInt64(1) << UInt64(exponent &- 3)
        let eighth = Int((units >> UInt64(exponent &- 3)) & 7)
        let exact = units & (step &- 1) == 0
        let index = (exponent &- 2) &* 8 &+ eighth &+ (roundUp && !exact ? 1 : 0)
        return index < AddressAllocator.classCount ? index : AddressAllocator.classCount &- 1
    }

    private func findFree(_ byteCount: UInt64) -> Int32 {
        let first = sizeClass(byteCount, roundUp: true)
        var word = first / 64
        var bits = occupied[word] & (UInt64.max << UInt64(first % 64))
        while bits == 0 {
            word &+= 1
            guard word < AddressAllocator.classCount / 64 else { return findInOwnClass(byteCount) }
            bits = occupied[word]
        }
        return heads[word &* 64 &+ bits.trailingZeroBitCount]
    }

    /// The last resort, when only the class that holds both smaller and larger blocks is left.
    private func findInOwnClass(_ byteCount: UInt64) -> Int32 {
        var index = heads[sizeClass(byteCount, roundUp: false)]
        while index >= 0, map.nodes[Int(index)].byteCount < byteCount { index = map.nodes[Int(index)].next }
        return index
    }

    private mutating func addFree(_ index: Int32) {
        let list = sizeClass(map.nodes[Int(index)].byteCount, roundUp: false)
        map.nodes[Int(index)].state = .free
        map.nodes[Int(index)].previous = -1
        map.nodes[Int(index)].next = heads[list]
        if heads[list] >= 0 { map.nodes[Int(heads[list])].previous = index }
        heads[list] = index
        occupied[list / 64] |= 1 << UInt64(list % 64)
    }

    private mutating func removeFree(_ index: Int32) {
        let list = sizeClass(map.nodes[Int(index)].byteCount, roundUp: false)
        let next = map.nodes[Int(index)].next
        let previous = map.nodes[Int(index)].previous
        if previous >= 0 { map.nodes[Int(previous)].next = next } else { heads[list] = next }
        if next >= 0 { map.nodes[Int(next)].previous = previous }
        if heads[list] < 0 { occupied[list / 64] &= ~(1 << UInt64(list % 64)) }
    }
}
