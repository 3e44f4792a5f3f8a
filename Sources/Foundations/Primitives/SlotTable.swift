/// A name for an object that its owner may reuse later: the slot in the low half, a generation in the high half.
public struct Handle: Sendable, Hashable {
    /// What travels on the wire; 0 is no object.
    public var id: UInt64

    @inlinable public init(id: UInt64) { self.id = id }
    @inlinable public init(slot: UInt32, generation: UInt32) { id = UInt64(slot) | UInt64(generation) << 32 }

    /// The index in a table.
    @inlinable public var slot: UInt32 { UInt32(truncatingIfNeeded: id) }
    /// How often the slot was given out.
    @inlinable public var generation: UInt32 { UInt32(truncatingIfNeeded: id >> 32) }
}

/// Objects by handle, where the *other* side picks the handles: look-up, insertion and removal take constant time.
///
/// A hostile peer can make the table as long as its limit, never longer, and never finds an object by a stale handle.
public struct SlotTable<Element> {
    @usableFromInline struct Slot {
        @usableFromInline var generation: UInt32
        @usableFromInline var element: Element?

        @inlinable init(generation: UInt32, element: Element?) {
            self.generation = generation
            self.element = element
        }
    }

    public enum InsertionError: Error, Sendable {
        /// The slot is beyond the table's limit.
        case outOfRange
        /// The slot holds an object.
        case occupied
    }

    @usableFromInline var slots: [Slot] = []
    @usableFromInline let slotCountMax: Int
    /// Objects in the table.
    public private(set) var count = 0

    /// A table of at most `slotCountMax` objects.
    public init(slotCountMax: Int = 1 << 24) {
        self.slotCountMax = slotCountMax
    }

    /// The object with this id, or nil when there is none, or when the id is stale.
    @inlinable
    public subscript(id: UInt64) -> Element? {
        let handle = Handle(id: id)
        let index = Int(handle.slot)
        guard index < slots.count, slots[index].generation == handle.generation else { return nil }
        return slots[index].element
    }

    /// Puts an object under an id that the peer picked.
    public mutating func insert(_ element: Element, id: UInt64) throws(InsertionError) {
        let handle = Handle(id: id)
        let index = Int(handle.slot)
        guard id != 0, index < slotCountMax else { throw .outOfRange }
        while slots.count <= index { slots.append(Slot(generation: 0, element: nil)) }
        guard slots[index].element == nil else { throw .occupied }
        slots[index] = Slot(generation: handle.generation, element: element)
        count &+= 1
    }

    /// Replaces the object of a live id; false when the id is not live.
    @discardableResult
    public mutating func update(_ element: Element, id: UInt64) -> Bool {
        guard self[id] != nil else { return false }
        slots[Int(Handle(id: id).slot)].element = element
        return true
    }

    /// Takes the object with this id out.
    @discardableResult
    public mutating func remove(id: UInt64) -> Element? {
        guard let element = self[id] else { return nil }
        slots[Int(Handle(id: id).slot)].element = nil
        count &-= 1
        return element
    }

    /// Takes all objects out, lowest slot first.
    public mutating func removeAll() -> [Element] {
        let elements = slots.compactMap { $0.element }
        slots = []
        count = 0
        return elements
    }

    /// Calls `body` with each id and object, lowest slot first.
    public func forEach(_ body: (UInt64, Element) -> Void) {
        for (index, slot) in slots.enumerated() {
            guard let element = slot.element else { continue }
            body(Handle(slot: UInt32(truncatingIfNeeded: index), generation: slot.generation).id, element)
        }
    }
}

/// Gives out handles: the client's half of a ``SlotTable``.
public struct HandleAllocator: Sendable {
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    private let firstSlot: UInt32

    /// Slots below `firstSlot` are never given out.
    public init(firstSlot: UInt32 = 1) {
        self.firstSlot = firstSlot
    }

    /// A handle that no live object has; never id 0.
    public mutating func allocate() -> Handle {
        if let slot = free.popLast() {
            return Handle(slot: slot, generation: generations[Int(slot &- firstSlot)])
        }
        let slot = firstSlot &+ UInt32(truncatingIfNeeded: generations.count)
        generations.append(0)
        return Handle(slot: slot, generation: 0)
    }

    /// Whether this very handle is live, as far as its generation tells.
    public func isCurrent(_ handle: Handle) -> Bool {
        guard handle.slot >= firstSlot else { return false }
        let index = Int(handle.slot &- firstSlot)
        return index < generations.count && generations[index] == handle.generation
    }

    /// Takes a handle back; false when it was not current.
    @discardableResult
    public mutating func release(_ handle: Handle) -> Bool {
        guard isCurrent(handle) else { return false }
        generations[Int(handle.slot &- firstSlot)] &+= 1
        free.append(handle.slot)
        return true
    }
}
