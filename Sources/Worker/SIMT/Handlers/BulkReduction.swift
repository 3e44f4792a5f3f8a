import Synchronization

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

    init(element: BulkElement, operation: Operation) {
        self.element = element
        self.operation = operation
    }

    init(flags: UInt32) {
        element = BulkElement(rawValue: (flags &>> 8) & 15) ?? .u32
        operation = Operation(rawValue: (flags &>> 16) & 7) ?? .add
    }

    /// `mapType`: the element type of the tensor map, which is that of a tensor's reduction; nil where there is no such
    /// reduction.
    init?(flags: UInt32, mapType: UInt32) {
        switch mapType {
        case 2: element = .u32
        case 3: element = .s32
        case 4: element = .u64
        case 5: element = .s64
        case 6: element = .f16
        case 7, 10, 11, 12: element = .f32
        case 8: element = .f64
        case 9: element = .bf16
        default: return nil
        }
        operation = Operation(rawValue: (flags &>> 16) & 7) ?? .add
        guard isKnown else { return nil }
    }

    /// Whether there is this operation for this element.
    var isKnown: Bool {
        switch operation {
        case .add: true
        case .min, .max: element != .f32 && element != .f64
        case .and, .or, .xor: [.u32, .s32, .u64, .s64, .b32, .b64].contains(element)
        case .increment, .decrement: element == .u32
        }
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
