import Primitives
import Synchronization

/// `suld`, `sust`, `sured` and `suq`. `immediate` is a ``TextureOperation``; a holds handles, from b on the coordinates
/// lie side by side, from d on the values: 128 bytes each, 256 for elements of 64 bits.
enum SurfaceHandlers {
    static let load: Handler = { w, i in access(w, i) { place, lane in loadElements(w, i, place, lane) } }

    static let store: Handler = { w, i in access(w, i) { place, lane in storeElements(w, i, place, lane) } }

    /// `sured`: `flags` is a ``Reduction``.
    static let reduce: Handler = { w, i in
        let reduction = Reduction(rawValue: i.instruction.pointee.flags & 7) ?? .add
        let isSigned = i.instruction.pointee.flags & 8 != 0
        return access(w, i) { place, lane in
            guard let pointer = place.pointer else { return }
            if place.operation.elementByteCount == 8 {
                let value = lanes(w, i.instruction.pointee.d, as: UInt64.self)[lane]
                combine(pointer, UInt64.self) { reduction.combine($0, value, isSigned: isSigned) }
            } else {
                let value = lanes(w, i.instruction.pointee.d, as: UInt32.self)[lane]
                combine(pointer, UInt32.self) { reduction.combine($0, value, isSigned: isSigned) }
            }
        }
    }

    enum Reduction: UInt32 {
        case add, min, max, and, or

        func combine<Word: FixedWidthInteger & UnsignedInteger>(_ old: Word, _ value: Word, isSigned: Bool) -> Word {
            // Order signed numbers as unsigned ones with the sign turned.
            let turn: Word = isSigned ? 1 << Word(Word.bitWidth - 1) : 0
            switch self {
            case .add: return old &+ value
            case .min: return old ^ turn <= value ^ turn ? old : value
            case .max: return old ^ turn >= value ^ turn ? old : value
            case .and: return old & value
            case .or: return old | value
            }
        }
    }

    static let query: Handler = { w, i in
        let operation = TextureOperation(bits: i.instruction.pointee.immediate)
        let query = TextureHandlers.Query(rawValue: i.instruction.pointee.flags) ?? .width
        let results = lanes(w, i.instruction.pointee.d, as: UInt32.self)
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            guard let handle = textureHandle(w, i, operation, lane: lane) else { return false }
            guard let surface = textures(w).surface(handle) else {
                _ = fail(w, i, .illegalAddress, lane: lane, address: handle)
                return false
            }
            let level = surface.storage.level(surface.level)
            switch query {
            case .width: results[lane] = UInt32(truncatingIfNeeded: level.width)
            case .height: results[lane] = UInt32(truncatingIfNeeded: level.height)
            case .depth, .arraySize: results[lane] = UInt32(truncatingIfNeeded: level.depth)
            case .channelType: results[lane] = channelType(surface.storage.texel)
            case .channelOrder: results[lane] = channelOrder(surface.storage.texel)
            default: results[lane] = 0
            }
            return true
        }
        return isFine ? i.next : nil
    }
}

/// The numbers that `txq` and `suq` answer for how a channel is stored.
func channelType(_ texel: TexelFormat) -> UInt32 {
    let size = UInt32(texel.channelByteCount / 2)
    switch texel.kind {
    case .signedNormalized: return 0x10D0 + size
    case .unsignedNormalized: return 0x10D2 + size
    case .signed: return 0x10D7 + size
    case .unsigned: return 0x10DA + size
    case .float: return texel.channelByteCount == 2 ? 0x10DD : 0x10DE
    }
}

func channelOrder(_ texel: TexelFormat) -> UInt32 {
    texel.channelCount == 1 ? 0x10B0 : texel.channelCount == 2 ? 0x10B2 : 0x10B5
}

/// Where a lane accesses a surface; no pointer when the access falls away.
private struct SurfacePlace {
    var operation: TextureOperation
    var texel: TexelFormat
    var pointer: UnsafeMutableRawPointer?
}

