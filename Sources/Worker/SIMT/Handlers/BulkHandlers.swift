import Primitives
import Synchronization

/// `cp.async.bulk` and `cp.async.bulk.tensor`, done at once. a is the destination and b the source, generic addresses;
/// c is the barrier that counts the bytes, where `flags` says that there is one.
enum BulkHandlers {
    /// `flags`: the bytes of a copy to shared memory end a wait.
    static let completes: UInt32 = 1
    /// `flags` of tensor copies: from shared memory.
    static let stores: UInt32 = 2
    /// `flags`: adds to what is there instead of replacing it; the element's ``BulkElement`` from bit 8 up, the
    /// operation from bit 16 up.
    static let reduces: UInt32 = 4

    /// e is the size in bytes.
    static let copy: Handler = { w, i in
        let to = lanes(w, i.instruction.pointee.a, as: UInt64.self)
        let from = lanes(w, i.instruction.pointee.b, as: UInt64.self)
        let counts = lanes(w, i.instruction.pointee.e, as: UInt32.self)
        let flags = i.instruction.pointee.flags
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            let count = UInt64(counts[lane])
            guard (to[lane] | from[lane] | count) & 15 == 0 else {
                _ = fail(w, i, .misalignedAddress, lane: lane, address: to[lane])
                return false
            }
            if count > 0 {
                guard let target = rangePointer(w, lane: lane, to[lane], count),
                    let source = rangePointer(w, lane: lane, from[lane], count)
                else {
                    _ = fail(w, i, .illegalAddress, lane: lane, address: to[lane])
                    return false
                }
                if flags & reduces != 0 {
                    BulkReduction(flags: flags).combine(target, UnsafeRawPointer(source), byteCount: Int(count))
                } else {
                    target.copyMemory(from: source, byteCount: Int(count))
                }
            }
            return flags & completes == 0 || complete(w, i, lane, count)
        }
        return isFine ? i.next : nil
    }

    /// The tensor map is at b, coordinates lie side by side from e on, as many as `immediate` says; a is in shared
    /// memory.
    static let tensor: Handler = { w, i in
        let places = lanes(w, i.instruction.pointee.a, as: UInt64.self)
        let maps = lanes(w, i.instruction.pointee.b, as: UInt64.self)
        let flags = i.instruction.pointee.flags
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            guard let bytes = rangePointer(w, lane: lane, maps[lane], UInt64(TensorMap.byteCount)),
                let map = TensorMap(words: { bytes.loadUnaligned(fromByteOffset: $0 &* 8, as: UInt64.self) }),
                map.rank == Int(truncatingIfNeeded: i.instruction.pointee.immediate)
            else {
                _ = fail(w, i, .illegalInstruction, lane: lane, address: maps[lane])
                return false
            }
            var copy = TensorCopy(w, i, map, lane: lane)
            guard copy.run(at: places[lane]) else {
                _ = fail(w, i, .illegalAddress, lane: lane, address: copy.badAddress)
                return false
            }
            return flags & completes == 0 || complete(w, i, lane, copy.byteCount)
        }
        return isFine ? i.next : nil
    }
}

/// Tells the barrier at c that bytes have come.
private func complete(_ w: WarpPointer, _ i: InstructionPointer, _ lane: Int, _ byteCount: UInt64) -> Bool {
    let address = lanes(w, i.instruction.pointee.c, as: UInt64.self)[lane]
    guard address & 7 == 0, let pointer = genericPointer(w.warp, lane: lane, address, 8) else {
        _ = fail(w, i, .illegalAddress, lane: lane, address: address)
        return false
    }
    MemoryBarrierState.change(pointer) { $0.completed(UInt32(truncatingIfNeeded: byteCount)) }
    return true
}

/// One lane's copy of a box between a tensor and shared memory.
private struct TensorCopy {
    let w: WarpPointer
    let map: TensorMap
    let lane: Int
    let flags: UInt32
    private var origin: (Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0)
    private(set) var badAddress: UInt64 = 0
    private let reduction: BulkReduction

    init(_ w: WarpPointer, _ i: InstructionPointer, _ map: TensorMap, lane: Int) {
        self.w = w
        self.map = map
        self.lane = lane
        flags = i.instruction.pointee.flags
        reduction = BulkReduction(flags: flags, mapType: map.elementType)
        func coordinate(_ index: Int) -> Int64 {
            guard index < map.rank else { return 0 }
            let start = i.instruction.pointee.e &+ UInt32(truncatingIfNeeded: index) &* 128
            return Int64(lanes(w, start, as: Int32.self)[lane])
        }
        origin = (coordinate(0), coordinate(1), coordinate(2), coordinate(3), coordinate(4))
    }

    /// Elements of the box along a dimension.
    private func count(_ dimension: Int) -> Int {
        guard dimension < map.rank else { return 1 }
        let step = map.elementStride(dimension)
        return Int((map.boxSize(dimension) + step - 1) / step)
    }

