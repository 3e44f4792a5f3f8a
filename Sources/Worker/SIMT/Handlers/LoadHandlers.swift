/// `ld` in all spaces.
enum LoadHandlers {
    /// Any load: sizes, extension, vectors and space come from the flags.
    static let any: Handler = { w, i in loadAny(w, i) }

    static let global32: Handler = { w, i in loadGlobal(w, i, UInt32.self) }
    static let global64: Handler = { w, i in loadGlobal(w, i, UInt64.self) }

    static let globalPair32: Handler = { w, i in loadGlobalVector(w, i, UInt32.self, 2) }
    static let globalPair64: Handler = { w, i in loadGlobalVector(w, i, UInt64.self, 2) }
    static let globalQuad32: Handler = { w, i in loadGlobalVector(w, i, UInt32.self, 4) }

    /// `ld.param` of a kernel: the same value in all lanes.
    static let parameter32: Handler = { w, i in
        let offset = Int(truncatingIfNeeded: i.instruction.pointee.immediate)
        let access = Access(bits: i.instruction.pointee.flags)
        let raw = w.warp.pointee.parameters + offset
        return fill32(w, i, UInt32(truncatingIfNeeded: extended(raw, access)))
    }

    static let parameter64: Handler = { w, i in
        let offset = Int(truncatingIfNeeded: i.instruction.pointee.immediate)
        let access = Access(bits: i.instruction.pointee.flags)
        let raw = w.warp.pointee.parameters + offset
        return fill64(w, i, extended(raw, access))
    }
}

/// One element from memory, extended to 64 bits.
@inline(__always)
func extended(_ raw: UnsafeMutableRawPointer, _ access: Access) -> UInt64 {
    switch (access.sizeShift, access.isSigned) {
    case (0, false): return UInt64(raw.load(as: UInt8.self))
    case (0, true): return UInt64(truncatingIfNeeded: raw.load(as: Int8.self))
    case (1, false): return UInt64(raw.load(as: UInt16.self))
    case (1, true): return UInt64(truncatingIfNeeded: raw.load(as: Int16.self))
    case (2, false): return UInt64(raw.load(as: UInt32.self))
    case (2, true): return UInt64(truncatingIfNeeded: raw.load(as: Int32.self))
    default: return raw.load(as: UInt64.self)
    }
}

/// The register offset of element `index` of a vector access.
@inline(__always)
func elementOffset(_ i: InstructionPointer, _ index: Int) -> UInt32 {
    switch index {
    case 0: return i.instruction.pointee.d
    case 1: return i.instruction.pointee.b
    case 2: return i.instruction.pointee.c
    default: return i.instruction.pointee.e
    }
}

@inline(never)
private func loadAny(_ w: WarpPointer, _ i: InstructionPointer) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let count = 1 &<< Int(access.countShift)
    let size: UInt64 = 1 &<< UInt64(access.sizeShift)
    let total = size &<< UInt64(access.countShift)
    // The address register may also be a destination, so all addresses are read first.
    var pointers = SIMD32<UInt64>()
    let isFine = withUnsafeMutablePointer(to: &pointers) { raw in
        let table = UnsafeMutableRawPointer(raw).assumingMemoryBound(to: UnsafeMutableRawPointer.self)
        return forEachLane(w.warp.pointee.mask) { lane in
            guard let pointer = accessPointer(w, i, access, lane: lane, size: total) else { return false }
            table[lane] = pointer
            return true
        }
    }
    if !isFine { return nil }
    withUnsafeMutablePointer(to: &pointers) { raw in
        let table = UnsafeMutableRawPointer(raw).assumingMemoryBound(to: UnsafeMutableRawPointer.self)
        for index in 0..<count {
            let target = elementOffset(i, index)
            let narrow = lanes(w, target, as: UInt32.self)
            let wide = lanes(w, target, as: UInt64.self)
            let isWide = access.isWide
            _ = forEachLane(w.warp.pointee.mask) { lane in
                let value = extended(table[lane] + index &* Int(truncatingIfNeeded: size), access)
                if isWide { wide[lane] = value } else { narrow[lane] = UInt32(truncatingIfNeeded: value) }
                return true
            }
        }
    }
    return i.next
}

/// Whether all 32 addresses follow each other in steps of `size`, or are all the same.
enum AddressPattern {
    case consecutive, uniform, scattered
}

@inline(__always)
func pattern<A: FixedWidthInteger & UnsignedInteger>(_ a: UnsafeMutablePointer<A>, size: Int) -> AddressPattern {
    let first = a[0]
    var difference: A = 0
    if a[1] == first {
        for lane in 0..<32 { difference |= a[lane] ^ first }
        return difference == 0 ? .uniform : .scattered
    }
    for lane in 0..<32 { difference |= (a[lane] &- first) ^ A(truncatingIfNeeded: lane &* size) }
    return difference == 0 ? .consecutive : .scattered
}

/// The host address of `32 * size` bytes of live global memory from `address`, or nil.
@inline(__always)
func globalSpan(
    _ warp: UnsafeMutablePointer<Warp>, _ address: UInt64, size: Int
) -> UnsafeMutableRawPointer? {
    guard address & UInt64(truncatingIfNeeded: size &- 1) == 0, let start = globalPointer(warp, address),
        globalPointer(warp, address &+ UInt64(truncatingIfNeeded: 31 &* size)) != nil
    else { return nil }
    return start
}

