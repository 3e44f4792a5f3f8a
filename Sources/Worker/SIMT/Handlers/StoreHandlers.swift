/// `st` in all spaces. The value is in d, then b, c and e for vectors; the address is in a.
enum StoreHandlers {
    static let any: Handler = { w, i in storeAny(w, i) }
    static let global32: Handler = { w, i in storeGlobal(w, i, UInt32.self) }
    static let global64: Handler = { w, i in storeGlobal(w, i, UInt64.self) }
    static let globalPair32: Handler = { w, i in storeGlobalVector(w, i, UInt32.self, 2) }
    static let globalPair64: Handler = { w, i in storeGlobalVector(w, i, UInt64.self, 2) }
    static let globalQuad32: Handler = { w, i in storeGlobalVector(w, i, UInt32.self, 4) }
}

@inline(never)
private func storeAny(_ w: WarpPointer, _ i: InstructionPointer) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let count = 1 &<< Int(access.countShift)
    let size: UInt64 = 1 &<< UInt64(access.sizeShift)
    let total = size &<< UInt64(access.countShift)
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let pointer = accessPointer(w, i, access, lane: lane, size: total) else { return false }
        for index in 0..<count {
            let offset = elementOffset(i, index)
            let value: UInt64 =
                access.isWide
                ? lanes(w, offset, as: UInt64.self)[lane] : UInt64(lanes(w, offset, as: UInt32.self)[lane])
            let place = pointer + index &* Int(truncatingIfNeeded: size)
            switch access.sizeShift {
            case 0: place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
            case 1: place.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
            case 2: place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
            default: place.storeBytes(of: value, as: UInt64.self)
            }
        }
        return true
    }
    return isFine ? i.next : nil
}

@inline(__always)
private func storeGlobal<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type
) -> InstructionPointer? {
    let size = MemoryLayout<E>.size
    let warp = w.warp
    let a = lanes(w, i.instruction.pointee.a, as: UInt64.self)
    let offset = i.instruction.pointee.immediate
    let value = lanes(w, i.instruction.pointee.d, as: E.self)
    if warp.pointee.mask == ~0, halfPattern(a, size: size) == .consecutive,
        halfPattern(a + 16, size: size) == .consecutive,
        let first = halfSpan(warp, a[0] &+ offset, size: size, .consecutive),
        let second = halfSpan(warp, a[16] &+ offset, size: size, .consecutive)
    {
        first.copyMemory(from: value, byteCount: 16 &* size)
        second.copyMemory(from: value + 16, byteCount: 16 &* size)
        return i.next
    }
    let low = UInt64(truncatingIfNeeded: size &- 1)
    var rest = warp.pointee.mask
    while rest != 0 {
        let lane = rest.trailingZeroBitCount
        rest &= rest &- 1
        let address = a[lane] &+ offset
        if address & low == 0, let pointer = genericPointer(warp, lane: lane, address, low &+ 1) {
            pointer.storeBytes(of: value[lane], as: E.self)
        } else {
            let code: FaultCode = address & low == 0 ? .illegalAddress : .misalignedAddress
            return fail(w, i, code, lane: lane, address: address)
        }
    }
    return i.next
}

@inline(__always)
private func storeGlobalVector<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type, _ count: Int
) -> InstructionPointer? {
    let size = MemoryLayout<E>.size
    let a = lanes(w, i.instruction.pointee.a, as: UInt64.self)
    let address = a[0] &+ i.instruction.pointee.immediate
    guard w.warp.pointee.mask == ~0, pattern(a, size: size &* count) == .consecutive,
        let start = globalSpan(w.warp, address, size: size &* count)
    else { return storeAny(w, i) }
    let target = start.assumingMemoryBound(to: E.self)
    for element in 0..<count {
        let d = lanes(w, elementOffset(i, element), as: E.self)
        for lane in 0..<32 { target[lane &* count &+ element] = d[lane] }
    }
    return i.next
}
