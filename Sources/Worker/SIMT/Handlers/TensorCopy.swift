import Primitives

/// One lane's copy of a box, or of pixels, between a tensor and shared memory.
struct TensorCopy {
    private let w: WarpPointer
    private let map: TensorMap
    private let stores: Bool
    /// Combines with what is there instead of replacing it.
    private let reduction: BulkReduction?
    private var origin: InlineArray<5, Int64> = [0, 0, 0, 0, 0]
    /// Of pixels: what is added to the coordinates of the box's places.
    private var offsets: InlineArray<3, Int64> = [0, 0, 0]
    private(set) var badAddress: UInt64 = 0

    /// Nil where the map's elements can't be reduced so.
    init?(_ w: WarpPointer, _ i: InstructionPointer, _ map: TensorMap, lane: Int) {
        self.w = w
        self.map = map
        let flags = i.instruction.pointee.flags
        stores = flags & BulkHandlers.stores != 0
        if flags & BulkHandlers.reduces != 0 {
            guard let found = BulkReduction(flags: flags, mapType: map.elementType) else { return nil }
            reduction = found
        } else {
            reduction = nil
        }
        let start = i.instruction.pointee.e
        for dimension in 0..<map.rank {
            let place = start &+ UInt32(truncatingIfNeeded: dimension) &* 128
            origin[dimension] = Int64(lanes(w, place, as: Int32.self)[lane])
        }
        guard map.hasPixels, !stores else { return }
        for corner in 0..<map.rank - 2 {
            let place = start &+ (BulkHandlers.offsetPlace &+ UInt32(truncatingIfNeeded: corner)) &* 128
            offsets[corner] = Int64(lanes(w, place, as: UInt32.self)[lane] & 0xffff)
        }
    }

    /// Bytes of shared memory that are copied, what is outside of the tensor included.
    var byteCount: UInt64 { map.rowByteCount &* UInt64(map.rowCount) }

    /// The fault, when the box leaves shared memory, or the tensor live memory.
    mutating func run(at shared: UInt64) -> FaultCode? {
        let start = shared & 0xffff_ffff
        badAddress = shared
        guard start & 127 == 0 else { return .misalignedAddress }
        // Swizzles move chunks within 128 bytes, which a box may end in the midst of.
        let end = map.swizzle == 0 ? start &+ byteCount : (start &+ byteCount &+ 127) & ~127
        guard shared &>> 32 == Warp.Window.shared, end <= w.warp.pointee.sharedByteCount else { return .illegalAddress }
        return map.hasPixels ? runPixels(at: start) : runBox(at: start)
    }

    private mutating func runBox(at start: UInt64) -> FaultCode? {
        let counts = (1..<5).map { map.boxCount($0) }
        for number in 0..<map.rowCount {
            var rest = number
            var position = origin
            for dimension in 1..<5 where dimension < map.rank {
                let index = rest % counts[dimension - 1]
                rest /= counts[dimension - 1]
                position[dimension] &+= Int64(index) &* Int64(map.elementStrides[dimension])
            }
            let place = start &+ UInt64(number) &* map.rowByteCount
            guard row(position, at: place) else { return .illegalAddress }
        }
        return nil
    }

    /// Pixels lie side by side along the second dimension, go on in the next row of their box, and after the last row
    /// in the next image.
    private mutating func runPixels(at start: UInt64) -> FaultCode? {
        let last = map.rank - 1
        var position = origin
        for number in 0..<map.rowCount {
            var shifted = position
            for corner in 0..<last - 1 { shifted[corner + 1] &+= offsets[corner] }
            guard row(shifted, at: start &+ UInt64(number) &* map.rowByteCount) else { return .illegalAddress }
            var dimension = 1
            while dimension < last {
                position[dimension] &+= Int64(map.elementStrides[dimension])
                let end = Int64(map.sizes[dimension]) &- 1 &+ Int64(map.upperCorner[dimension - 1])
                if position[dimension] <= end { break }
                position[dimension] = Int64(map.lowerCorner[dimension - 1])
                dimension += 1
            }
            if dimension == last { position[last] &+= 1 }
        }
        return nil
    }

    /// Copies the elements from a position on along the first dimension; false for dead memory.
    private mutating func row(_ position: InlineArray<5, Int64>, at place: UInt64) -> Bool {
        let size = Int(map.elementByteCount)
        var isRowInside = true
        var base = map.address
        for dimension in 1..<5 where dimension < map.rank {
            let value = position[dimension]
            if value < 0 || value >= Int64(map.sizes[dimension]) { isRowInside = false }
            base &+= UInt64(bitPattern: value) &* map.stride(dimension)
        }
        for column in 0..<Int(map.rowByteCount) / size {
            let index = position[0] &+ Int64(column) &* Int64(map.elementStrides[0])
            let offset = swizzledAddress(place &+ UInt64(column * size), map.swizzle)
            let target = w.warp.pointee.shared + Int(truncatingIfNeeded: offset)
            guard isRowInside, index >= 0, index < Int64(map.sizes[0]) else {
                if !stores { fill(target, size) }
                continue
            }
            let address = base &+ UInt64(bitPattern: index) &* UInt64(size)
            guard let element = globalPointer(w.warp, address) else {
                badAddress = address
                return false
            }
            if !stores {
                target.copyMemory(from: element, byteCount: size)
            } else if let reduction {
                reduction.combine(element, UnsafeRawPointer(target), byteCount: size)
            } else {
                element.copyMemory(from: target, byteCount: size)
            }
        }
        return true
    }

    private func fill(_ target: UnsafeMutableRawPointer, _ size: Int) {
        target.initializeMemory(as: UInt8.self, repeating: map.fillsNaN ? 0xff : 0, count: size)
    }
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
