import Synchronization

/// `atom` and `red`: a is the address, b the operand, c the second operand of `cas`; d receives the old value.
enum AtomicHandlers {
    static let fence: Handler = { w, i in
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return i.next
    }

    /// Flag of ``Instruction/flags``: the old value is not wanted.
    static let dropsResult: UInt32 = 1 << 20

    // 32 bits.
    static let add32: Handler = { w, i in update32(w, i) { old, b, c in old &+ b } }
    static let and32: Handler = { w, i in update32(w, i) { old, b, c in old & b } }
    static let or32: Handler = { w, i in update32(w, i) { old, b, c in old | b } }
    static let xor32: Handler = { w, i in update32(w, i) { old, b, c in old ^ b } }
    static let exchange32: Handler = { w, i in update32(w, i) { old, b, c in b } }
    static let compareAndSwap32: Handler = { w, i in update32(w, i) { old, b, c in old == b ? c : old } }
    static let increment: Handler = { w, i in update32(w, i) { old, b, c in old >= b ? 0 : old &+ 1 } }
    static let decrement: Handler = { w, i in update32(w, i) { old, b, c in old == 0 || old > b ? b : old &- 1 } }
    static let least32: Handler = { w, i in update32(w, i) { old, b, c in min(old, b) } }
    static let greatest32: Handler = { w, i in update32(w, i) { old, b, c in max(old, b) } }
    static let signedLeast32: Handler = { w, i in
        update32(w, i) { old, b, c in Int32(bitPattern: old) < Int32(bitPattern: b) ? old : b }
    }
    static let signedGreatest32: Handler = { w, i in
        update32(w, i) { old, b, c in Int32(bitPattern: old) > Int32(bitPattern: b) ? old : b }
    }
    static let addFloat: Handler = { w, i in
        update32(w, i) { old, b, c in (Float(bitPattern: old) + Float(bitPattern: b)).bitPattern }
    }
    static let leastFloat: Handler = { w, i in
        update32(w, i) { old, b, c in least(Float(bitPattern: old), Float(bitPattern: b)).bitPattern }
    }
    static let greatestFloat: Handler = { w, i in
        update32(w, i) { old, b, c in greatest(Float(bitPattern: old), Float(bitPattern: b)).bitPattern }
    }
    static let addHalfPair: Handler = { w, i in update32(w, i) { old, b, c in addedPair(old, b, HalfFormat.self) } }
    static let addBrainPair: Handler = { w, i in update32(w, i) { old, b, c in addedPair(old, b, BrainFormat.self) } }

    // 64 bits.
    static let add64: Handler = { w, i in update64(w, i) { old, b, c in old &+ b } }
    static let and64: Handler = { w, i in update64(w, i) { old, b, c in old & b } }
    static let or64: Handler = { w, i in update64(w, i) { old, b, c in old | b } }
    static let xor64: Handler = { w, i in update64(w, i) { old, b, c in old ^ b } }
    static let exchange64: Handler = { w, i in update64(w, i) { old, b, c in b } }
    static let compareAndSwap64: Handler = { w, i in update64(w, i) { old, b, c in old == b ? c : old } }
    static let least64: Handler = { w, i in update64(w, i) { old, b, c in min(old, b) } }
    static let greatest64: Handler = { w, i in update64(w, i) { old, b, c in max(old, b) } }
    static let signedLeast64: Handler = { w, i in
        update64(w, i) { old, b, c in Int64(bitPattern: old) < Int64(bitPattern: b) ? old : b }
    }
    static let signedGreatest64: Handler = { w, i in
        update64(w, i) { old, b, c in Int64(bitPattern: old) > Int64(bitPattern: b) ? old : b }
    }
    static let addDouble: Handler = { w, i in
        update64(w, i) { old, b, c in (Double(bitPattern: old) + Double(bitPattern: b)).bitPattern }
    }

    // 16 bits.
    static let compareAndSwap16: Handler = { w, i in update16(w, i) { old, b, c in old == b ? c : old } }
    static let exchange16: Handler = { w, i in update16(w, i) { old, b, c in b } }
    static let addHalf: Handler = { w, i in
        update16(w, i) { old, b, c in
            UInt16(truncatingIfNeeded: half(float(half: UInt32(old)) + float(half: UInt32(b))))
        }
    }
    static let addBrain: Handler = { w, i in
        update16(w, i) { old, b, c in bfloat16(float(bfloat16: UInt32(old)) + float(bfloat16: UInt32(b))) }
    }
}

