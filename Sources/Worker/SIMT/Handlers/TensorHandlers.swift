/// `mma`, `wmma` and the loads of their fragments. Fragments are registers side by side: 128 bytes each.
enum TensorHandlers {
    /// d = a · b + c; `immediate` is a ``TensorShape``.
    static let multiply: Handler = { w, i in
        if gather(w, i, membersAt: i.instruction.pointee.e) == 0 { return nil }
        let shape = TensorShape(bits: i.instruction.pointee.immediate)
        if shape.a.isInteger {
            multiplyIntegers(w, i, shape)
        } else {
            multiplyFloats(w, i, shape)
        }
        return i.next
    }

    /// `ldmatrix`: `flags` holds an ``Access``, `immediate`'s low half the offset; c is 1 for `.trans`, b the count.
    static let loadMatrix: Handler = { w, i in
        if gather(w, i, membersAt: i.instruction.pointee.e) == 0 { return nil }
        return moveMatrices(w, i, isLoad: true)
    }

    static let storeMatrix: Handler = { w, i in
        if gather(w, i, membersAt: i.instruction.pointee.e) == 0 { return nil }
        return moveMatrices(w, i, isLoad: false)
    }

    /// `wmma.load` and `wmma.store`: b is the stride in elements, c a packed ``FragmentLayout``.
    static let loadFragment: Handler = { w, i in
        if gather(w, i, membersAt: i.instruction.pointee.e) == 0 { return nil }
        return moveFragment(w, i, isLoad: true)
    }

    static let storeFragment: Handler = { w, i in
        if gather(w, i, membersAt: i.instruction.pointee.e) == 0 { return nil }
        return moveFragment(w, i, isLoad: false)
    }
}

/// How a fragment of `wmma` lies in memory.
struct FragmentLayout {
    var rows: Int
    var columns: Int
    var element: TensorElement
    var isColumnMajor: Bool
    var registerCount: Int

    var bits: UInt32 {
        UInt32(rows) | UInt32(columns) << 8 | UInt32(element.rawValue) << 16 | (isColumnMajor ? 1 : 0) << 20
            | UInt32(registerCount) << 24
    }

    init(rows: Int, columns: Int, element: TensorElement, isColumnMajor: Bool, registerCount: Int) {
        (self.rows, self.columns, self.element) = (rows, columns, element)
        (self.isColumnMajor, self.registerCount) = (isColumnMajor, registerCount)
    }

    init(bits: UInt32) {
        rows = Int(bits & 255)
        columns = Int((bits >> 8) & 255)
        element = TensorElement(rawValue: UInt64((bits >> 16) & 15)) ?? .f32
        isColumnMajor = (bits >> 20) & 1 == 1
        registerCount = Int((bits >> 24) & 15)
    }
}

@inline(__always)
private func bits(_ w: WarpPointer, _ start: UInt32, _ place: TensorShape.Place, _ element: TensorElement) -> UInt32 {
    let register = lanes(w, start &+ UInt32(truncatingIfNeeded: place.register) &* 128, as: UInt32.self)
    let value = register[place.lane]
    let count = UInt32(truncatingIfNeeded: element.bitCount)
    return count == 32 ? value : (value &>> (UInt32(truncatingIfNeeded: place.part) &* count)) & ((1 &<< count) &- 1)
}

@inline(__always)
private func setBits(
    _ w: WarpPointer, _ start: UInt32, _ place: TensorShape.Place, _ element: TensorElement, _ value: UInt32
) {
    let register = lanes(w, start &+ UInt32(truncatingIfNeeded: place.register) &* 128, as: UInt32.self)
    let count = UInt32(truncatingIfNeeded: element.bitCount)
    if count == 32 {
        register[place.lane] = value
        return
    }
    let shift = UInt32(truncatingIfNeeded: place.part) &* count
    let mask: UInt32 = ((1 &<< count) &- 1) &<< shift
    register[place.lane] = (register[place.lane] & ~mask) | ((value &<< shift) & mask)
}

