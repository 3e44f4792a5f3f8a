import Synchronization

/// `mbarrier`: a 64-bit word in shared memory that counts arrivals, bytes of bulk copies, and phases.
///
/// From the low end: 20 bits of threads that each phase awaits, 20 bits of arrivals that are missing, 21 bits of bytes
/// that are missing, 3 bits of the phase. The layout is the implementation's own; programs see it as an opaque state.
enum MemoryBarrierHandlers {
    static let initialize: Handler = { w, i in
        update(w, i) { _, count in MemoryBarrierState(count: count) }
    }

    static let invalidate: Handler = { w, i in update(w, i) { _, _ in MemoryBarrierState(bits: 0) } }

    /// d is the state before the arrival.
    static let arrive: Handler = { w, i in update(w, i) { old, count in old.arrived(count, drops: false) } }

    /// Arrives, and awaits fewer threads from the next phase on.
    static let arriveAndDrop: Handler = { w, i in update(w, i) { old, count in old.arrived(count, drops: true) } }

    /// Awaits b more bytes.
    static let expect: Handler = { w, i in update(w, i) { old, count in old.expecting(count) } }

    /// Awaits b more bytes, and arrives.
    static let expectAndArrive: Handler = { w, i in
        update(w, i) { old, count in old.expecting(count).arrived(1, drops: false) }
    }

    static let expectArriveAndDrop: Handler = { w, i in
        update(w, i) { old, count in old.expecting(count).arrived(1, drops: true) }
    }

    /// b bytes have come.
    static let complete: Handler = { w, i in update(w, i) { old, count in old.completed(count) } }

    /// Whether the phase of a state (b, 64 bits) is over; d is a predicate.
    static let test: Handler = { w, i in
        let states = lanes(w, i.instruction.pointee.b, as: UInt64.self)
        return poll(w, i) { now, lane in now.phase != MemoryBarrierState(bits: states[lane]).phase }
    }

    /// Whether the phase of a parity (b, 32 bits) is over.
    static let testParity: Handler = { w, i in
        let parities = lanes(w, i.instruction.pointee.b, as: UInt32.self)
        return poll(w, i) { now, lane in now.phase & 1 != UInt64(parities[lane] & 1) }
    }

    /// d = the arrivals that a state (a) still misses.
    static let pendingCount: Handler = { w, i in
        map1(w, i) { (a: UInt64) in UInt32(truncatingIfNeeded: (a &>> 20) & 0xf_ffff) }
    }
}

/// The word of an `mbarrier`.
struct MemoryBarrierState {
    var bits: UInt64

    private static let least: UInt64 = 0xf_ffff
    private static let byteMask: UInt64 = 0x1f_ffff

    @inline(__always)
    init(bits: UInt64) { self.bits = bits }

    @inline(__always)
    init(count: UInt32) { bits = (UInt64(count) & Self.least) | (UInt64(count) & Self.least) &<< 20 }

    @inline(__always) var phase: UInt64 { bits &>> 61 }

    @inline(__always)
    private static func make(_ expected: UInt64, _ missing: UInt64, _ bytes: UInt64, _ phase: UInt64) -> Self {
        if missing == 0, bytes == 0 { return Self(bits: expected | expected &<< 20 | (phase &+ 1) &<< 61) }
        return Self(bits: expected | missing &<< 20 | bytes &<< 40 | phase &<< 61)
    }

    @inline(__always)
    func arrived(_ count: UInt32, drops: Bool) -> Self {
        var expected = bits & Self.least
        let missing = (bits &>> 20) & Self.least
        if drops { expected = (expected &- UInt64(count)) & Self.least }
        return Self.make(
            expected, missing <= UInt64(count) ? 0 : missing &- UInt64(count), (bits &>> 40) & Self.byteMask, phase)
    }

    @inline(__always)
    func expecting(_ count: UInt32) -> Self {
        let bytes = ((bits &>> 40) &+ UInt64(count)) & Self.byteMask
        return Self(bits: (bits & ~(Self.byteMask &<< 40)) | bytes &<< 40)
    }

    @inline(__always)
    func completed(_ count: UInt32) -> Self {
        let bytes = ((bits &>> 40) &- UInt64(count)) & Self.byteMask
        return Self.make(bits & Self.least, (bits &>> 20) & Self.least, bytes, phase)
    }

    // SAFETY: aligned memory that lives as long as the launch.
    /// Replaces the word at an address; the old one.
    @inline(__always)
    @discardableResult
    static func change(_ pointer: UnsafeMutableRawPointer, _ body: (Self) -> Self) -> Self {
        let cell = pointer.assumingMemoryBound(to: Atomic<UInt64>.self)
        var old = cell.pointee.load(ordering: .relaxed)
        while true {
            let (done, seen) = cell.pointee.weakCompareExchange(
                expected: old, desired: body(Self(bits: old)).bits, successOrdering: .acquiringAndReleasing,
                failureOrdering: .relaxed)
            if done { return Self(bits: old) }
            old = seen
        }
    }
}

@inline(__always)
private func update(
    _ w: WarpPointer, _ i: InstructionPointer,
    _ body: (_ old: MemoryBarrierState, _ count: UInt32) -> MemoryBarrierState
) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let counts = lanes(w, i.instruction.pointee.b, as: UInt32.self)
    let d = lanes(w, i.instruction.pointee.d, as: UInt64.self)
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let pointer = accessPointer(w, i, access, lane: lane, size: 8) else { return false }
        d[lane] = MemoryBarrierState.change(pointer) { body($0, counts[lane]) }.bits
        return true
    }
    return isFine ? i.next : nil
}

@inline(__always)
private func poll(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (_ now: MemoryBarrierState, _ lane: Int) -> Bool
) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    var bits: UInt32 = 0
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let pointer = accessPointer(w, i, access, lane: lane, size: 8) else { return false }
        // SAFETY: as in `change`.
        let now = pointer.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .acquiring)
        bits |= (body(MemoryBarrierState(bits: now), lane) ? 1 : 0) &<< UInt32(truncatingIfNeeded: lane)
        return true
    }
    if !isFine { return nil }
    setPredicate(w, i.instruction.pointee.d, bits)
    return i.next
}
