internal import CPosix
public import Primitives
public import WireProtocol

/// Whose memory an allocation is.
public enum MemoryKind: UInt8, Sendable {
    case device = 0
    /// Reachable by the host at the same address, moved between both sides by need.
    case managed = 1
    /// Pages of the host; the device sees them once somebody asks for a device pointer.
    case host = 2
    /// The device's side of pages that the user registered.
    case registered = 3
    /// Addresses without memory; physical objects are mapped in them.
    case reserved = 4
}

/// The addresses and the lease of one device.
public final class DeviceMemory {
    /// Guards everything below.
    public let lock = Lock()
    var deviceSide: AddressAllocator
    var hostSide: AddressAllocator
    var lease: Lease
    let wireIndex: UInt32
    /// Base and number of bytes, 0 bytes before ``open(_:)``: read without the lock.
    private let arenaWords: UnsafeMutablePointer<UInt64>
    private let foreign = ForeignRanges()

    init(wireIndex: UInt32, totalByteCount: UInt64) {
        self.wireIndex = wireIndex
        arenaWords = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)
        arenaWords.initialize(repeating: 0, count: 2)
        deviceSide = AddressAllocator(start: 0, end: 0, alignment: DeviceArena.alignment)
        hostSide = AddressAllocator(start: 0, end: 0, alignment: DeviceMemory.pageByteCount)
        lease = Lease(totalByteCount: totalByteCount)
    }

    deinit { arenaWords.deallocate() }

    /// In a block's flags: other processes may hold the memory, so the worker goes on charging it.
    public static let sharedFlag: UInt32 = 1 << 30
    /// Whole pages on the host's side, because the client maps them.
    private static let pageByteCount: UInt64 = 65_536

    /// Begins to hand out addresses; called once.
    func open(_ arena: DeviceArena) {
        lock.acquire()
        defer { lock.release() }
        deviceSide = AddressAllocator(
            start: arena.base &+ DeviceArena.alignment, end: arena.base &+ arena.moduleOffset,
            alignment: DeviceArena.alignment)
        hostSide = AddressAllocator(
            start: arena.base &+ arena.hostVisibleOffset, end: arena.base &+ arena.byteCount,
            alignment: DeviceMemory.pageByteCount)
        arenaWords[0] = arena.base
        posix_atomic_store_release_64(arenaWords + 1, arena.byteCount)
    }

    /// The device's addresses; nil before its first context.
    public var arena: DeviceArena? {
        let byteCount = posix_atomic_load_acquire_64(arenaWords + 1)
        return byteCount > 0 ? DeviceArena(base: arenaWords[0], byteCount: byteCount) : nil
    }

    /// Whether the address is the device's: in its arena, or one of a module's variables elsewhere.
    public func contains(_ address: UInt64) -> Bool {
        let byteCount = posix_atomic_load_acquire_64(arenaWords + 1)
        return address &- arenaWords[0] < byteCount || foreign.contains(address)
    }

    /// Takes over a module's variable; the worker's driver may have placed it outside of the arena.
    public func adopt(_ address: UInt64, byteCount: UInt64) {
        if let arena, !arena.contains(address) { foreign.add(address, byteCount: byteCount) }
    }

    /// A module's variable is gone.
    public func abandon(_ address: UInt64) {
        if let arena, !arena.contains(address) { foreign.remove(address) }
    }

    /// Whether this process may map pages at a module's variable.
    public func holdsPages(_ address: UInt64, byteCount: UInt64) -> Bool {
        guard let arena, byteCount > 0 else { return false }
        guard arena.holdsModule(address) else { return foreign.isClaimed(address) }
        return byteCount <= arena.hostVisibleOffset &- (address &- arena.base)
    }

    /// Bytes that this process may still use without asking.
    public var leasedByteCount: UInt64 { lock.withLock { lease.availableByteCount } }

    private static func isHostSide(_ kind: MemoryKind) -> Bool { kind != .device }

    /// Takes memory. For `host`, nothing is sent: ``announce(_:context:lane:)`` does that when the device has to see
    /// it.
    public func allocate(
        _ byteCount: UInt64, kind: MemoryKind, context: UnsafeMutablePointer<ContextState>, lane: Lane
    ) -> (status: Int32, address: UInt64) {
        lock.acquire()
        defer { lock.release() }
        let counts = kind == .device || kind == .managed
        guard
            let rounded =
                (kind == .device ? deviceSide.roundedByteCount(byteCount) : hostSide.roundedByteCount(byteCount))
        else { return (ClientStatus.outOfMemory, 0) }
        if counts {
            let status = ensureLease(rounded, contextID: context.pointee.id, lane: lane)
            guard status == ClientStatus.success else { return (status, 0) }
        }
        var block = take(byteCount, kind)
        if block == nil, settle(context: context, lane: lane) { block = take(byteCount, kind) }
        guard let block else { return (ClientStatus.outOfMemory, 0) }
        block.pointee.kind = kind.rawValue
        block.pointee.context = context
        let address = block.pointee.address
        if counts { lease.use(rounded) }
        if kind != .host {
            let wireKind: UInt32 = kind == .device ? 0 : kind == .managed ? 1 : 2
            let status = lane.send(
                MemoryAllocate(address: address, byteCount: byteCount, kind: wireKind), context: context.pointee.id)
            guard status == ClientStatus.success else { return (status, 0) }
        }
        return (ClientStatus.success, address)
    }

    /// Gives bytes of the lease back, after the command that ends their use.
    public func discharge(_ byteCount: UInt64, context: UnsafeMutablePointer<ContextState>, lane: Lane?) {
        lock.acquire()
        defer { lock.release() }
        let excess = lease.release(byteCount)
        if excess > 0, let lane {
            _ = lane.send(MemoryReturn(device: wireIndex, byteCount: excess), context: context.pointee.id)
        }
    }

    private func take(_ byteCount: UInt64, _ kind: MemoryKind) -> UnsafeMutablePointer<Block>? {
        DeviceMemory.isHostSide(kind) ? hostSide.allocate(byteCount) : deviceSide.allocate(byteCount)
    }

    /// Sees to it that so many bytes can be used; the caller holds the lock.
    func ensureLease(_ byteCount: UInt64, contextID: UInt64, lane: Lane) -> Int32 {
        guard let need = lease.shortfall(for: byteCount) else { return ClientStatus.success }
        guard need.minimum <= lease.totalByteCount else { return ClientStatus.outOfMemory }
        var reply = MemoryGrant.Reply()
        let result = lane.call(
            MemoryGrant(device: wireIndex, minimumByteCount: need.minimum, wantedByteCount: need.wanted),
            reply: &reply, context: contextID)
        if result.hasOutputs { lease.grow(by: reply.grantedByteCount) }
        guard result.status == ClientStatus.success else { return result.status }
        return lease.shortfall(for: byteCount) == nil ? ClientStatus.success : ClientStatus.outOfMemory
    }

    /// Waits until freed addresses are really unused, when the arena has no other left.
    private func settle(context: UnsafeMutablePointer<ContextState>, lane: Lane) -> Bool {
        guard deviceSide.hasResting || hostSide.hasResting else { return false }
        let moments = (deviceSide.freeCount, hostSide.freeCount)
        var reply = ContextSynchronize.Reply()
        _ = lane.call(
            ContextSynchronize(context: context.pointee.id), reply: &reply, context: context.pointee.id)
        deviceSide.release(through: moments.0)
        hostSide.release(through: moments.1)
        return true
    }

    /// Lets the device see host memory from now on.
    public func announce(
        _ address: UInt64, byteCount: UInt64, context: UnsafeMutablePointer<ContextState>, lane: Lane
    ) -> Int32 {
        lane.send(MemoryAllocate(address: address, byteCount: byteCount, kind: 2), context: context.pointee.id)
    }

    /// Ends the allocation that begins at `address`. Its block as it was, or nil when there is none.
    ///
    /// `stream` nil means that the worker does not know the memory.
    public func free(
        _ address: UInt64, stream: UInt64?, context: UnsafeMutablePointer<ContextState>, lane: Lane?
    ) -> Block? {
        lock.acquire()
        defer { lock.release() }
        guard let block = find(address), block.pointee.address == address else { return nil }
        let copy = block.pointee
        let isHostSide = hostSide.contains(address)
        let freed = isHostSide ? hostSide.free(address) : deviceSide.free(address)
        guard let freed else { return nil }
        if let lane, let stream {
            _ = lane.send(MemoryFree(address: address, stream: stream), context: context.pointee.id)
        }
        if copy.kind == MemoryKind.device.rawValue || copy.kind == MemoryKind.managed.rawValue {
            guard copy.flags & DeviceMemory.sharedFlag == 0 else {
                lease.forfeit(freed)
                return copy
            }
            let excess = lease.release(freed)
            if excess > 0, let lane {
                _ = lane.send(MemoryReturn(device: wireIndex, byteCount: excess), context: context.pointee.id)
            }
        }
        return copy
    }

    /// The allocation that contains `address`; the caller holds the lock while it uses the pointer.
    public func find(_ address: UInt64) -> UnsafeMutablePointer<Block>? {
        hostSide.contains(address) ? hostSide.find(address) : deviceSide.find(address)
    }

    /// A copy of the allocation that contains `address`.
    public func block(containing address: UInt64) -> Block? {
        lock.withLock { find(address)?.pointee }
    }

    /// The first allocation of a context at or above `address`.
    public func nextBlock(from address: UInt64, of context: UnsafeMutablePointer<ContextState>) -> Block? {
        lock.acquire()
        defer { lock.release() }
        guard let arena else { return nil }
        var position = address
        while arena.contains(position) {
            let isHostSide = hostSide.contains(position)
            guard let found = isHostSide ? hostSide.nextUsed(after: position) : deviceSide.nextUsed(after: position)
            else {
                guard !isHostSide else { return nil }
                position = arena.base &+ arena.hostVisibleOffset
                continue
            }
            if found.pointee.context == context { return found.pointee }
            position = found.pointee.address &+ found.pointee.byteCount
        }
        return nil
    }

    /// Names the present moment, for ``release(through:)``.
    public var moment: (UInt64, UInt64) { lock.withLock { (deviceSide.freeCount, hostSide.freeCount) } }

    /// Makes addresses usable again that were freed before a moment; the whole context has been idle since.
    public func release(through moment: (UInt64, UInt64)) {
        lock.acquire()
        deviceSide.release(through: moment.0)
        hostSide.release(through: moment.1)
        lock.release()
    }

    /// The first address of the arena; 0 before the first context.
    public var firstAddress: UInt64 { arena?.base ?? 0 }

    /// Whether the worker places module globals at an address.
    public func holdsModule(_ address: UInt64) -> Bool {
        guard let arena else { return false }
        return arena.holdsModule(address) || (!arena.contains(address) && foreign.contains(address))
    }
}
