/// Loads and stores of one element in local memory, which also holds the parameters of calls.
enum LocalHandlers {
    static let load32: Handler = { w, i in loadLocal(w, i, UInt32.self) }
    static let load64: Handler = { w, i in loadLocal(w, i, UInt64.self) }
    static let store32: Handler = { w, i in storeLocal(w, i, UInt32.self) }
    static let store64: Handler = { w, i in storeLocal(w, i, UInt64.self) }
}

/// The place that all lanes access, from the start of each lane's memory; nil when it differs or is illegal.
@inline(__always)
private func commonOffset(_ w: WarpPointer, _ i: InstructionPointer, size: Int) -> Int? {
    let access = Access(bits: i.instruction.pointee.flags)
    guard access.isFrameRelative else { return nil }
    let offset = laneAddress(w, i, access, lane: 0)
    let limit = w.warp.pointee.localByteCount
    guard offset & UInt64(truncatingIfNeeded: size &- 1) == 0, offset < limit,
        limit &- offset >= UInt64(truncatingIfNeeded: size)
    else { return nil }
    return Int(truncatingIfNeeded: offset)
}

@inline(__always)
private func loadLocal<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type
) -> InstructionPointer? {
    guard let offset = commonOffset(w, i, size: MemoryLayout<E>.size) else { return LoadHandlers.any(w, i) }
    let start = w.warp.pointee.local + offset
    let stride = Int(truncatingIfNeeded: w.warp.pointee.localByteCount)
    let d = lanes(w, i.instruction.pointee.d, as: E.self)
    _ = forEachLane(w.warp.pointee.mask) { lane in
        d[lane] = start.load(fromByteOffset: lane &* stride, as: E.self)
        return true
    }
    return i.next
}

@inline(__always)
private func storeLocal<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type
) -> InstructionPointer? {
    guard let offset = commonOffset(w, i, size: MemoryLayout<E>.size) else { return StoreHandlers.any(w, i) }
    let start = w.warp.pointee.local + offset
    let stride = Int(truncatingIfNeeded: w.warp.pointee.localByteCount)
    let d = lanes(w, i.instruction.pointee.d, as: E.self)
    _ = forEachLane(w.warp.pointee.mask) { lane in
        start.storeBytes(of: d[lane], toByteOffset: lane &* stride, as: E.self)
        return true
    }
    return i.next
}
