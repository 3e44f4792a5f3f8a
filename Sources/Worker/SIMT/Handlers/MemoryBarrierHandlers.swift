import Synchronization

/// `mbarrier`: a 64-bit word in shared memory that counts arrivals and phases.
///
/// From the low end: 20 bits of threads that each phase awaits, 20 bits of arrivals that are missing, 24 bits of the
/// phase. The layout is the implementation's own; programs see it as an opaque state.
enum MemoryBarrierHandlers {
    static let initialize: Handler = { w, i in
        update(w, i) { _, count in UInt64(count & 0xf_ffff) | UInt64(count & 0xf_ffff) &<< 20 }
    }

    static let invalidate: Handler = { w, i in update(w, i) { _, _ in 0 } }

    /// d is the state before the arrival.
    static let arrive: Handler = { w, i in update(w, i) { old, count in arrived(old, count, drops: false) } }

    /// Arrives, and awaits fewer threads from the next phase on.
    static let arriveAndDrop: Handler = { w, i in update(w, i) { old, count in arrived(old, count, drops: true) } }

    /// Whether the phase of a state (b, 64 bits) is over; d is a predicate.
    static let test: Handler = { w, i in
        let states = lanes(w, i.instruction.pointee.b, as: UInt64.self)
        return poll(w, i) { now, lane in now &>> 40 != states[lane] &>> 40 }
    }

    /// Whether the phase of a parity (b, 32 bits) is over.
    static let testParity: Handler = { w, i in
        let parities = lanes(w, i.instruction.pointee.b, as: UInt32.self)
        return poll(w, i) { now, lane in (now &>> 40) & 1 != UInt64(parities[lane] & 1) }
    }

    /// d = the arrivals that a state (a) still misses.
    static let pendingCount: Handler = { w, i in
        map1(w, i) { (a: UInt64) in UInt32(truncatingIfNeeded: (a &>> 20) & 0xf_ffff) }
    }
}

@inline(__always)
private func arrived(_ old: UInt64, _ count: UInt32, drops: Bool) -> UInt64 {
    let least: UInt64 = 0xf_ffff
    var expected = old & least
    let missing = (old &>> 20) & least
    let phase = old &>> 40
    if drops { expected = (expected &- UInt64(count)) & least }
    if missing <= UInt64(count) { return expected | expected &<< 20 | (phase &+ 1) &<< 40 }
    return expected | (missing &- UInt64(count)) &<< 20 | phase &<< 40
}

@inline(__always)
private func update(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (_ old: UInt64, _ count: UInt32) -> UInt64
) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let counts = lanes(w, i.instruction.pointee.b, as: UInt32.self)
    let d = lanes(w, i.instruction.pointee.d, as: UInt64.self)
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let pointer = accessPointer(w, i, access, lane: lane, size: 8) else { return false }
        // SAFETY: aligned memory that lives as long as the launch.
        let cell = pointer.assumingMemoryBound(to: Atomic<UInt64>.self)
        var old = cell.pointee.load(ordering: .relaxed)
        while true {
            let (done, seen) = cell.pointee.weakCompareExchange(
                expected: old, desired: body(old, counts[lane]), successOrdering: .acquiringAndReleasing,
                failureOrdering: .relaxed)
            if done { break }
            old = seen
        }
        d[lane] = old
        return true
    }
    return isFine ? i.next : nil
}

@inline(__always)
private func poll(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (_ now: UInt64, _ lane: Int) -> Bool
) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    var bits: UInt32 = 0
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let pointer = accessPointer(w, i, access, lane: lane, size: 8) else { return false }
        // SAFETY: as in `update`.
        let now = pointer.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .acquiring)
        bits |= (body(now, lane) ? 1 : 0) &<< UInt32(truncatingIfNeeded: lane)
        return true
    }
    if !isFine { return nil }
    setPredicate(w, i.instruction.pointee.d, bits)
    return i.next
}