@inline(__always)
private func access(
    _ w: WarpPointer, _ i: InstructionPointer, _ body: (SurfacePlace, _ lane: Int) -> Void
) -> InstructionPointer? {
    let operation = TextureOperation(bits: i.instruction.pointee.immediate)
    let isFine = forEachLane(w.warp.pointee.mask) { lane in
        guard let place = place(w, i, operation, lane) else { return false }
        body(place, lane)
        return true
    }
    return isFine ? i.next : nil
}

@inline(never)
private func place(
    _ w: WarpPointer, _ i: InstructionPointer, _ operation: TextureOperation, _ lane: Int
) -> SurfacePlace? {
    guard let handle = textureHandle(w, i, operation, lane: lane) else { return nil }
    guard let surface = textures(w).surface(handle) else {
        _ = fail(w, i, .illegalAddress, lane: lane, address: handle)
        return nil
    }
    let level = surface.storage.level(surface.level)
    let texel = surface.storage.texel
    func coordinate(_ index: Int) -> Int {
        let start = i.instruction.pointee.b &+ UInt32(truncatingIfNeeded: index) &* 128
        return Int(lanes(w, start, as: Int32.self)[lane])
    }
    let byteCount =
        operation.isFormatted ? texel.byteCount : operation.elementByteCount * operation.elementCount
    var (x, y, z) = (0, 0, 0)
    switch operation.geometry {
    case .d1: x = coordinate(0)
    case .d2: (x, y) = (coordinate(0), coordinate(1))
    case .a1d: (z, x) = (coordinate(0), coordinate(1))
    case .a2d: (z, x, y) = (coordinate(0), coordinate(1), coordinate(2))
    default: (x, y, z) = (coordinate(0), coordinate(1), coordinate(2))
    }
    if operation.isFormatted { x *= byteCount }
    let isInside =
        x >= 0 && x <= level.pitch - byteCount && y >= 0 && y < level.height && z >= 0 && z < level.depth
    if !isInside {
        switch operation.bounds {
        case .trap:
            _ = fail(w, i, .illegalAddress, lane: lane, address: UInt64(bitPattern: Int64(x)))
            return nil
        case .zero: return SurfacePlace(operation: operation, texel: texel, pointer: nil)
        case .clamp:
            guard level.pitch >= byteCount else {
                return SurfacePlace(operation: operation, texel: texel, pointer: nil)
            }
            x = min(max(x, 0), level.pitch - byteCount)
            y = min(max(y, 0), level.height - 1)
            z = min(max(z, 0), level.depth - 1)
        }
    }
    guard x % min(byteCount, 16) == 0 else {
        _ = fail(w, i, .misalignedAddress, lane: lane, address: UInt64(x))
        return nil
    }
    let pointer = level.start + z * level.slicePitch + y * level.pitch + x
    return SurfacePlace(operation: operation, texel: texel, pointer: pointer)
}

@inline(__always)
private func loadElements(_ w: WarpPointer, _ i: InstructionPointer, _ place: SurfacePlace, _ lane: Int) {
    let size = place.operation.elementByteCount
    for index in 0..<place.operation.elementCount {
        let start = i.instruction.pointee.d &+ UInt32(truncatingIfNeeded: index) &* (size == 8 ? 256 : 128)
        let source = place.pointer.map { $0 + index * size }
        switch size {
        case 1: lanes(w, start, as: UInt32.self)[lane] = UInt32(source?.load(as: UInt8.self) ?? 0)
        case 2: lanes(w, start, as: UInt32.self)[lane] = UInt32(source?.load(as: UInt16.self) ?? 0)
        case 4: lanes(w, start, as: UInt32.self)[lane] = source?.load(as: UInt32.self) ?? 0
        default: lanes(w, start, as: UInt64.self)[lane] = source?.load(as: UInt64.self) ?? 0
        }
    }
}