@inline(__always)
private func float(_ bits: UInt32, _ element: TensorElement) -> Float {
    switch element {
    case .f16: float(half: bits)
    case .bf16: float(bfloat16: bits)
    case .tf32: Float(bitPattern: bits & 0xffff_e000)
    case .e4m3: float(e4m3: bits)
    case .e5m2: float(half: bits &<< 8)
    default: Float(bitPattern: bits)
    }
}

/// A float of 4 bits of exponent and 3 of mantissa: no infinity, and all ones are NaN.
@inline(__always)
func float(e4m3 bits: UInt32) -> Float {
    let magnitude = bits & 0x7f
    let sign = (bits & 0x80) &<< 24
    if magnitude == 0x7f { return Float(bitPattern: sign | 0x7fff_ffff) }
    // With the exponent's bias of a Float the bits are 2^120 too small, those below the least exponent included.
    return Float(bitPattern: sign | magnitude &<< 20) * Float(bitPattern: 0x7b80_0000)
}

@inline(__always)
private func number(
    _ w: WarpPointer, _ start: UInt32, _ place: TensorShape.Place, _ element: TensorElement
) -> Float {
    float(bits(w, start, place, element), element)
}

@inline(__always)
private func integer(_ bits: UInt32, _ element: TensorElement) -> Int64 {
    switch element {
    case .s8: Int64(Int8(truncatingIfNeeded: bits))
    case .u8: Int64(UInt8(truncatingIfNeeded: bits))
    default: Int64(Int32(bitPattern: bits))
    }
}

@inline(never)
private func multiplyFloats(_ w: WarpPointer, _ i: InstructionPointer, _ shape: TensorShape) {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: m * k + k * n + n) { room in
        let a = room.baseAddress.unsafelyUnwrapped
        let b = a + m * k
        let sums = b + k * n
        for row in 0..<m {
            for column in 0..<k {
                a[row &* k &+ column] = number(w, i.instruction.pointee.a, shape.placeOfA(row, column), shape.a)
            }
        }
        for row in 0..<k {
            for column in 0..<n {
                b[row &* n &+ column] = number(w, i.instruction.pointee.b, shape.placeOfB(row, column), shape.b)
            }
        }
        for row in 0..<m {
            for column in 0..<n {
                sums[column] = number(w, i.instruction.pointee.c, shape.placeOfC(row, column, shape.c), shape.c)
            }
            for step in 0..<k {
                let factor = a[row &* k &+ step]
                for column in 0..<n { sums[column] = sums[column].addingProduct(factor, b[step &* n &+ column]) }
            }
            for column in 0..<n {
                let value = shape.d == .f16 ? half(sums[column]) : sums[column].bitPattern
                setBits(w, i.instruction.pointee.d, shape.placeOfC(row, column, shape.d), shape.d, value)
            }
        }
    }
}

@inline(never)
private func multiplyIntegers(_ w: WarpPointer, _ i: InstructionPointer, _ shape: TensorShape) {
    for row in 0..<shape.m {
        for column in 0..<shape.n {
            var sum = integer(bits(w, i.instruction.pointee.c, shape.placeOfC(row, column, .s32), .s32), .s32)
            for step in 0..<shape.k {
                let left = integer(bits(w, i.instruction.pointee.a, shape.placeOfA(row, step), shape.a), shape.a)
                let right = integer(bits(w, i.instruction.pointee.b, shape.placeOfB(step, column), shape.b), shape.b)
                sum &+= left &* right
            }
            let value = shape.saturates ? Int32(clamping: sum) : Int32(truncatingIfNeeded: sum)
            setBits(w, i.instruction.pointee.d, shape.placeOfC(row, column, .s32), .s32, UInt32(bitPattern: value))
        }
    }
}

