/// What is known of the shared addresses in a register, computed once and used by several accesses.
///
/// The record follows 32 addresses of 4 bytes in the register file. It holds while `mask` says which lanes it is for.
struct SharedAddresses {
    var mask: UInt32
    /// All addresses or-ed, for the alignment check.
    var bits: UInt32
    var least: UInt32
    var greatest: UInt32
    /// Distance of neighbours in each half of the warp; `scattered` when it is not constant.
    var lowStride: Int32
    var highStride: Int32

    static let scattered = Int32.min
    static let byteCount = 192

    @inline(__always)
    static func record(_ w: WarpPointer, _ offset: UInt32) -> UnsafeMutablePointer<SharedAddresses> {
        (w.warp.pointee.registers + Int(truncatingIfNeeded: offset) + 128)
            .assumingMemoryBound(to: SharedAddresses.self)
    }
}

/// Accesses of shared memory through prepared addresses.
enum SharedHandlers {
    static let prepare32: Handler = { w, i in
        _ = map1(w, i) { (a: UInt32) in a }
        describe(w, i)
        return i.next
    }

    static let prepare64: Handler = { w, i in
        _ = map1(w, i) { (a: UInt64) in UInt32(truncatingIfNeeded: a) }
        describe(w, i)
        return i.next
    }

    static let load32: Handler = { w, i in loadPrepared(w, i, UInt32.self) }
    static let load64: Handler = { w, i in loadPrepared(w, i, UInt64.self) }
    static let store32: Handler = { w, i in storePrepared(w, i, UInt32.self) }
    static let store64: Handler = { w, i in storePrepared(w, i, UInt64.self) }
    static let loadPair32: Handler = { w, i in loadVector(w, i, UInt32.self, 2) }
    static let loadPair64: Handler = { w, i in loadVector(w, i, UInt64.self, 2) }
    static let loadQuad32: Handler = { w, i in loadVector(w, i, UInt32.self, 4) }
    static let storePair32: Handler = { w, i in storeVector(w, i, UInt32.self, 2) }
    static let storePair64: Handler = { w, i in storeVector(w, i, UInt64.self, 2) }
    static let storeQuad32: Handler = { w, i in storeVector(w, i, UInt32.self, 4) }
}

@inline(__always)
private func describe(_ w: WarpPointer, _ i: InstructionPointer) {
    let record = SharedAddresses.record(w, i.instruction.pointee.d)
    let mask = w.warp.pointee.mask
    record.pointee.mask = mask
    if mask != ~0 { return }
    let a = lanes(w, i.instruction.pointee.d, as: UInt32.self)
    var bits: UInt32 = 0
    var least: UInt32 = ~0
    var greatest: UInt32 = 0
    for lane in 0..<32 {
        bits |= a[lane]
        least = min(least, a[lane])
        greatest = max(greatest, a[lane])
    }
    record.pointee.bits = bits
    record.pointee.least = least
    record.pointee.greatest = greatest
    record.pointee.lowStride = stride(a)
    record.pointee.highStride = stride(a + 16)
}

@inline(__always)
private func stride(_ a: UnsafeMutablePointer<UInt32>) -> Int32 {
    // Constant distances make loops that vectorize; others than these are of no use.
    switch a[1] &- a[0] {
    case 0: return isRegular(a, 0) ? 0 : SharedAddresses.scattered
    case 4: return isRegular(a, 4) ? 4 : SharedAddresses.scattered
    case 8: return isRegular(a, 8) ? 8 : SharedAddresses.scattered
    default: return SharedAddresses.scattered
    }
}

@inline(__always)
private func isRegular(_ a: UnsafeMutablePointer<UInt32>, _ step: UInt32) -> Bool {
    let first = a[0]
    var difference: UInt32 = 0
    for lane in 0..<16 { difference |= (a[lane] &- first) ^ (UInt32(truncatingIfNeeded: lane) &* step) }
    return difference == 0
}

/// Whether all 32 lanes run, and their accesses of `size` bytes are aligned and inside of shared memory.
@inline(__always)
private func isFine(_ w: WarpPointer, _ i: InstructionPointer, size: Int) -> Bool {
    let record = SharedAddresses.record(w, i.instruction.pointee.a)
    guard w.warp.pointee.mask == ~0, record.pointee.mask == ~0 else { return false }
    let offset = Int64(bitPattern: i.instruction.pointee.immediate)
    // Far offsets would wrap around in the sums below.
    guard offset == Int64(Int32(truncatingIfNeeded: offset)) else { return false }
    let bits = record.pointee.bits | UInt32(truncatingIfNeeded: offset)
    let end = Int64(record.pointee.greatest) &+ offset &+ Int64(size)
    return bits & UInt32(truncatingIfNeeded: size &- 1) == 0 && Int64(record.pointee.least) &+ offset >= 0
        && end <= Int64(bitPattern: w.warp.pointee.sharedByteCount)
}

