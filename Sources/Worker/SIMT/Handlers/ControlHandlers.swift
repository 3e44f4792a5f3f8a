/// Branches, predication, returns.
enum ControlHandlers {
    /// `bra`: all active lanes go to the target.
    static let branch: Handler = { w, i in jump(w, i, i + Int(truncatingIfNeeded: i.instruction.pointee.immediate)) }

    static let branchIf: Handler = { w, i in fork(w, i, predicate(w, i.instruction.pointee.a)) }

    static let branchUnless: Handler = { w, i in fork(w, i, ~predicate(w, i.instruction.pointee.a)) }

    /// Guards the next `immediate` instructions with a predicate.
    static let when: Handler = { w, i in guarded(w, i, predicate(w, i.instruction.pointee.a)) }

    static let unless: Handler = { w, i in guarded(w, i, ~predicate(w, i.instruction.pointee.a)) }

    static let exit: Handler = { w, i in
        exitLanes(w)
        return nil
    }

    /// `ret`: from a kernel it is an exit, from a function it goes back to the caller.
    static let ret: Handler = { w, i in
        let frame = w.warp.pointee.frame
        if frame.pointee.parent == nil {
            exitLanes(w)
        } else {
            returnLanes(w)
        }
        return nil
    }

    static let trap: Handler = { w, i in
        fail(w, i, .launchFailed, lane: w.warp.pointee.mask.trailingZeroBitCount)
    }

    static let nop: Handler = { w, i in i.next }

    /// `nanosleep`: lets other fragments, warps and blocks run.
    static let yield: Handler = { w, i in
        let warp = w.warp
        warp.pointee.fragments[warp.pointee.current].pc = i.next
        warp.pointee.exit = .yield
        return nil
    }

    /// `brx.idx`: each lane goes to the entry of a table that its index names.
    static let branchTable: Handler = { w, i in
        let warp = w.warp
        let function = warp.pointee.frame.pointee.function.takeUnretainedValue()
        let table = function.branchTables[Int(truncatingIfNeeded: i.instruction.pointee.immediate)]
        let indices = lanes(w, i.instruction.pointee.a, as: UInt32.self)
        let frame = warp.pointee.frame
        var rest = warp.pointee.mask
        removeFragment(warp, at: warp.pointee.current)
        while rest != 0 {
            let first = rest.trailingZeroBitCount
            let index = indices[first]
            var same: UInt32 = 0
            for lane in 0..<laneCount where indices[lane] == index { same |= 1 &<< UInt32(truncatingIfNeeded: lane) }
            same &= rest
            rest &= ~same
            guard Int(index) < table.count else { return fail(w, i, .illegalInstruction, lane: first) }
            let pc = function.entry + table[Int(index)] * MemoryLayout<Instruction>.stride
            addFragment(warp, Fragment(pc: pc, frame: frame, mask: same))
        }
        warp.pointee.current = warp.pointee.fragmentCount - 1
        warp.pointee.exit = .reschedule
        return nil
    }

}

/// Ends the active lanes' threads.
@inline(never)
func exitLanes(_ w: WarpPointer) {
    let warp = w.warp
    let mask = warp.pointee.mask
    warp.pointee.alive &= ~mask
    warp.pointee.exit = .reschedule
    dropLanes(warp, mask)
    removeFragment(warp, at: warp.pointee.current)
    // Those who waited for lanes that are gone may go on.
    for index in 0..<warp.pointee.fragmentCount where warp.pointee.fragments[index].state == .warpSync {
        warp.pointee.fragments[index].state = .runnable
    }
    releaseWarpBarriers(warp)
    warp.pointee.block.withUnretainedReference { $0.exited(mask.nonzeroBitCount) }
}

/// Takes lanes out of a frame and of all frames below it; frames without lanes go back to the pool.
private func dropLanes(_ warp: UnsafeMutablePointer<Warp>, _ mask: UInt32) {
    var next: UnsafeMutablePointer<Frame>? = warp.pointee.frame
    while let current = next {
        next = current.pointee.parent
        current.pointee.lanes &= ~mask
        if current.pointee.lanes == 0, next != nil {
            warp.pointee.block.withUnretainedReference { $0.putFrame(current) }
        }
    }
}

@inline(__always)
private func jump(
    _ w: WarpPointer, _ i: InstructionPointer, _ target: InstructionPointer
) -> InstructionPointer? {
    let warp = w.warp
    if target <= i, warp.pointee.fragmentCount > 1 {
        warp.pointee.backEdges &+= 1
        if warp.pointee.backEdges > Warp.backEdgeLimit {
            warp.pointee.fragments[warp.pointee.current].pc = target
            warp.pointee.exit = .yield
            return nil
        }
    }
    return target
}

@inline(__always)
private func fork(
    _ w: WarpPointer, _ i: InstructionPointer, _ bits: UInt32
) -> InstructionPointer? {
    let mask = w.warp.pointee.mask
    let taken = mask & bits
    if taken == 0 { return i.next }
    let target = i + Int(truncatingIfNeeded: i.instruction.pointee.immediate)
    if taken == mask { return jump(w, i, target) }
    return split(w, i, target, taken)
}

@inline(never)
private func split(
    _ w: WarpPointer, _ i: InstructionPointer, _ target: InstructionPointer, _ taken: UInt32
) -> InstructionPointer? {
    let warp = w.warp
    let mask = warp.pointee.mask
    let current = warp.pointee.fragments + warp.pointee.current
    let frame = current.pointee.frame
    warp.pointee.exit = .reschedule
    if target <= i {
        warp.pointee.backEdges &+= 1
        if warp.pointee.backEdges > Warp.backEdgeLimit { warp.pointee.exit = .yield }
    }
    current.pointee.pc = target
    current.pointee.mask = taken
    addFragment(warp, Fragment(pc: i.next, frame: frame, mask: mask & ~taken))
    return nil
}

@inline(__always)
private func guarded(
    _ w: WarpPointer, _ i: InstructionPointer, _ bits: UInt32
) -> InstructionPointer? {
    let mask = w.warp.pointee.mask
    let active = mask & bits
    if active == mask { return i.next }
    let count = Int(truncatingIfNeeded: i.instruction.pointee.immediate)
    let end = i + (count &+ 1) &* MemoryLayout<Instruction>.stride
    if active == 0 { return end }
    w.warp.pointee.mask = active
    var pc = i.next
    while pc < end {
        guard let next = pc.instruction.pointee.handler(w, pc) else { return nil }
        pc = next
    }
    w.warp.pointee.mask = mask
    return end
}