/// Matrices of 8 rows of 16 bytes: lane 8·j + r has the address of row r of matrix j, and register j holds the matrix.
@inline(never)
private func moveMatrices(_ w: WarpPointer, _ i: InstructionPointer, isLoad: Bool) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let count = Int(i.instruction.pointee.b)
    let isTransposed = i.instruction.pointee.c != 0
    for matrix in 0..<count {
        let register = lanes(w, i.instruction.pointee.d &+ UInt32(matrix) &* 128, as: UInt32.self)
        for row in 0..<8 {
            let provider = matrix &* 8 &+ row
            guard let pointer = accessPointer(w, i, access, lane: provider, size: 16) else { return nil }
            for column in 0..<8 {
                let (major, minor) = isTransposed ? (column, row) : (row, column)
                let lane = major &* 4 &+ minor / 2
                let shift = UInt32(minor & 1) &* 16
                if isLoad {
                    let value = UInt32(pointer.load(fromByteOffset: column &* 2, as: UInt16.self))
                    register[lane] = (register[lane] & ~(0xffff &<< shift)) | value &<< shift
                } else {
                    let value = UInt16(truncatingIfNeeded: register[lane] &>> shift)
                    pointer.storeBytes(of: value, toByteOffset: column &* 2, as: UInt16.self)
                }
            }
        }
    }
    return i.next
}

/// A matrix between memory and a fragment; all lanes have the same address and stride.
@inline(never)
private func moveFragment(_ w: WarpPointer, _ i: InstructionPointer, isLoad: Bool) -> InstructionPointer? {
    let access = Access(bits: i.instruction.pointee.flags)
    let layout = FragmentLayout(bits: i.instruction.pointee.c)
    let lane = w.warp.pointee.mask.trailingZeroBitCount
    let start = laneAddress(w, i, access, lane: lane)
    let stride = UInt64(lanes(w, i.instruction.pointee.b, as: UInt32.self)[lane])
    let size = UInt64(layout.element.bitCount / 8)
    let count = layout.rows &* layout.columns
    let copies = max(1, layout.registerCount &* layout.element.perRegister / max(1, count / 32))
    for row in 0..<layout.rows {
        for column in 0..<layout.columns {
            let (major, minor) = layout.isColumnMajor ? (column, row) : (row, column)
            let address = start &+ (UInt64(major) &* stride &+ UInt64(minor)) &* size
            guard let pointer = elementPointer(w, i, access, lane: lane, address, size) else { return nil }
            var place = TensorShape.opaquePlace(
                row &* layout.columns &+ column, elementCount: count, layout.element)
            if !isLoad {
                store(bits(w, i.instruction.pointee.d, place, layout.element), pointer, size)
                continue
            }
            let value = load(pointer, size)
            // Fragments of some shapes hold every element more than once.
            let step = layout.registerCount / copies
            for _ in 0..<copies {
                setBits(w, i.instruction.pointee.d, place, layout.element, value)
                place.register += step
            }
        }
    }
    return i.next
}

@inline(__always)
private func load(_ pointer: UnsafeMutableRawPointer, _ size: UInt64) -> UInt32 {
    switch size {
    case 1: UInt32(pointer.load(as: UInt8.self))
    case 2: UInt32(pointer.load(as: UInt16.self))
    default: pointer.load(as: UInt32.self)
    }
}

@inline(__always)
private func store(_ value: UInt32, _ pointer: UnsafeMutableRawPointer, _ size: UInt64) {
    switch size {
    case 1: pointer.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case 2: pointer.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
    default: pointer.storeBytes(of: value, as: UInt32.self)
    }
}

/// The host address of one element of a fragment, or nil after the fault is recorded.
private func elementPointer(
    _ w: WarpPointer, _ i: InstructionPointer, _ access: Access, lane: Int, _ address: UInt64, _ size: UInt64
) -> UnsafeMutableRawPointer? {
    guard address & (size &- 1) == 0 else {
        _ = fail(w, i, .misalignedAddress, lane: lane, address: address)
        return nil
    }
    let pointer =
        access.space == .shared
        ? sharedPointer(w.warp, address & 0xffff_ffff, size) : genericPointer(w.warp, lane: lane, address, size)
    if pointer == nil { _ = fail(w, i, .illegalAddress, lane: lane, address: address) }
    return pointer
}
