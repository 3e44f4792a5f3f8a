/// Lane loops that handlers are made of.
///
/// Each loop computes all 32 lanes into a local vector and then stores it: a local can't alias the operands, so the
/// compiler vectorizes the loop without a check, and `d` may be the same register as a source.

let laneCount = 32

@inline(__always)
func lanes<T>(_ w: WarpPointer, _ offset: UInt32, as type: T.Type) -> UnsafeMutablePointer<T> {
    (w.warp.pointee.registers + Int(truncatingIfNeeded: offset)).assumingMemoryBound(to: T.self)
}

/// Runs `fill` on a scratch vector of 32 values, then stores those of active lanes in the register at `offset`.
@inline(__always)
func produce<R>(_ w: WarpPointer, _ offset: UInt32, _ fill: (UnsafeMutablePointer<R>) -> Void) {
    var scratch = SIMD32<UInt64>()
    withUnsafeMutablePointer(to: &scratch) { pointer in
        let raw = UnsafeMutableRawPointer(pointer)
        fill(raw.assumingMemoryBound(to: R.self))
        storeActive(w, offset, raw, wide: MemoryLayout<R>.size == 8)
    }
}

@inline(__always)
func storeActive(_ w: WarpPointer, _ offset: UInt32, _ values: UnsafeMutableRawPointer, wide: Bool) {
    let mask = w.warp.pointee.mask
    let target = w.warp.pointee.registers + Int(truncatingIfNeeded: offset)
    if wide {
        if mask == ~0 {
            target.copyMemory(from: values, byteCount: 256)
            return
        }
        let t = values.assumingMemoryBound(to: UInt64.self)
        let d = target.assumingMemoryBound(to: UInt64.self)
        for lane in 0..<32 {
            let keep = UInt64(truncatingIfNeeded: (mask &>> UInt32(truncatingIfNeeded: lane)) & 1) &- 1
            d[lane] = (d[lane] & keep) | (t[lane] & ~keep)
        }
    } else {
        if mask == ~0 {
            target.copyMemory(from: values, byteCount: 128)
            return
        }
        let t = values.assumingMemoryBound(to: UInt32.self)
        let d = target.assumingMemoryBound(to: UInt32.self)
        for lane in 0..<32 {
            let keep = ((mask &>> UInt32(truncatingIfNeeded: lane)) & 1) &- 1
            d[lane] = (d[lane] & keep) | (t[lane] & ~keep)
        }
    }
}

/// d = body(a) in every active lane. `A` and `R` are 4 or 8 bytes wide, as the registers are.
@inline(__always)
func map1<A, R>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (A) -> R
) -> InstructionPointer? {
    let a = lanes(w, i.instruction.pointee.a, as: A.self)
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<R>) in
        for lane in 0..<32 { t[lane] = body(a[lane]) }
    }
    return i.next
}

/// d = body(a, b) in every active lane.
@inline(__always)
func map2<A, B, R>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (A, B) -> R
) -> InstructionPointer? {
    let a = lanes(w, i.instruction.pointee.a, as: A.self)
    let b = lanes(w, i.instruction.pointee.b, as: B.self)
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<R>) in
        for lane in 0..<32 { t[lane] = body(a[lane], b[lane]) }
    }
    return i.next
}

/// d = body(a, b, c) in every active lane.
@inline(__always)
func map3<A, B, C, R>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (A, B, C) -> R
) -> InstructionPointer? {
    let a = lanes(w, i.instruction.pointee.a, as: A.self)
    let b = lanes(w, i.instruction.pointee.b, as: B.self)
    let c = lanes(w, i.instruction.pointee.c, as: C.self)
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<R>) in
        for lane in 0..<32 { t[lane] = body(a[lane], b[lane], c[lane]) }
    }
    return i.next
}

/// d = body(a, b, c, e) in every active lane.
@inline(__always)
func map4<A, B, C, E, R>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (A, B, C, E) -> R
) -> InstructionPointer? {
    let a = lanes(w, i.instruction.pointee.a, as: A.self)
    let b = lanes(w, i.instruction.pointee.b, as: B.self)
    let c = lanes(w, i.instruction.pointee.c, as: C.self)
    let e = lanes(w, i.instruction.pointee.e, as: E.self)
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<R>) in
        for lane in 0..<32 { t[lane] = body(a[lane], b[lane], c[lane], e[lane]) }
    }
    return i.next
}

/// A predicate register is one 32-bit mask.
@inline(__always)
func predicate(_ w: WarpPointer, _ offset: UInt32) -> UInt32 {
    lanes(w, offset, as: UInt32.self).pointee
}

@inline(__always)
func setPredicate(_ w: WarpPointer, _ offset: UInt32, _ bits: UInt32) {
    let mask = w.warp.pointee.mask
    let d = lanes(w, offset, as: UInt32.self)
    d.pointee = (d.pointee & ~mask) | (bits & mask)
}

/// The mask of lanes for which `body(a, b)` holds.
@inline(__always)
func test2<A, B>(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (A, B) -> Bool
) -> UInt32 {
    let a = lanes(w, i.instruction.pointee.a, as: A.self)
    let b = lanes(w, i.instruction.pointee.b, as: B.self)
    var scratch = SIMD32<UInt32>()
    return withUnsafeMutablePointer(to: &scratch) { pointer in
        let t = UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt32.self)
        for lane in 0..<32 { t[lane] = (body(a[lane], b[lane]) ? 1 : 0) &<< UInt32(truncatingIfNeeded: lane) }
        var bits: UInt32 = 0
        for lane in 0..<32 { bits |= t[lane] }
        return bits
    }
}

/// Calls `body` with each active lane in increasing order; stops and returns false when `body` does.
@inline(__always)
func forEachLane(_ mask: UInt32, _ body: (Int) -> Bool) -> Bool {
    var rest = mask
    while rest != 0 {
        if !body(rest.trailingZeroBitCount) { return false }
        rest &= rest &- 1
    }
    return true
}
