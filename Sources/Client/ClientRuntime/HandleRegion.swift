internal import CPosix

/// What a handle names.
public enum HandleKind: UInt8, Sendable {
    case free = 0
    case stream = 1
    case event = 2
    case module = 3
    case function = 4
    case library = 5
    case kernel = 6
    case pool = 7
    case linkState = 8
    case context = 9
    case graph = 10
    case graphNode = 11
    case graphExec = 12
    case userObject = 13
    case physical = 40
    case resourceDescription = 120
    case greenContext = 121
    case callback = 122
}

/// What the client knows of one handle.
public struct HandleEntry {
    /// `HandleKind`'s raw value.
    public var kind: UInt8
    public var flags: UInt32
    /// Counts the lives of the slot; part of the id, so that a stale id never names a new object.
    public var generation: UInt32
    var nextFree: UInt32
    /// The context in which the object was made (a ``ContextState``), or nil.
    public var context: UnsafeMutablePointer<ContextState>?
    /// Whatever the kind keeps.
    public var object: UnsafeMutableRawPointer?
    public var value: Int64
}

/// Handles of one slot size: the address of a slot is the handle that the user's program sees.
///
/// The slots are readable zeros, because some programs look into handles as if they were the driver's structures. A
/// slot costs no physical memory until somebody reads it. Validation is arithmetic and one load; only making and
/// freeing take the lock.
public struct HandleRegion: ~Copyable {
    private var lockWord: UnsafeMutablePointer<UInt32>
    private let start: UInt
    private let slotShift: UInt
    private let slotCount: UInt32
    private let entries: UnsafeMutablePointer<HandleEntry>
    private var unusedFirst: UInt32 = 1
    private var freeHead: UInt32 = 0
    private var freeTail: UInt32 = 0
    private var freeCount: UInt32 = 0
    /// So many slots rest before one is used again: a stale handle is then noticed rather than mistaken.
    private static let restingCount: UInt32 = 256

    /// Reserves address space for `slotCount` slots of `1 << slotShift` bytes. Nil when the system refuses.
    public init?(slotCount: UInt32, slotShift: UInt) {
        let byteCount = Int(slotCount) << Int(slotShift)
        let tableByteCount = Int(slotCount) &* MemoryLayout<HandleEntry>.stride
        guard let slots = posix_map_anonymous(nil, byteCount, Int32(POSIX_PROTECT_READ)),
            let table = posix_map_anonymous(
                nil, tableByteCount, Int32(POSIX_PROTECT_READ | POSIX_PROTECT_WRITE))
        else { return nil }
        start = UInt(bitPattern: slots)
        self.slotShift = slotShift
        self.slotCount = slotCount
        entries = table.bindMemory(to: HandleEntry.self, capacity: Int(slotCount))
        lockWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        lockWord.initialize(to: 0)
    }

    /// Takes a slot; the slot's number, or 0 when all are taken. The caller fills the entry and then
    /// ``publish(_:as:)``es it.
    public mutating func make() -> UInt32 {
        posix_lock_acquire(lockWord)
        defer { posix_lock_release(lockWord) }
        if unusedFirst < slotCount, freeCount < HandleRegion.restingCount {
            let slot = unusedFirst
            unusedFirst &+= 1
            entries[Int(slot)].generation = 1
            return slot
        }
        guard freeHead != 0 else { return 0 }
        let slot = freeHead
        freeHead = entries[Int(slot)].nextFree
        if freeHead == 0 { freeTail = 0 }
        freeCount &-= 1
        entries[Int(slot)].generation &+= 1
        return slot
    }

    /// Makes a filled slot valid.
    public func publish(_ slot: UInt32, as kind: HandleKind) {
        posix_fence()
        entries[Int(slot)].kind = kind.rawValue
    }

    /// Gives a slot back. False when it was no longer of this kind: another thread was faster.
    public mutating func free(_ slot: UInt32, kind: HandleKind) -> Bool {
        posix_lock_acquire(lockWord)
        defer { posix_lock_release(lockWord) }
        guard slot > 0, slot < slotCount, entries[Int(slot)].kind == kind.rawValue else { return false }
        entries[Int(slot)].kind = HandleKind.free.rawValue
        entries[Int(slot)].nextFree = 0
        if freeTail == 0 { freeHead = slot } else { entries[Int(freeTail)].nextFree = slot }
        freeTail = slot
        freeCount &+= 1
        return true
    }

    /// The slot of a handle of this kind, or 0.
    @inline(__always)
    public func slot(of handle: UInt, kind: HandleKind) -> UInt32 {
        let offset = handle &- start
        let slot = offset >> slotShift
        guard slot < UInt(slotCount), offset & ((1 << slotShift) &- 1) == 0,
            entries[Int(bitPattern: slot)].kind == kind.rawValue
        else { return 0 }
        return UInt32(truncatingIfNeeded: slot)
    }

    /// The entry of a slot that ``make()`` or ``slot(of:kind:)`` gave.
    @inline(__always)
    public func entry(_ slot: UInt32) -> UnsafeMutablePointer<HandleEntry> { entries + Int(slot) }

    /// The handle of a slot.
    @inline(__always)
    public func handle(_ slot: UInt32) -> UInt { start &+ UInt(slot) << slotShift }

    /// The id that names a slot's present object on the wire.
    @inline(__always)
    public func id(_ slot: UInt32) -> UInt64 { UInt64(slot) | UInt64(entries[Int(slot)].generation) << 32 }

    /// The slots ever used, for walks over all objects.
    public var usedSlotCount: UInt32 { unusedFirst }
}
