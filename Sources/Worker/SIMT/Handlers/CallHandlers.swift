/// Calls and returns.
enum CallHandlers {
    static let call: Handler = { w, i in
        let warp = w.warp
        let function = warp.pointee.frame.pointee.function.takeUnretainedValue()
        let index = Int(truncatingIfNeeded: i.instruction.pointee.immediate)
        switch function.callSites[index].callee {
        case .function(let callee): return enter(w, i, callee, index, warp.pointee.mask)
        case .builtin(let builtin):
            return Builtins.run(builtin, w, i, function.callSites[index])
        case .indirect(let register): return enterIndirect(w, i, register, index)
        }
    }

    /// Splits the fragment by the addresses that its lanes call.
    private static func enterIndirect(
        _ w: WarpPointer, _ i: InstructionPointer, _ register: UInt32, _ siteIndex: Int
    ) -> InstructionPointer? {
        let warp = w.warp
        let addresses = lanes(w, register, as: UInt64.self)
        let mask = warp.pointee.mask
        let first = mask.trailingZeroBitCount
        let address = addresses[first]
        var same: UInt32 = 0
        for lane in 0..<laneCount where addresses[lane] == address { same |= 1 &<< UInt32(truncatingIfNeeded: lane) }
        same &= mask
        guard let callee = LoadedProgram.functionIndex(at: address) else {
            return fail(w, i, .invalidProgramCounter, lane: first, address: address)
        }
        if same != mask {
            let frame = warp.pointee.frame
            addFragment(warp, Fragment(pc: i, frame: frame, mask: mask & ~same))
            warp.pointee.fragments[warp.pointee.current].mask = same
            warp.pointee.mask = same
        }
        return enter(w, i, callee, siteIndex, same)
    }
}

/// Copies bytes of each lane's local memory.
private func copyLocal(
    _ warp: UnsafeMutablePointer<Warp>, _ mask: UInt32, from: Int, to: Int, byteCount: Int
) {
    _ = forEachLane(mask) { lane in
        let start = warp.pointee.local + lane &* Int(truncatingIfNeeded: warp.pointee.localByteCount)
        (start + to).copyMemory(from: start + from, byteCount: byteCount)
        return true
    }
}

/// `ret` in a function: results go to the caller's variables, the lanes to the instruction after the call.
@inline(never)
func returnLanes(_ w: WarpPointer) {
    let warp = w.warp
    let mask = warp.pointee.mask
    let frame = warp.pointee.frame
    warp.pointee.exit = .reschedule
    guard let parent = frame.pointee.parent, let pc = frame.pointee.returnPC else { return }
    let function = frame.pointee.function.takeUnretainedValue()
    let site = parent.pointee.function.takeUnretainedValue().callSites[frame.pointee.callSite]
    for (result, formal) in zip(site.results, function.results) {
        copyLocal(
            warp, mask, from: frame.pointee.localOffset + formal.offset, to: parent.pointee.localOffset + result.offset,
            byteCount: min(result.byteCount, formal.byteCount))
    }
    frame.pointee.lanes &= ~mask
    if frame.pointee.lanes == 0 { warp.pointee.block.takeUnretainedValue().putFrame(frame) }
    warp.pointee.fragments[warp.pointee.current] = Fragment(pc: pc, frame: parent, mask: mask)
}

/// Starts a callee for `mask`, which is the current fragment's.
@inline(never)
private func enter(
    _ w: WarpPointer, _ i: InstructionPointer, _ callee: Int, _ siteIndex: Int, _ mask: UInt32
) -> InstructionPointer? {
    let warp = w.warp
    let caller = warp.pointee.frame
    let block = warp.pointee.block.takeUnretainedValue()
    let first = mask.trailingZeroBitCount
    guard let function = block.launch.launch.kernel.functions[callee] else {
        return fail(w, i, .invalidProgramCounter, lane: first)
    }
    let callerFunction = caller.pointee.function.takeUnretainedValue()
    let site = callerFunction.callSites[siteIndex]
    let localOffset = caller.pointee.localOffset + callerFunction.localByteCount
    guard UInt64(localOffset + function.localByteCount) <= warp.pointee.localByteCount,
        caller.pointee.depth < 4096
    else { return fail(w, i, .illegalAddress, lane: first) }
    let shared = earlierFrame(warp, of: function, calledFrom: caller, returningTo: i.next)
    guard let frame = shared ?? block.takeFrameOfCallee(function) else {
        return fail(w, i, .outOfResources, lane: first)
    }
    if shared == nil {
        frame.pointee.parent = caller
        frame.pointee.returnPC = i.next
        frame.pointee.callSite = siteIndex
        frame.pointee.lanes = 0
        frame.pointee.depth = caller.pointee.depth + 1
        frame.pointee.localOffset = localOffset
    }
    frame.pointee.lanes |= mask
    for (argument, formal) in zip(site.arguments, function.parameters) {
        copyLocal(
            warp, mask, from: caller.pointee.localOffset + argument.offset, to: localOffset + formal.offset,
            byteCount: min(argument.byteCount, formal.byteCount))
    }
    let fragment = warp.pointee.fragments + warp.pointee.current
    fragment.pointee = Fragment(pc: function.entry, frame: frame, mask: mask)
    warp.pointee.exit = .reschedule
    return nil
}

/// The frame of lanes that made the same call earlier and are still in the function. Later lanes join it, as only
/// lanes of one frame can meet at `.sync` instructions; they have no values there yet, so nothing is lost.
private func earlierFrame(
    _ warp: UnsafeMutablePointer<Warp>, of function: Function, calledFrom caller: UnsafeMutablePointer<Frame>,
    returningTo pc: InstructionPointer
) -> UnsafeMutablePointer<Frame>? {
    if warp.pointee.fragmentCount == 1 { return nil }
    let depth = caller.pointee.depth + 1
    for index in 0..<warp.pointee.fragmentCount where index != warp.pointee.current {
        var frame = warp.pointee.fragments[index].frame
        while frame.pointee.depth > depth, let parent = frame.pointee.parent { frame = parent }
        let isSame =
            frame.pointee.parent == caller && frame.pointee.returnPC == pc
            && frame.pointee.function.toOpaque() == Unmanaged.passUnretained(function).toOpaque()
        if isSame { return frame }
    }
    return nil
}
