/// How a warp's turn ended.
enum WarpOutcome {
    /// It can go on later.
    case budget
    /// All its fragments wait.
    case blocked
    /// All its lanes have exited.
    case done
    case fault
}

/// Runs fragments of one warp until its budget is spent, all fragments wait, or it ends.
///
/// The fragment with the deepest frame and then the lowest pc runs first, and merges with fragments that it meets
/// (thread frontiers). A fragment that spins while others wait offers its turn, so locks between lanes of one warp
/// make progress.
func runWarp(_ w: WarpPointer, budget: Int) -> WarpOutcome {
    let warp = w.warp
    var left = budget
    var forced = 0
    while true {
        if warp.pointee.fragmentCount == 0 { return .done }
        if forced > 0, warp.pointee.fragments[warp.pointee.current].state != .runnable { forced = 0 }
        if forced == 0, !selectFragment(warp) { return .blocked }
        mergeWithCurrent(warp)
        let fragment = warp.pointee.fragments + warp.pointee.current
        enter(warp, fragment)
        if left <= 0 { return .budget }
        var steps = left
        if warp.pointee.fragmentCount == 1 {
            runAlone(w, fragment.pointee.pc, &steps)
        } else if forced > 0 {
            steps = min(forced, left)
            let share = steps
            runForced(w, fragment.pointee.pc, &steps)
            let used = share - steps
            forced -= used
            steps = left - used
        } else {
            runOrdered(w, fragment.pointee.pc, &steps)
        }
        warp.pointee.instructionCount &+= UInt64(truncatingIfNeeded: left &- steps)
        left = steps
        switch warp.pointee.exit {
        case .fault: return .fault
        case .yield:
            if warp.pointee.fragmentCount == 1 || !rotate(warp) { return .budget }
            forced = forcedSlice
        case .blocked, .reschedule:
            forced = warp.pointee.exit == .blocked ? 0 : forced
            if forced > 0, warp.pointee.current >= warp.pointee.fragmentCount { forced = 0 }
        case .none: break
        }
        warp.pointee.exit = .none
    }
}

/// Instructions that a fragment runs when another one has spun for long.
private let forcedSlice = 512

private func enter(_ warp: UnsafeMutablePointer<Warp>, _ fragment: UnsafeMutablePointer<Fragment>) {
    warp.pointee.mask = fragment.pointee.mask
    warp.pointee.frame = fragment.pointee.frame
    warp.pointee.registers = fragment.pointee.frame.pointee.registers
    warp.pointee.exit = .none
}

/// The inner loop when no other fragment exists.
private func runAlone(_ w: WarpPointer, _ start: InstructionPointer, _ steps: inout Int) {
    var pc = start
    var left = steps
    while left > 0 {
        left &-= 1
        guard let next = pc.instruction.pointee.handler(w, pc) else {
            steps = left
            return
        }
        pc = next
    }
    steps = 0
    w.warp.pointee.fragments[w.warp.pointee.current].pc = pc
}

/// The loop when the lowest pc has precedence: stops where another fragment of the frame waits.
private func runOrdered(_ w: WarpPointer, _ start: InstructionPointer, _ steps: inout Int) {
    let warp = w.warp
    let frame = warp.pointee.frame
    var above = UInt.max
    var below: UInt = 0
    for index in 0..<warp.pointee.fragmentCount where index != warp.pointee.current {
        let other = warp.pointee.fragments[index]
        if other.frame != frame || other.state == .blockBarrier || other.state == .warpBarrier { continue }
        let pc = UInt(bitPattern: other.pc)
        if pc > UInt(bitPattern: start) { above = min(above, pc) } else { below = max(below, pc) }
    }
    var pc = start
    var left = steps
    while left > 0 {
        left &-= 1
        guard let next = pc.instruction.pointee.handler(w, pc) else {
            steps = left
            return
        }
        pc = next
        let address = UInt(bitPattern: pc)
        if address >= above || address <= below { break }
    }
    steps = left
    warp.pointee.fragments[warp.pointee.current].pc = pc
}

/// The loop for a fragment out of order: stops only where it can merge.
private func runForced(_ w: WarpPointer, _ start: InstructionPointer, _ steps: inout Int) {
    let warp = w.warp
    var pc = start
    var left = steps
    while left > 0 {
        left &-= 1
        guard let next = pc.instruction.pointee.handler(w, pc) else {
            steps = left
            return
        }
        pc = next
        var meets = false
        for index in 0..<warp.pointee.fragmentCount where index != warp.pointee.current {
            let other = warp.pointee.fragments[index]
            meets = meets || (other.pc == pc && other.frame == warp.pointee.frame)
        }
        if meets { break }
    }
    steps = left
    warp.pointee.fragments[warp.pointee.current].pc = pc
}

/// Makes the fragment current that should run; false when all wait.
private func selectFragment(_ warp: UnsafeMutablePointer<Warp>) -> Bool {
    var best = -1
    for index in 0..<warp.pointee.fragmentCount {
        let candidate = warp.pointee.fragments[index]
        if candidate.state != .runnable { continue }
        if best < 0 {
            best = index
            continue
        }
        let chosen = warp.pointee.fragments[best]
        let depth = candidate.frame.pointee.depth
        let other = chosen.frame.pointee.depth
        if depth > other || (depth == other && candidate.pc < chosen.pc) { best = index }
    }
    if best < 0 { return false }
    warp.pointee.current = best
    return true
}

/// Joins to the current fragment those that are at the same instruction of the same frame.
private func mergeWithCurrent(_ warp: UnsafeMutablePointer<Warp>) {
    if warp.pointee.fragmentCount == 1 { return }
    let fragments = warp.pointee.fragments
    var index = 0
    while index < warp.pointee.fragmentCount {
        let current = warp.pointee.current
        let other = fragments[index]
        let meets =
            index != current && other.pc == fragments[current].pc && other.frame == fragments[current].frame
            && (other.state == .runnable || other.state == .warpSync)
        if meets {
            fragments[current].mask |= other.mask
            removeFragment(warp, at: index)
            warp.pointee.backEdges = 0
        } else {
            index += 1
        }
    }
}

/// Makes the next runnable fragment current; false when there is no other.
private func rotate(_ warp: UnsafeMutablePointer<Warp>) -> Bool {
    let count = warp.pointee.fragmentCount
    warp.pointee.backEdges = 0
    for step in 1..<max(2, count) {
        let index = (warp.pointee.current + step) % count
        if index != warp.pointee.current, warp.pointee.fragments[index].state == .runnable {
            warp.pointee.current = index
            return true
        }
    }
    return false
}

/// Removes a fragment, keeping `current` on the same one; the last one takes its place.
func removeFragment(_ warp: UnsafeMutablePointer<Warp>, at index: Int) {
    let last = warp.pointee.fragmentCount - 1
    warp.pointee.fragments[index] = warp.pointee.fragments[last]
    warp.pointee.fragmentCount = last
    if warp.pointee.current == last { warp.pointee.current = index }
}

/// Adds a fragment. There are never more than lanes, so it always fits.
@inline(__always)
func addFragment(_ warp: UnsafeMutablePointer<Warp>, _ fragment: Fragment) {
    warp.pointee.fragments[warp.pointee.fragmentCount] = fragment
    warp.pointee.fragmentCount &+= 1
}
