import Primitives
import Synchronization

/// `cp.async.bulk` and `cp.async.bulk.tensor`, done at once. a is the destination and b the source, generic addresses;
/// c is the barrier that counts the bytes, where `flags` says that there is one.
enum BulkHandlers {
    /// `flags`: the bytes of a copy to shared memory end a wait.
    static let completes: UInt32 = 1
    /// `flags` of tensor copies: from shared memory.
    static let stores: UInt32 = 2
    /// `flags`: to those blocks of the cluster whose bits are set in d. The cluster is one block.
    static let multicasts: UInt32 = 1 << 20
    /// `flags` of tensor copies: pixels, whose offsets lie ``offsetPlace`` places after the coordinates.
    static let hasPixels: UInt32 = 1 << 21
    static let offsetPlace: UInt32 = 5
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
            guard let isMeant = isForThisBlock(w, i, lane) else { return false }
            if !isMeant { return true }
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
            guard let isMeant = isForThisBlock(w, i, lane) else { return false }
            if !isMeant { return true }
            guard maps[lane] & 63 == 0,
                let bytes = rangePointer(w, lane: lane, maps[lane], UInt64(TensorMap.byteCount)),
                let map = TensorMap(words: { bytes.loadUnaligned(fromByteOffset: $0 &* 8, as: UInt64.self) }),
                map.rank == Int(truncatingIfNeeded: i.instruction.pointee.immediate),
                map.hasPixels == (flags & hasPixels != 0), var copy = TensorCopy(w, i, map, lane: lane)
            else {
                _ = fail(w, i, .illegalInstruction, lane: lane, address: maps[lane])
                return false
            }
            if let fault = copy.run(at: places[lane]) {
                _ = fail(w, i, fault, lane: lane, address: copy.badAddress)
                return false
            }
            return flags & completes == 0 || complete(w, i, lane, copy.byteCount)
        }
        return isFine ? i.next : nil
    }
}

/// Whether a copy to several blocks of the cluster is for this one, which is all there is; nil after the fault that
/// other blocks are.
private func isForThisBlock(_ w: WarpPointer, _ i: InstructionPointer, _ lane: Int) -> Bool? {
    guard i.instruction.pointee.flags & BulkHandlers.multicasts != 0 else { return true }
    let blocks = lanes(w, i.instruction.pointee.d, as: UInt32.self)[lane] & 0xffff
    guard blocks & ~1 == 0 else {
        _ = fail(w, i, .illegalInstruction, lane: lane, address: UInt64(blocks))
        return nil
    }
    return blocks == 1
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