@inline(__always)
private func storeElements(_ w: WarpPointer, _ i: InstructionPointer, _ place: SurfacePlace, _ lane: Int) {
    guard let pointer = place.pointer else { return }
    if place.operation.isFormatted {
        storeFormatted(w, i, place, pointer, lane)
        return
    }
    let size = place.operation.elementByteCount
    for index in 0..<place.operation.elementCount {
        let start = i.instruction.pointee.d &+ UInt32(truncatingIfNeeded: index) &* (size == 8 ? 256 : 128)
        let target = pointer + index * size
        let word = lanes(w, start, as: UInt32.self)[lane]
        switch size {
        case 1: target.storeBytes(of: UInt8(truncatingIfNeeded: word), as: UInt8.self)
        case 2: target.storeBytes(of: UInt16(truncatingIfNeeded: word), as: UInt16.self)
        case 4: target.storeBytes(of: word, as: UInt32.self)
        default: target.storeBytes(of: lanes(w, start, as: UInt64.self)[lane], as: UInt64.self)
        }
    }
}

/// `sust.p`: values of 32 bits become what the surface stores.
private func storeFormatted(
    _ w: WarpPointer, _ i: InstructionPointer, _ place: SurfacePlace, _ pointer: UnsafeMutableRawPointer, _ lane: Int
) {
    for channel in 0..<min(place.texel.channelCount, place.operation.elementCount) {
        let start = i.instruction.pointee.d &+ UInt32(truncatingIfNeeded: channel) &* 128
        let word = lanes(w, start, as: UInt32.self)[lane]
        let bits = encode(word, place.texel)
        switch place.texel.channelByteCount {
        case 1: (pointer + channel).storeBytes(of: UInt8(truncatingIfNeeded: bits), as: UInt8.self)
        case 2: (pointer + channel * 2).storeBytes(of: UInt16(truncatingIfNeeded: bits), as: UInt16.self)
        default: (pointer + channel * 4).storeBytes(of: bits, as: UInt32.self)
        }
    }
}

private func encode(_ word: UInt32, _ texel: TexelFormat) -> UInt32 {
    let number = Float(bitPattern: word)
    let finite = number.isNaN ? 0 : number
    let isNarrow = texel.channelByteCount == 1
    switch texel.kind {
    case .float: return texel.channelByteCount == 2 ? half(number) : word
    case .unsigned: return isNarrow ? min(word, 255) : texel.channelByteCount == 2 ? min(word, 65_535) : word
    case .signed:
        let value = Int32(bitPattern: word)
        let limit: Int32 = isNarrow ? 127 : texel.channelByteCount == 2 ? 32_767 : .max
        return UInt32(bitPattern: min(max(value, -limit - 1), limit))
    case .unsignedNormalized:
        return UInt32((min(max(finite, 0), 1) * (isNarrow ? 255 : 65_535)).rounded())
    case .signedNormalized:
        return UInt32(bitPattern: Int32((min(max(finite, -1), 1) * (isNarrow ? 127 : 32_767)).rounded()))
    }
}

// SAFETY: both work on aligned memory of an array that the launch keeps alive.
private func combine(_ pointer: UnsafeMutableRawPointer, _ type: UInt32.Type, _ body: (UInt32) -> UInt32) {
    let cell = pointer.assumingMemoryBound(to: Atomic<UInt32>.self)
    var old = cell.pointee.load(ordering: .relaxed)
    while true {
        let (done, seen) = cell.pointee.weakCompareExchange(
            expected: old, desired: body(old), ordering: .acquiringAndReleasing)
        if done { return }
        old = seen
    }
}

private func combine(_ pointer: UnsafeMutableRawPointer, _ type: UInt64.Type, _ body: (UInt64) -> UInt64) {
    let cell = pointer.assumingMemoryBound(to: Atomic<UInt64>.self)
    var old = cell.pointee.load(ordering: .relaxed)
    while true {
        let (done, seen) = cell.pointee.weakCompareExchange(
            expected: old, desired: body(old), ordering: .acquiringAndReleasing)
        if done { return }
        old = seen
    }
}