@inline(__always)
private func addedPair<F: SmallFloat>(_ a: UInt32, _ b: UInt32, _ format: F.Type) -> UInt32 {
    let low = F.pack(F.unpack(a & 0xffff) + F.unpack(b & 0xffff))
    return low | F.pack(F.unpack(a &>> 16) + F.unpack(b &>> 16)) &<< 16
}

@inline(__always)
private func update32(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (_ old: UInt32, _ b: UInt32, _ c: UInt32) -> UInt32
) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let b = lanes(w, i.instruction.pointee.b, as: UInt32.self)
    let c = lanes(w, i.instruction.pointee.c, as: UInt32.self)
    let d = lanes(w, i.instruction.pointee.d, as: UInt32.self)
    let wantsResult = i.instruction.pointee.flags & AtomicHandlers.dropsResult == 0
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let pointer = accessPointer(w, i, access, lane: lane, size: 4) else { return false }
        // SAFETY: aligned memory that lives as long as the launch; only atomics and plain device accesses touch it.
        let cell = pointer.assumingMemoryBound(to: Atomic<UInt32>.self)
        var old = cell.pointee.load(ordering: .relaxed)
        while true {
            let (done, seen) = cell.pointee.weakCompareExchange(
                expected: old, desired: body(old, b[lane], c[lane]), successOrdering: .acquiringAndReleasing,
                failureOrdering: .relaxed)
            if done { break }
            old = seen
        }
        if wantsResult { d[lane] = old }
        return true
    }
    return isFine ? i.next : nil
}

@inline(__always)
private func update64(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (_ old: UInt64, _ b: UInt64, _ c: UInt64) -> UInt64
) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let b = lanes(w, i.instruction.pointee.b, as: UInt64.self)
    let c = lanes(w, i.instruction.pointee.c, as: UInt64.self)
    let d = lanes(w, i.instruction.pointee.d, as: UInt64.self)
    let wantsResult = i.instruction.pointee.flags & AtomicHandlers.dropsResult == 0
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let pointer = accessPointer(w, i, access, lane: lane, size: 8) else { return false }
        // SAFETY: as in `update32`.
        let cell = pointer.assumingMemoryBound(to: Atomic<UInt64>.self)
        var old = cell.pointee.load(ordering: .relaxed)
        while true {
            let (done, seen) = cell.pointee.weakCompareExchange(
                expected: old, desired: body(old, b[lane], c[lane]), successOrdering: .acquiringAndReleasing,
                failureOrdering: .relaxed)
            if done { break }
            old = seen
        }
        if wantsResult { d[lane] = old }
        return true
    }
    return isFine ? i.next : nil
}

@inline(__always)
private func update16(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (_ old: UInt16, _ b: UInt16, _ c: UInt16) -> UInt16
) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let b = lanes(w, i.instruction.pointee.b, as: UInt32.self)
    let c = lanes(w, i.instruction.pointee.c, as: UInt32.self)
    let d = lanes(w, i.instruction.pointee.d, as: UInt32.self)
    let wantsResult = i.instruction.pointee.flags & AtomicHandlers.dropsResult == 0
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let pointer = accessPointer(w, i, access, lane: lane, size: 2) else { return false }
        // SAFETY: as in `update32`.
        let cell = pointer.assumingMemoryBound(to: Atomic<UInt16>.self)
        var old = cell.pointee.load(ordering: .relaxed)
        while true {
            let new = body(old, UInt16(truncatingIfNeeded: b[lane]), UInt16(truncatingIfNeeded: c[lane]))
            let (done, seen) = cell.pointee.weakCompareExchange(
                expected: old, desired: new, successOrdering: .acquiringAndReleasing, failureOrdering: .relaxed)
            if done { break }
            old = seen
        }
        if wantsResult { d[lane] = UInt32(old) }
        return true
    }
    return isFine ? i.next : nil
}
