/// Exchanges between lanes of a warp. `e` holds the member mask, 0 for forms without one.
enum WarpHandlers {
    enum Vote: UInt32 { case all, any, uniform, ballot }

    enum Reduction: UInt32 { case add, and, or, xor, least, greatest, signedLeast, signedGreatest }

    static let activeMask: Handler = { w, i in fill32(w, i, w.warp.pointee.mask) }

    static let shuffleUp: Handler = { w, i in
        shuffle(w, i) { lane, b, segment, clamp in
            let least = (lane & segment) | (clamp & ~segment)
            return (lane &- b, lane &- b >= least)
        }
    }

    static let shuffleDown: Handler = { w, i in
        shuffle(w, i) { lane, b, segment, clamp in
            let greatest = (lane & segment) | (clamp & ~segment)
            return (lane &+ b, lane &+ b <= greatest)
        }
    }

    static let shuffleButterfly: Handler = { w, i in
        shuffle(w, i) { lane, b, segment, clamp in
            let greatest = (lane & segment) | (clamp & ~segment)
            return (lane ^ b, lane ^ b <= greatest)
        }
    }

    static let shuffleIndex: Handler = { w, i in
        shuffle(w, i) { lane, b, segment, clamp in
            let greatest = (lane & segment) | (clamp & ~segment)
            let index = (lane & segment) | (b & ~segment)
            return (index, index <= greatest)
        }
    }

    static let vote: Handler = { w, i in
        let ready = gather(w, i, membersAt: i.instruction.pointee.e)
        if ready == 0 { return nil }
        let bits = predicate(w, i.instruction.pointee.a)
        let form = Vote(rawValue: i.instruction.pointee.flags) ?? .all
        var flags: UInt32 = 0
        eachGroup(w, i, ready) { group in
            let set = bits & group
            switch form {
            case .ballot: write(w, i.instruction.pointee.d, set, lanesOf: group)
            case .all: flags |= set == group ? group : 0
            case .any: flags |= set != 0 ? group : 0
            case .uniform: flags |= set == 0 || set == group ? group : 0
            }
        }
        if form != .ballot { setPredicate(w, i.instruction.pointee.d, flags) }
        return i.next
    }

    static let match32: Handler = { w, i in match(w, i, UInt32.self) }
    static let match64: Handler = { w, i in match(w, i, UInt64.self) }

    static let reduce: Handler = { w, i in
        let ready = gather(w, i, membersAt: i.instruction.pointee.e)
        if ready == 0 { return nil }
        let a = lanes(w, i.instruction.pointee.a, as: UInt32.self)
        let form = Reduction(rawValue: i.instruction.pointee.flags) ?? .add
        eachGroup(w, i, ready) { group in
            var value = a[group.trailingZeroBitCount]
            _ = forEachLane(group & (group &- 1)) { lane in
                value = combined(value, a[lane], form)
                return true
            }
            write(w, i.instruction.pointee.d, value, lanesOf: group)
        }
        return i.next
    }

    static let elect: Handler = { w, i in
        let ready = gather(w, i, membersAt: i.instruction.pointee.e)
        if ready == 0 { return nil }
        var leaders: UInt32 = 0
        eachGroup(w, i, ready) { group in
            leaders |= group & (0 &- group)
            write(w, i.instruction.pointee.d, UInt32(truncatingIfNeeded: group.trailingZeroBitCount), lanesOf: group)
        }
        setPredicate(w, UInt32(truncatingIfNeeded: i.instruction.pointee.immediate), leaders)
        return i.next
    }
}

/// Moves `a` between lanes: `pick` gives the source lane and whether it is valid, from the lane, `b` and `c`.
@inline(__always)
private func shuffle(
    _ w: WarpPointer, _ i: InstructionPointer,
    _ pick: (_ lane: Int32, _ b: Int32, _ segment: Int32, _ clamp: Int32) -> (Int32, Bool)
) -> InstructionPointer? {
    let ready = gather(w, i, membersAt: i.instruction.pointee.e)
    if ready == 0 { return nil }
    let a = lanes(w, i.instruction.pointee.a, as: UInt32.self)
    let b = lanes(w, i.instruction.pointee.b, as: Int32.self)
    let c = lanes(w, i.instruction.pointee.c, as: Int32.self)
    var valid = SIMD32<UInt32>()
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<UInt32>) in
        withUnsafeMutablePointer(to: &valid) { raw in
            let flags = UnsafeMutableRawPointer(raw).assumingMemoryBound(to: UInt32.self)
            for lane in 0..<32 {
                let place = Int32(truncatingIfNeeded: lane)
                let segment = (c[lane] &>> 8) & 31
                let (from, isValid) = pick(place, b[lane] & 31, segment, c[lane] & 31)
                let source = isValid ? from & 31 : place
                flags[lane] = (isValid ? 1 : 0) &<< UInt32(truncatingIfNeeded: lane)
                t[lane] = a[Int(truncatingIfNeeded: source)]
            }
        }
    }
    var bits: UInt32 = 0
    for lane in 0..<32 { bits |= valid[lane] }
    setPredicate(w, UInt32(truncatingIfNeeded: i.instruction.pointee.immediate), bits)
    return i.next
}