    /// Bytes that the box has in shared memory, what is outside of the tensor included.
    var byteCount: UInt64 {
        var product = map.elementByteCount
        for dimension in 0..<map.rank { product &*= UInt64(count(dimension)) }
        return product
    }

    /// False when the box leaves shared memory, or the tensor live memory.
    mutating func run(at shared: UInt64) -> Bool {
        let size = Int(map.elementByteCount)
        // Patterns repeat every 1024 bytes of shared memory.
        let start = shared & 0xffff_ffff
        guard shared &>> 32 == Warp.Window.shared, start & 15 == 0,
            start &+ byteCount <= w.warp.pointee.sharedByteCount
        else {
            badAddress = shared
            return false
        }
        var place = start
        for number in 0..<count(1) * count(2) * count(3) * count(4) {
            let (d1, rest) = (number % count(1), number / count(1))
            let (d2, upper) = (rest % count(2), rest / count(2))
            guard row((d1, d2, upper % count(3), upper / count(3)), at: place, size) else { return false }
            place &+= UInt64(count(0) * size)
        }
        return true
    }

    private mutating func row(_ index: (Int, Int, Int, Int), at place: UInt64, _ size: Int) -> Bool {
        func position(_ dimension: Int, _ origin: Int64, _ index: Int) -> Int64 {
            origin &+ Int64(index) &* (dimension < map.rank ? Int64(map.elementStride(dimension)) : 1)
        }
        let p1 = position(1, origin.1, index.0)
        let p2 = position(2, origin.2, index.1)
        let p3 = position(3, origin.3, index.2)
        let p4 = position(4, origin.4, index.3)
        func isInside(_ dimension: Int, _ value: Int64) -> Bool {
            dimension >= map.rank || (value >= 0 && value < Int64(map.size(dimension)))
        }
        let isRowInside = isInside(1, p1) && isInside(2, p2) && isInside(3, p3) && isInside(4, p4)
        var base = map.address
        if isRowInside {
            if map.rank > 1 { base &+= UInt64(bitPattern: p1) &* map.stride(1) }
            if map.rank > 2 { base &+= UInt64(bitPattern: p2) &* map.stride(2) }
            if map.rank > 3 { base &+= UInt64(bitPattern: p3) &* map.stride(3) }
            if map.rank > 4 { base &+= UInt64(bitPattern: p4) &* map.stride(4) }
        }
        for column in 0..<count(0) {
            let p0 = position(0, origin.0, column)
            let offset = swizzled(place &+ UInt64(column * size))
            let target = w.warp.pointee.shared + Int(truncatingIfNeeded: offset)
            guard isRowInside, isInside(0, p0) else {
                if flags & BulkHandlers.stores == 0 { fill(target, size) }
                continue
            }
            let address = base &+ UInt64(bitPattern: p0) &* UInt64(size)
            guard let element = globalPointer(w.warp, address) else {
                badAddress = address
                return false
            }
            if flags & BulkHandlers.stores == 0 {
                target.copyMemory(from: element, byteCount: size)
            } else if flags & BulkHandlers.reduces != 0 {
                reduction.combine(element, UnsafeRawPointer(target), byteCount: size)
            } else {
                element.copyMemory(from: target, byteCount: size)
            }
        }
        return true
    }

    private func fill(_ target: UnsafeMutableRawPointer, _ size: Int) {
        let isNaN = map.fillsNaN && TensorMap.isFloat(map.elementType)
        target.initializeMemory(as: UInt8.self, repeating: isNaN ? 0xff : 0, count: size)
    }

    /// Chunks of 16 bytes trade places within rows of 32, 64 or 128 bytes.
    private func swizzled(_ offset: UInt64) -> UInt64 { swizzledAddress(offset, map.swizzle) }
}

/// A place in shared memory under a swizzle of 32, 64 or 128 bytes (1, 2, 3).
@inline(__always)
func swizzledAddress(_ offset: UInt64, _ swizzle: UInt32) -> UInt64 {
    switch swizzle {
    case 1: offset ^ ((offset &>> 3) & 0x10)
    case 2: offset ^ ((offset &>> 3) & 0x30)
    case 3: offset ^ ((offset &>> 3) & 0x70)
    default: offset
    }
}

/// The element types of `cp.reduce.async.bulk`.
enum BulkElement: UInt32 {
    case u32, s32, u64, s64, f16, bf16, f32, f64, b32, b64
}

/// What `cp.reduce.async.bulk` does with two runs of elements.
struct BulkReduction {
    enum Operation: UInt32 {
        case add, min, max, and, or, xor, increment, decrement
    }

    let element: BulkElement
    let operation: Operation

