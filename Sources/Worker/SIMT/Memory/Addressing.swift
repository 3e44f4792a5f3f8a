/// The space of an access, in ``Access``.
enum AccessSpace: UInt32 {
    case generic, global, shared, local, parameter
}

/// What an access instruction does, packed in ``Instruction/flags``.
struct Access {
    var bits: UInt32

    init(bits: UInt32) { self.bits = bits }

    init(space: AccessSpace, sizeShift: Int, isSigned: Bool, isWide: Bool, countShift: Int) {
        bits = UInt32(sizeShift) | (isSigned ? 8 : 0) | (isWide ? 16 : 0) | UInt32(countShift) << 5
        bits |= space.rawValue << 8
    }

    /// log2 of the element's size in bytes.
    @inline(__always) var sizeShift: UInt32 { bits & 7 }
    /// Loads extend the sign.
    @inline(__always) var isSigned: Bool { bits & 8 != 0 }
    /// Registers of 64 bits.
    @inline(__always) var isWide: Bool { bits & 16 != 0 }
    /// log2 of the number of elements.
    @inline(__always) var countShift: UInt32 { (bits >> 5) & 3 }
    @inline(__always) var space: AccessSpace { AccessSpace(rawValue: (bits >> 8) & 7) ?? .generic }
    /// The address register has 32 bits.
    static let narrowAddress: UInt32 = 1 << 12
    /// The address is relative to the frame's local memory.
    static let frameRelative: UInt32 = 1 << 13
    @inline(__always) var hasNarrowAddress: Bool { bits & Self.narrowAddress != 0 }
    @inline(__always) var isFrameRelative: Bool { bits & Self.frameRelative != 0 }
}

/// The host address of live global memory, or nil.
@inline(__always)
func globalPointer(_ warp: UnsafeMutablePointer<Warp>, _ address: UInt64) -> UnsafeMutableRawPointer? {
    let offset = address &- warp.pointee.arenaAddress
    guard offset < warp.pointee.arenaByteCount else { return nil }
    let word = warp.pointee.granules[Int(truncatingIfNeeded: offset &>> 15)]
    guard (word &>> ((offset &>> 9) & 63)) & 1 != 0 else { return nil }
    return warp.pointee.arenaHost + Int(truncatingIfNeeded: offset)
}

/// The host address behind a generic or global address of one lane, or nil. `size` is a power of two and `address`
/// is aligned to it, so an access never crosses granules.
@inline(__always)
func genericPointer(
    _ warp: UnsafeMutablePointer<Warp>, lane: Int, _ address: UInt64, _ size: UInt64
) -> UnsafeMutableRawPointer? {
    if let pointer = globalPointer(warp, address) { return pointer }
    return windowPointer(warp, lane: lane, address, size)
}

@inline(never)
func windowPointer(
    _ warp: UnsafeMutablePointer<Warp>, lane: Int, _ address: UInt64, _ size: UInt64
) -> UnsafeMutableRawPointer? {
    let offset = address & 0xffff_ffff
    switch address &>> 32 {
    case Warp.Window.shared: return sharedPointer(warp, offset, size)
    case Warp.Window.local: return localPointer(warp, lane: lane, offset, size)
    case Warp.Window.parameter: return parameterPointer(warp, offset, size)
    case Warp.Window.workspace:
        guard offset &+ size <= warp.pointee.workspaceByteCount else { return nil }
        return warp.pointee.workspace + Int(truncatingIfNeeded: offset)
    default: return nil
    }
}

@inline(__always)
func sharedPointer(
    _ warp: UnsafeMutablePointer<Warp>, _ offset: UInt64, _ size: UInt64
) -> UnsafeMutableRawPointer? {
    guard offset &+ size <= warp.pointee.sharedByteCount, offset < 1 << 32 else { return nil }
    return warp.pointee.shared + Int(truncatingIfNeeded: offset)
}

@inline(__always)
func localPointer(
    _ warp: UnsafeMutablePointer<Warp>, lane: Int, _ offset: UInt64, _ size: UInt64
) -> UnsafeMutableRawPointer? {
    guard offset &+ size <= warp.pointee.localByteCount, offset < 1 << 32 else { return nil }
    let start = lane &* Int(truncatingIfNeeded: warp.pointee.localByteCount)
    return warp.pointee.local + (start &+ Int(truncatingIfNeeded: offset))
}

@inline(__always)
func parameterPointer(
    _ warp: UnsafeMutablePointer<Warp>, _ offset: UInt64, _ size: UInt64
) -> UnsafeMutableRawPointer? {
    guard offset &+ size <= warp.pointee.parameterByteCount, offset < 1 << 32 else { return nil }
    return warp.pointee.parameters + Int(truncatingIfNeeded: offset)
}

/// One lane's address, `immediate` and the frame's place included.
@inline(__always)
func laneAddress(_ w: WarpPointer, _ i: InstructionPointer, _ access: Access, lane: Int) -> UInt64 {
    let offset = i.instruction.pointee.immediate
    if access.isFrameRelative {
        return UInt64(truncatingIfNeeded: w.warp.pointee.frame.pointee.localOffset) &+ offset
    }
    if access.hasNarrowAddress {
        let value = lanes(w, i.instruction.pointee.a, as: UInt32.self)[lane]
        return UInt64(value &+ UInt32(truncatingIfNeeded: offset))
    }
    return lanes(w, i.instruction.pointee.a, as: UInt64.self)[lane] &+ offset
}

/// The host address of one lane's access of `size` bytes; records the fault and returns nil when it is illegal.
@inline(__always)
func accessPointer(
    _ w: WarpPointer, _ i: InstructionPointer, _ access: Access, lane: Int, size: UInt64
) -> UnsafeMutableRawPointer? {
    let address = laneAddress(w, i, access, lane: lane)
    if address & (size &- 1) == 0 {
        let pointer: UnsafeMutableRawPointer?
        switch access.space {
        case .generic, .global: pointer = genericPointer(w.warp, lane: lane, address, size)
        case .shared: pointer = sharedPointer(w.warp, address & 0xffff_ffff, size)
        case .local: pointer = localPointer(w.warp, lane: lane, address, size)
        case .parameter: pointer = parameterPointer(w.warp, address, size)
        }
        if let pointer { return pointer }
        _ = fail(w, i, .illegalAddress, lane: lane, address: address)
    } else {
        _ = fail(w, i, .misalignedAddress, lane: lane, address: address)
    }
    return nil
}

/// The host memory of a whole range of generic addresses of one lane, or nil; for strings and buffers of builtins.
func rangePointer(
    _ w: WarpPointer, lane: Int, _ address: UInt64, _ byteCount: UInt64
) -> UnsafeMutableRawPointer? {
    if byteCount == 0 || byteCount > 1 << 30 { return nil }
    let warp = w.warp
    let offset = address &- warp.pointee.arenaAddress
    guard offset < warp.pointee.arenaByteCount else { return windowPointer(warp, lane: lane, address, byteCount) }
    var granule = offset &>> 9
    let last = (offset &+ byteCount &- 1) &>> 9
    guard last < warp.pointee.arenaByteCount &>> 9 else { return nil }
    while granule <= last {
        if (warp.pointee.granules[Int(granule &>> 6)] &>> (granule & 63)) & 1 == 0 { return nil }
        granule &+= 1
    }
    return warp.pointee.arenaHost + Int(truncatingIfNeeded: offset)
}