/// Calls `body` with each set of active lanes that have the same member mask.
@inline(__always)
private func eachGroup(_ w: WarpPointer, _ i: InstructionPointer, _ ready: UInt32, _ body: (UInt32) -> Void) {
    let members = lanes(w, i.instruction.pointee.e, as: UInt32.self)
    var rest = ready
    while rest != 0 {
        let first = members[rest.trailingZeroBitCount]
        var group: UInt32 = 0
        for lane in 0..<32 where members[lane] == first { group |= 1 &<< UInt32(truncatingIfNeeded: lane) }
        group &= rest
        body(group)
        rest &= ~group
    }
}

@inline(__always)
private func write(_ w: WarpPointer, _ offset: UInt32, _ value: UInt32, lanesOf group: UInt32) {
    let d = lanes(w, offset, as: UInt32.self)
    _ = forEachLane(group) { lane in
        d[lane] = value
        return true
    }
}

@inline(__always)
private func combined(_ a: UInt32, _ b: UInt32, _ form: WarpHandlers.Reduction) -> UInt32 {
    switch form {
    case .add: a &+ b
    case .and: a & b
    case .or: a | b
    case .xor: a ^ b
    case .least: min(a, b)
    case .greatest: max(a, b)
    case .signedLeast: Int32(bitPattern: a) < Int32(bitPattern: b) ? a : b
    case .signedGreatest: Int32(bitPattern: a) > Int32(bitPattern: b) ? a : b
    }
}

@inline(__always)
private func match<T: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: T.Type
) -> InstructionPointer? {
    let ready = gather(w, i, membersAt: i.instruction.pointee.e)
    if ready == 0 { return nil }
    let isAll = i.instruction.pointee.flags == 1
    var values = SIMD32<UInt64>()
    let a = lanes(w, i.instruction.pointee.a, as: T.self)
    // The result may be the same register as the value.
    for lane in 0..<32 { values[lane] = UInt64(truncatingIfNeeded: a[lane]) }
    var flags: UInt32 = 0
    eachGroup(w, i, ready) { group in
        var rest = group
        while rest != 0 {
            let value = values[rest.trailingZeroBitCount]
            var same: UInt32 = 0
            for lane in 0..<32 where values[lane] == value { same |= 1 &<< UInt32(truncatingIfNeeded: lane) }
            same &= group
            rest &= ~same
            if same == group { flags |= group }
            write(w, i.instruction.pointee.d, isAll && same != group ? 0 : same, lanesOf: same)
        }
    }
    if isAll { setPredicate(w, UInt32(truncatingIfNeeded: i.instruction.pointee.immediate), flags) }
    return i.next
}

/// `cp.async`, done at once.
enum CopyHandlers {
    /// Copies `flags` bytes to shared memory, of which the last ones beyond c are zero.
    static let copy: Handler = { w, i in
        let size = UInt64(i.instruction.pointee.flags)
        let to = lanes(w, i.instruction.pointee.a, as: UInt64.self)
        let from = lanes(w, i.instruction.pointee.b, as: UInt64.self)
        let count = lanes(w, i.instruction.pointee.c, as: UInt32.self)
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            guard to[lane] & (size &- 1) == 0, from[lane] & (size &- 1) == 0 else {
                _ = fail(w, i, .misalignedAddress, lane: lane, address: from[lane])
                return false
            }
            let used = min(UInt64(count[lane]), size)
            guard let target = genericPointer(w.warp, lane: lane, to[lane], size) else {
                _ = fail(w, i, .illegalAddress, lane: lane, address: to[lane])
                return false
            }
            target.initializeMemory(as: UInt8.self, repeating: 0, count: Int(truncatingIfNeeded: size))
            if used == 0 { return true }
            guard let source = genericPointer(w.warp, lane: lane, from[lane], size) else {
                _ = fail(w, i, .illegalAddress, lane: lane, address: from[lane])
                return false
            }
            target.copyMemory(from: source, byteCount: Int(truncatingIfNeeded: used))
            return true
        }
        return isFine ? i.next : nil
    }
}
