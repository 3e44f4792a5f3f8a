/// Barriers of blocks and warps, and the gathering of lanes for `.sync` instructions.
enum BarrierHandlers {
    /// `bar.sync`, `bar.arrive` and `bar.red`: a names the barrier, b the number of threads (0: all), c the predicate.
    static let block: Handler = { w, i in
        let warp = w.warp
        let mask = warp.pointee.mask
        let first = mask.trailingZeroBitCount
        let id = Int(lanes(w, i.instruction.pointee.a, as: UInt32.self)[first] & 15)
        let expected = Int(lanes(w, i.instruction.pointee.b, as: UInt32.self)[first])
        let form = BarrierForm(rawValue: i.instruction.pointee.flags & 7) ?? .wait
        var trueCount = 0
        if form != .wait, form != .arrive {
            trueCount = (predicate(w, i.instruction.pointee.c) & mask).nonzeroBitCount
        }
        let fragment = warp.pointee.fragments + warp.pointee.current
        if form == .arrive {
            fragment.pointee.pc = i.next
            warp.pointee.exit = .reschedule
        } else {
            fragment.pointee.pc = i
            fragment.pointee.state = .blockBarrier
            fragment.pointee.barrier = UInt8(id)
            warp.pointee.exit = .blocked
        }
        warp.pointee.block.withUnretainedReference {
            $0.arrive(id, threads: mask.nonzeroBitCount, expected: expected, trueCount: trueCount)
        }
        return nil
    }

    /// `bar.warp.sync`: lanes may arrive at different instructions.
    static let warp: Handler = { w, i in
        let warp = w.warp
        let mask = warp.pointee.mask
        let members = lanes(w, i.instruction.pointee.a, as: UInt32.self)[mask.trailingZeroBitCount]
        if members & warp.pointee.alive & ~mask == 0 { return i.next }
        let fragment = warp.pointee.fragments + warp.pointee.current
        fragment.pointee.pc = i
        fragment.pointee.state = .warpBarrier
        warp.pointee.exit = .blocked
        releaseWarpBarriers(warp)
        return nil
    }
}

/// Lets those go on whose member masks are complete at `bar.warp.sync`.
func releaseWarpBarriers(_ warp: UnsafeMutablePointer<Warp>) {
    var waiting: UInt32 = 0
    for index in 0..<warp.pointee.fragmentCount where warp.pointee.fragments[index].state == .warpBarrier {
        waiting |= warp.pointee.fragments[index].mask
    }
    if waiting == 0 { return }
    var complete: UInt32 = 0
    for index in 0..<warp.pointee.fragmentCount where warp.pointee.fragments[index].state == .warpBarrier {
        let fragment = warp.pointee.fragments[index]
        if members(of: fragment) & warp.pointee.alive & ~waiting == 0 { complete |= 1 << UInt32(index) }
    }
    for index in 0..<warp.pointee.fragmentCount where (complete >> UInt32(index)) & 1 == 1 {
        warp.pointee.fragments[index].pc = warp.pointee.fragments[index].pc.next
        warp.pointee.fragments[index].state = .runnable
    }
}

private func members(of fragment: Fragment) -> UInt32 {
    let offset = Int(fragment.pc.instruction.pointee.a)
    let values = (fragment.frame.pointee.registers + offset).assumingMemoryBound(to: UInt32.self)
    return values[fragment.mask.trailingZeroBitCount]
}

/// The lanes that may execute a `.sync` instruction now: those whose member masks are all here.
///
/// Returns 0 after it has parked the fragment. When only some lanes are ready, the others are split off and parked.
@inline(__always)
func gather(_ w: WarpPointer, _ i: InstructionPointer, membersAt offset: UInt32) -> UInt32 {
    let warp = w.warp
    let mask = warp.pointee.mask
    let members = lanes(w, offset, as: UInt32.self)
    let alive = warp.pointee.alive
    if mask == alive { return mask }
    return gatherSlowly(w, i, members)
}

@inline(never)
private func gatherSlowly(
    _ w: WarpPointer, _ i: InstructionPointer, _ members: UnsafeMutablePointer<UInt32>
) -> UInt32 {
    let warp = w.warp
    let alive = warp.pointee.alive
    absorbWaiting(warp, i)
    let mask = warp.pointee.mask
    var ready: UInt32 = 0
    _ = forEachLane(mask) { lane in
        if members[lane] & alive & ~mask == 0 { ready |= 1 &<< UInt32(truncatingIfNeeded: lane) }
        return true
    }
    if ready == mask { return mask }
    let current = warp.pointee.fragments + warp.pointee.current
    if ready == 0 {
        current.pointee.pc = i
        current.pointee.state = .warpSync
        warp.pointee.exit = .blocked
        return 0
    }
    addFragment(
        warp, Fragment(pc: i, frame: current.pointee.frame, mask: mask & ~ready, state: .warpSync))
    current.pointee.mask = ready
    warp.pointee.mask = ready
    return ready
}

/// Joins to the current fragment those that wait at the instruction which it is about to execute.
private func absorbWaiting(_ warp: UnsafeMutablePointer<Warp>, _ i: InstructionPointer) {
    var index = 0
    while index < warp.pointee.fragmentCount {
        let other = warp.pointee.fragments[index]
        let meets =
            index != warp.pointee.current && other.state == .warpSync && other.pc == i
            && other.frame == warp.pointee.frame
        if meets {
            warp.pointee.mask |= other.mask
            warp.pointee.fragments[warp.pointee.current].mask = warp.pointee.mask
            removeFragment(warp, at: index)
        } else {
            index += 1
        }
    }
}
