import ClientRuntime
import Testing

private struct RegionUnavailable: Error {}

@Suite struct HandleRegionTests {
    @Test("a handle is found by its kind until it is freed")
    func findsByKind() throws {
        guard var region = HandleRegion(slotCount: 64, slotShift: 9) else { throw RegionUnavailable() }
        let slot = region.make()
        #expect(slot != 0)
        let early = region.slot(of: region.handle(slot), kind: .stream)
        #expect(early == 0)
        region.publish(slot, as: .stream)
        let handle = region.handle(slot)
        let found = region.slot(of: handle, kind: .stream)
        #expect(found == slot)
        let asEvent = region.slot(of: handle, kind: .event)
        #expect(asEvent == 0)
        let beside = region.slot(of: handle + 8, kind: .stream)
        #expect(beside == 0)
        let frees = [region.free(slot, kind: .stream), region.free(slot, kind: .stream)]
        #expect(frees == [true, false])
        let gone = region.slot(of: handle, kind: .stream)
        #expect(gone == 0)
    }

    @Test("addresses outside of the region are no handles", arguments: [0, 1, 2, 4096, UInt.max] as [UInt])
    func refusesForeignAddresses(address: UInt) throws {
        guard let region = HandleRegion(slotCount: 64, slotShift: 9) else { throw RegionUnavailable() }
        let slot = region.slot(of: address, kind: .stream)
        #expect(slot == 0)
    }

    @Test("a slot that is used again has another id, and slots rest before that")
    func changesGeneration() throws {
        guard var region = HandleRegion(slotCount: 8, slotShift: 12) else { throw RegionUnavailable() }
        var ids: Set<UInt64> = []
        var last: UInt32 = 0
        for _ in 0..<100 {
            let slot = region.make()
            #expect(slot != 0 && slot != last)
            region.publish(slot, as: .event)
            let (isNew, _) = ids.insert(region.id(slot))
            #expect(isNew)
            let isFreed = region.free(slot, kind: .event)
            #expect(isFreed)
            last = slot
        }
    }

    @Test("no more slots than there are")
    func endsWhenFull() throws {
        guard var region = HandleRegion(slotCount: 4, slotShift: 9) else { throw RegionUnavailable() }
        let slots = [region.make(), region.make(), region.make(), region.make()]
        #expect(slots == [1, 2, 3, 0])
    }

    @Test("a handle's memory can be read and is zero")
    func readsAsZero() throws {
        guard var region = HandleRegion(slotCount: 4, slotShift: 12) else { throw RegionUnavailable() }
        let slot = region.make()
        let handle = UnsafePointer<UInt64>(bitPattern: region.handle(slot))
        let pointer = try #require(handle)
        #expect((0..<512).allSatisfy { pointer[$0] == 0 })
    }
}
