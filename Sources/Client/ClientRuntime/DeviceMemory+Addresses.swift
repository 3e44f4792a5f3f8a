internal import Primitives
internal import WireProtocol

// Addresses without memory, and memory without addresses.
extension DeviceMemory {
    /// Takes addresses out of the arena: at `wanted` when that is free, else anywhere. The caller holds the lock.
    public func reserve(_ byteCount: UInt64, alignedTo alignment: UInt64, at wanted: UInt64) -> UnsafeMutablePointer<
        Block
    >? {
        var block: UnsafeMutablePointer<Block>?
        if wanted != 0, wanted & (alignment &- 1) == 0 {
            block =
                hostSide.contains(wanted)
                ? hostSide.allocate(byteCount, at: wanted) : deviceSide.allocate(byteCount, at: wanted)
        }
        block = block ?? deviceSide.allocate(byteCount, alignedTo: alignment)
        block = block ?? hostSide.allocate(byteCount, alignedTo: alignment)
        block?.pointee.kind = MemoryKind.reserved.rawValue
        return block
    }

    /// Gives reserved addresses back. The caller holds the lock and has seen to it that no work uses them.
    public func unreserve(_ address: UInt64) {
        _ = hostSide.contains(address) ? hostSide.freeAtOnce(address) : deviceSide.freeAtOnce(address)
    }

    /// Takes bytes without an address from the lease.
    public func charge(_ byteCount: UInt64, contextID: UInt64, lane: Lane) -> Int32 {
        lock.acquire()
        defer { lock.release() }
        let status = ensureLease(byteCount, contextID: contextID, lane: lane)
        if status == ClientStatus.success { lease.use(byteCount) }
        return status
    }

    /// Ends the use of such bytes; the caller holds the lock. `isShared`: the worker goes on charging them.
    public func discharge(_ byteCount: UInt64, isShared: Bool, contextID: UInt64, lane: Lane) {
        guard !isShared else {
            lease.forfeit(byteCount)
            return
        }
        let excess = lease.release(byteCount)
        if excess > 0 { _ = lane.send(MemoryReturn(device: wireIndex, byteCount: excess), context: contextID) }
    }
}