@inline(__always)
private func loadGlobal<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type
) -> InstructionPointer? {
    let size = MemoryLayout<E>.size
    let warp = w.warp
    let a = lanes(w, i.instruction.pointee.a, as: UInt64.self)
    let offset = i.instruction.pointee.immediate
    if warp.pointee.mask == ~0 {
        switch pattern(a, size: size) {
        case .consecutive:
            if let source = globalSpan(warp, a[0] &+ offset, size: size) {
                (warp.pointee.registers + Int(truncatingIfNeeded: i.instruction.pointee.d))
                    .copyMemory(from: source, byteCount: 32 &* size)
                return i.next
            }
        case .uniform:
            let address = a[0] &+ offset
            if address & UInt64(truncatingIfNeeded: size &- 1) == 0, let source = globalPointer(warp, address) {
                let value = source.load(as: E.self)
                let d = lanes(w, i.instruction.pointee.d, as: E.self)
                for lane in 0..<32 { d[lane] = value }
                return i.next
            }
        case .scattered: if loadHalves(w, i, a, type) { return i.next }
        }
    }
    return gatherGlobal(w, i, a, type)
}

/// Loads the two halves of the warp, if each is consecutive or uniform and live; tiles of 16 columns are.
@inline(__always)
private func loadHalves<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ a: UnsafeMutablePointer<UInt64>, _ type: E.Type
) -> Bool {
    let size = MemoryLayout<E>.size
    let low = halfPattern(a, size: size)
    let high = halfPattern(a + 16, size: size)
    let offset = i.instruction.pointee.immediate
    guard low != .scattered, high != .scattered,
        let first = halfSpan(w.warp, a[0] &+ offset, size: size, low),
        let second = halfSpan(w.warp, a[16] &+ offset, size: size, high)
    else { return false }
    let d = lanes(w, i.instruction.pointee.d, as: E.self)
    fillHalf(d, from: first, low)
    fillHalf(d + 16, from: second, high)
    return true
}

@inline(__always)
private func fillHalf<E: FixedWidthInteger>(
    _ d: UnsafeMutablePointer<E>, from source: UnsafeMutableRawPointer, _ pattern: AddressPattern
) {
    if pattern == .consecutive {
        UnsafeMutableRawPointer(d).copyMemory(from: source, byteCount: 16 &* MemoryLayout<E>.size)
    } else {
        let value = source.load(as: E.self)
        for lane in 0..<16 { d[lane] = value }
    }
}

/// As ``pattern(_:size:)``, of 16 addresses.
@inline(__always)
func halfPattern(_ a: UnsafeMutablePointer<UInt64>, size: Int) -> AddressPattern {
    let first = a[0]
    var difference: UInt64 = 0
    if a[1] == first {
        for lane in 0..<16 { difference |= a[lane] ^ first }
        return difference == 0 ? .uniform : .scattered
    }
    for lane in 0..<16 { difference |= (a[lane] &- first) ^ UInt64(truncatingIfNeeded: lane &* size) }
    return difference == 0 ? .consecutive : .scattered
}

/// The host address of 16 elements, or of one for a uniform half; nil when they are not live or not aligned.
@inline(__always)
func halfSpan(
    _ warp: UnsafeMutablePointer<Warp>, _ address: UInt64, size: Int, _ pattern: AddressPattern
) -> UnsafeMutableRawPointer? {
    guard address & UInt64(truncatingIfNeeded: size &- 1) == 0, let start = globalPointer(warp, address) else {
        return nil
    }
    if pattern == .uniform { return start }
    return globalPointer(warp, address &+ UInt64(truncatingIfNeeded: 15 &* size)) == nil ? nil : start
}

@inline(__always)
private func gatherGlobal<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ a: UnsafeMutablePointer<UInt64>, _ type: E.Type
) -> InstructionPointer? {
    let warp = w.warp
    let offset = i.instruction.pointee.immediate
    let low = UInt64(truncatingIfNeeded: MemoryLayout<E>.size &- 1)
    let d = lanes(w, i.instruction.pointee.d, as: E.self)
    var rest = warp.pointee.mask
    while rest != 0 {
        let lane = rest.trailingZeroBitCount
        rest &= rest &- 1
        let address = a[lane] &+ offset
        if address & low == 0, let pointer = genericPointer(warp, lane: lane, address, low &+ 1) {
            // A lane reads its address before it writes its result, and only its own.
            d[lane] = pointer.load(as: E.self)
        } else {
            let code: FaultCode = address & low == 0 ? .illegalAddress : .misalignedAddress
            return fail(w, i, code, lane: lane, address: address)
        }
    }
    return i.next
}

/// Vectors that follow each other are taken from one checked span.
@inline(__always)
private func loadGlobalVector<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type, _ count: Int
) -> InstructionPointer? {
    let size = MemoryLayout<E>.size
    let a = lanes(w, i.instruction.pointee.a, as: UInt64.self)
    let address = a[0] &+ i.instruction.pointee.immediate
    guard w.warp.pointee.mask == ~0, pattern(a, size: size &* count) == .consecutive,
        let start = globalSpan(w.warp, address, size: size &* count)
    else { return loadAny(w, i) }
    let source = start.assumingMemoryBound(to: E.self)
    for element in 0..<count {
        let d = lanes(w, elementOffset(i, element), as: E.self)
        for lane in 0..<32 { d[lane] = source[lane &* count &+ element] }
    }
    return i.next
}