    /// `mapType`: the element type of the tensor map, which is that of a tensor's reduction.
    init(flags: UInt32, mapType: UInt32? = nil) {
        if let mapType {
            let kinds: [BulkElement] = [
                .b32, .b32, .u32, .s32, .u64, .s64, .f16, .f32, .f64, .bf16, .f32, .f32, .f32,
            ]
            element = mapType < kinds.count ? kinds[Int(mapType)] : .u32
        } else {
            element = BulkElement(rawValue: (flags &>> 8) & 15) ?? .u32
        }
        operation = Operation(rawValue: (flags &>> 16) & 7) ?? .add
    }

    static func flags(_ element: BulkElement, _ operation: Operation) -> UInt32 {
        BulkHandlers.reduces | element.rawValue << 8 | operation.rawValue << 16
    }

    func combine(_ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, byteCount: Int) {
        switch element {
        case .u32, .b32: each(target, source, byteCount) { (a: UInt32, b: UInt32) in integer(a, b) }
        case .s32:
            each(target, source, byteCount) { (a: UInt32, b: UInt32) in
                UInt32(bitPattern: integer(Int32(bitPattern: a), Int32(bitPattern: b)))
            }
        case .u64, .b64: each(target, source, byteCount) { (a: UInt64, b: UInt64) in integer(a, b) }
        case .s64:
            each(target, source, byteCount) { (a: UInt64, b: UInt64) in
                UInt64(bitPattern: integer(Int64(bitPattern: a), Int64(bitPattern: b)))
            }
        case .f16:
            each(target, source, byteCount) { (a: UInt16, b: UInt16) in
                UInt16(truncatingIfNeeded: half(number(float(half: UInt32(a)), float(half: UInt32(b)))))
            }
        case .bf16:
            each(target, source, byteCount) { (a: UInt16, b: UInt16) in
                bfloat16(number(float(bfloat16: UInt32(a)), float(bfloat16: UInt32(b))))
            }
        case .f32:
            each(target, source, byteCount) { (a: UInt32, b: UInt32) in
                (Float(bitPattern: a) + Float(bitPattern: b)).bitPattern
            }
        case .f64:
            each(target, source, byteCount) { (a: UInt64, b: UInt64) in
                (Double(bitPattern: a) + Double(bitPattern: b)).bitPattern
            }
        }
    }

    private func integer<Word: FixedWidthInteger>(_ a: Word, _ b: Word) -> Word {
        switch operation {
        case .add: a &+ b
        case .min: Swift.min(a, b)
        case .max: Swift.max(a, b)
        case .and: a & b
        case .or: a | b
        case .xor: a ^ b
        case .increment: a >= b ? 0 : a &+ 1
        case .decrement: a == 0 || a > b ? b : a &- 1
        }
    }

    private func number(_ a: Float, _ b: Float) -> Float {
        switch operation {
        case .min: least(a, b)
        case .max: greatest(a, b)
        default: a + b
        }
    }

    // SAFETY: both runs are live and aligned to the element; other blocks may reduce into the same memory at once.
    private func each<Word: FixedWidthInteger & UnsignedInteger>(
        _ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ byteCount: Int,
        _ body: (Word, Word) -> Word
    ) {
        let size = MemoryLayout<Word>.size
        for offset in stride(from: 0, to: byteCount, by: size) {
            let value = source.load(fromByteOffset: offset, as: Word.self)
            BulkReduction.exchange(target + offset, value, body)
        }
    }

    private static func exchange<Word: FixedWidthInteger & UnsignedInteger>(
        _ pointer: UnsafeMutableRawPointer, _ value: Word, _ body: (Word, Word) -> Word
    ) {
        if MemoryLayout<Word>.size == 8 {
            let cell = pointer.assumingMemoryBound(to: Atomic<UInt64>.self)
            var old = cell.pointee.load(ordering: .relaxed)
            while true {
                let new = UInt64(truncatingIfNeeded: body(Word(truncatingIfNeeded: old), value))
                let (done, seen) = cell.pointee.weakCompareExchange(
                    expected: old, desired: new, ordering: .acquiringAndReleasing)
                if done { return }
                old = seen
            }
        }
        if MemoryLayout<Word>.size == 4 {
            let cell = pointer.assumingMemoryBound(to: Atomic<UInt32>.self)
            var old = cell.pointee.load(ordering: .relaxed)
            while true {
                let new = UInt32(truncatingIfNeeded: body(Word(truncatingIfNeeded: old), value))
                let (done, seen) = cell.pointee.weakCompareExchange(
                    expected: old, desired: new, ordering: .acquiringAndReleasing)
                if done { return }
                old = seen
            }
        }
        let cell = pointer.assumingMemoryBound(to: Atomic<UInt16>.self)
        var old = cell.pointee.load(ordering: .relaxed)
        while true {
            let new = UInt16(truncatingIfNeeded: body(Word(truncatingIfNeeded: old), value))
            let (done, seen) = cell.pointee.weakCompareExchange(
                expected: old, desired: new, ordering: .acquiringAndReleasing)
            if done { return }
            old = seen
        }
    }
}