@inline(__always)
private func loadPrepared<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type
) -> InstructionPointer? {
    let size = MemoryLayout<E>.size
    guard isFine(w, i, size: size) else { return LoadHandlers.any(w, i) }
    let record = SharedAddresses.record(w, i.instruction.pointee.a)
    let a = lanes(w, i.instruction.pointee.a, as: UInt32.self)
    let start = w.warp.pointee.shared + Int(truncatingIfNeeded: i.instruction.pointee.immediate)
    let d = lanes(w, i.instruction.pointee.d, as: E.self)
    loadHalf(start, a, d, record.pointee.lowStride)
    loadHalf(start, a + 16, d + 16, record.pointee.highStride)
    return i.next
}

@inline(__always)
private func loadHalf<E: FixedWidthInteger>(
    _ start: UnsafeMutableRawPointer, _ a: UnsafeMutablePointer<UInt32>, _ d: UnsafeMutablePointer<E>, _ stride: Int32
) {
    let size = MemoryLayout<E>.size
    if Int(stride) == size {
        UnsafeMutableRawPointer(d).copyMemory(from: start + Int(a[0]), byteCount: 16 &* size)
    } else if stride == 0 {
        let value = start.load(fromByteOffset: Int(a[0]), as: E.self)
        for lane in 0..<16 { d[lane] = value }
    } else {
        for lane in 0..<16 { d[lane] = start.load(fromByteOffset: Int(a[lane]), as: E.self) }
    }
}

@inline(__always)
private func storePrepared<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type
) -> InstructionPointer? {
    let size = MemoryLayout<E>.size
    guard isFine(w, i, size: size) else { return StoreHandlers.any(w, i) }
    let record = SharedAddresses.record(w, i.instruction.pointee.a)
    let a = lanes(w, i.instruction.pointee.a, as: UInt32.self)
    let start = w.warp.pointee.shared + Int(truncatingIfNeeded: i.instruction.pointee.immediate)
    let d = lanes(w, i.instruction.pointee.d, as: E.self)
    for half in 0..<2 {
        let stride = half == 0 ? record.pointee.lowStride : record.pointee.highStride
        let first = half &* 16
        if Int(stride) == size {
            (start + Int(a[first])).copyMemory(from: d + first, byteCount: 16 &* size)
        } else {
            for lane in first..<(first &+ 16) { start.storeBytes(of: d[lane], toByteOffset: Int(a[lane]), as: E.self) }
        }
    }
    return i.next
}

@inline(__always)
private func loadVector<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type, _ count: Int
) -> InstructionPointer? {
    let size = MemoryLayout<E>.size
    guard isFine(w, i, size: size &* count) else { return LoadHandlers.any(w, i) }
    let a = lanes(w, i.instruction.pointee.a, as: UInt32.self)
    let start = w.warp.pointee.shared + Int(truncatingIfNeeded: i.instruction.pointee.immediate)
    for element in 0..<count {
        let d = lanes(w, elementOffset(i, element), as: E.self)
        for lane in 0..<32 { d[lane] = start.load(fromByteOffset: Int(a[lane]) &+ element &* size, as: E.self) }
    }
    return i.next
}

@inline(__always)
private func storeVector<E: FixedWidthInteger>(
    _ w: WarpPointer, _ i: InstructionPointer, _ type: E.Type, _ count: Int
) -> InstructionPointer? {
    let size = MemoryLayout<E>.size
    guard isFine(w, i, size: size &* count) else { return StoreHandlers.any(w, i) }
    let a = lanes(w, i.instruction.pointee.a, as: UInt32.self)
    let start = w.warp.pointee.shared + Int(truncatingIfNeeded: i.instruction.pointee.immediate)
    for element in 0..<count {
        let d = lanes(w, elementOffset(i, element), as: E.self)
        for lane in 0..<32 {
            start.storeBytes(of: d[lane], toByteOffset: Int(a[lane]) &+ element &* size, as: E.self)
        }
    }
    return i.next
}
