import Primitives
import Testing

@Suite("Slot tables and handles")
struct SlotTableTests {
    @Test("An object is found by its id until it is removed")
    func insertFindRemove() throws {
        var table = SlotTable<String>()
        let id = Handle(slot: 3, generation: 7).id
        try table.insert("a", id: id)
        #expect(table[id] == "a")
        #expect(table.count == 1)
        let removed = [table.remove(id: id), table.remove(id: id)]
        #expect(removed == ["a", nil])
        #expect(table[id] == nil)
        #expect(table.count == 0)
    }

    @Test("A stale id finds nothing after its slot was reused")
    func staleID() throws {
        var table = SlotTable<Int>()
        try table.insert(1, id: Handle(slot: 5, generation: 0).id)
        table.remove(id: Handle(slot: 5, generation: 0).id)
        try table.insert(2, id: Handle(slot: 5, generation: 1).id)
        #expect(table[Handle(slot: 5, generation: 0).id] == nil)
        #expect(table[Handle(slot: 5, generation: 1).id] == 2)
        let isUpdated = table.update(9, id: Handle(slot: 5, generation: 0).id)
        #expect(!isUpdated)
    }

    @Test("A hostile id is refused instead of growing the table")
    func limits() throws {
        var table = SlotTable<Int>(slotCountMax: 16)
        #expect(throws: SlotTable<Int>.InsertionError.outOfRange) { try table.insert(1, id: 0) }
        #expect(throws: SlotTable<Int>.InsertionError.outOfRange) { try table.insert(1, id: 16) }
        #expect(throws: SlotTable<Int>.InsertionError.outOfRange) { try table.insert(1, id: .max) }
        try table.insert(1, id: 15)
        #expect(throws: SlotTable<Int>.InsertionError.occupied) { try table.insert(2, id: 15) }
        #expect(table[.max] == nil)
        #expect(table[0] == nil)
    }

    @Test("Removing all gives back every object in slot order")
    func removeAll() throws {
        var table = SlotTable<Int>()
        for slot in [4, 2, 9] as [UInt32] { try table.insert(Int(slot), id: Handle(slot: slot, generation: 1).id) }
        var seen: [UInt64] = []
        table.forEach { id, _ in seen.append(id) }
        #expect(seen == [2, 4, 9].map { Handle(slot: $0, generation: 1).id })
        let elements = table.removeAll()
        #expect(elements == [2, 4, 9])
        #expect(table.count == 0)
    }

    @Test("The allocator never gives out one handle twice, and knows stale ones")
    func allocator() {
        var allocator = HandleAllocator(firstSlot: 3)
        let first = allocator.allocate()
        let second = allocator.allocate()
        #expect(first.slot == 3 && second.slot == 4)
        let isReleased = [allocator.release(first), allocator.release(first)]
        #expect(isReleased == [true, false])
        let third = allocator.allocate()
        #expect(third.slot == first.slot && third != first)
        #expect(!allocator.isCurrent(first))
        #expect(allocator.isCurrent(third))
        #expect(!allocator.isCurrent(Handle(id: 0)))
        #expect(!allocator.isCurrent(Handle(slot: 99, generation: 0)))
    }
}
