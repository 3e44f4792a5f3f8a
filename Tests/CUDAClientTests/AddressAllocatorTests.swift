import ClientRuntime
import Primitives
import Testing

@Suite struct AddressAllocatorTests {
    /// Ranges in use and resting, kept the slow and obvious way.
    private struct Model {
        var used: [(address: UInt64, byteCount: UInt64)] = []
        var resting: [(address: UInt64, byteCount: UInt64, moment: UInt64)] = []

        func overlaps(_ address: UInt64, _ byteCount: UInt64) -> Bool {
            let hitsUsed = used.contains { $0.address < address + byteCount && address < $0.address + $0.byteCount }
            return hitsUsed
                || resting.contains { $0.address < address + byteCount && address < $0.address + $0.byteCount }
        }
    }

    @Test("allocations never overlap, stay in range and aligned, and rest after they are freed", arguments: 1...8)
    func agreesWithModel(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        let start: UInt64 = 0x6000_0000_0200
        let end = start + (64 << 20)
        var allocator = AddressAllocator(start: start, end: end)
        var model = Model()
        for _ in 0..<4000 {
            switch random.next(below: 10) {
            case 0..<5:
                let size = 1 + random.next(below: random.next(below: 4) == 0 ? 1 << 20 : 5000)
                guard let block = allocator.allocate(size) else { continue }
                let (address, taken) = (block.pointee.address, block.pointee.byteCount)
                #expect(address >= start && address + taken <= end && address % 512 == 0 && taken >= size)
                #expect(!model.overlaps(address, taken))
                model.used.append((address, taken))
            case 5..<9:
                guard !model.used.isEmpty else { continue }
                let entry = model.used.remove(at: Int(random.next(below: UInt64(model.used.count))))
                let frees = [allocator.free(entry.address), allocator.free(entry.address)]
                #expect(frees == [entry.byteCount, nil])
                model.resting.append((entry.address, entry.byteCount, allocator.freeCount))
            default:
                let moment = allocator.freeCount - random.next(below: 3).clamped(to: allocator.freeCount)
                allocator.release(through: moment)
                model.resting.removeAll { $0.moment <= moment }
            }
            let usedByteCount = allocator.usedByteCount
            #expect(usedByteCount == model.used.reduce(0) { $0 + $1.byteCount })
        }
        for entry in model.used {
            let found = allocator.find(entry.address + entry.byteCount - 1)?.pointee.address
            #expect(found == entry.address)
            _ = allocator.free(entry.address)
        }
        allocator.release(through: .max)
        // Everything has melted into one range again.
        let whole = allocator.allocate(end - start)?.pointee.address
        #expect(whole == start)
    }

    @Test("small allocations settle next to each other")
    func groupsSmallAllocations() throws {
        var allocator = AddressAllocator(start: 0x1000, end: 0x100_0000)
        var addresses: [UInt64] = []
        for _ in 0..<16 {
            let block = allocator.allocate(100)
            addresses.append(try #require(block).pointee.address)
        }
        let low = try #require(addresses.min())
        let high = try #require(addresses.max())
        #expect(high - low == 15 * 512)
    }

    @Test("impossible sizes are refused")
    func refusesImpossibleSizes() {
        var allocator = AddressAllocator(start: 0x1000, end: 0x11000)
        let sizes: [UInt64] = [0, .max, 0x10001, 0x10000, 1]
        var results: [Bool] = []
        for size in sizes { results.append(allocator.allocate(size) != nil) }
        #expect(results == [false, false, false, true, false])
    }

    @Test("a walk over the allocations in use finds each once")
    func walks() throws {
        var allocator = AddressAllocator(start: 0x1000, end: 0x100_0000)
        var expected: [UInt64] = []
        for size in [100, 5000, 700, 512] as [UInt64] {
            let block = allocator.allocate(size)
            expected.append(try #require(block).pointee.address)
        }
        _ = allocator.free(expected.remove(at: 1))
        var found: [UInt64] = []
        var position: UInt64 = 0
        while let block = allocator.nextUsed(after: position) {
            found.append(block.pointee.address)
            position = block.pointee.address + block.pointee.byteCount
        }
        #expect(found == expected.sorted())
    }
}

extension UInt64 {
    fileprivate func clamped(to limit: UInt64) -> UInt64 { Swift.min(self, limit) }
}
