internal import Glibc
internal import PTX

/// Arithmetic in `.f16`, `.bf16` and their packed pairs.
///
/// Values go through Float: its 24 bits make the second rounding harmless for sums and products.
enum HalfForms {
    static func find(_ operation: Operation, _ type: PTXType) -> Form? {
        var form: Form?
        switch type {
        case .f16: form = single(operation, HalfFormat.self, .f16)
        case .bf16: form = single(operation, BrainFormat.self, .bf16)
        case .f16x2: form = pair(operation, HalfFormat.self)
        case .bf16x2: form = pair(operation, BrainFormat.self)
        default: return nil
        }
        if operation.has("xorsign") { return nil }
        guard form != nil, operation.has("sat") || operation.has("relu") else { return form }
        if operation.has("relu") { return nil }
        switch type {
        case .f16: form?.finish = { w, i in op1(w, i, HalfFormat.self) { saturated($0) } }
        case .f16x2: form?.finish = { w, i in pair1(w, i, HalfFormat.self) { saturated($0) } }
        default: return nil
        }
        return form
    }

    private static func single<F: SmallFloat>(_ operation: Operation, _ format: F.Type, _ kind: OperandKind) -> Form? {
        F.isBrain ? singleBrain(operation, kind) : singleHalf(operation, kind)
    }

    private static func pair<F: SmallFloat>(_ operation: Operation, _ format: F.Type) -> Form? {
        F.isBrain ? pairBrain(operation) : pairHalf(operation)
    }

    private static func singleHalf(_ operation: Operation, _ kind: OperandKind) -> Form? {
        let one = [kind]
        let two = [kind, kind]
        switch operation.opcode {
        case "add": return Form(kind, two) { w, i in op2(w, i, HalfFormat.self) { $0 + $1 } }
        case "sub": return Form(kind, two) { w, i in op2(w, i, HalfFormat.self) { $0 - $1 } }
        case "mul": return Form(kind, two) { w, i in op2(w, i, HalfFormat.self) { $0 * $1 } }
        case "min" where operation.has("NaN"):
            return Form(kind, two) { w, i in op2(w, i, HalfFormat.self) { leastOrNaN($0, $1) } }
        case "min": return Form(kind, two) { w, i in op2(w, i, HalfFormat.self) { least($0, $1) } }
        case "max" where operation.has("NaN"):
            return Form(kind, two) { w, i in op2(w, i, HalfFormat.self) { greatestOrNaN($0, $1) } }
        case "max": return Form(kind, two) { w, i in op2(w, i, HalfFormat.self) { greatest($0, $1) } }
        case "fma":
            return Form(kind, [kind, kind, kind]) { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in
                    fused(a & 0xffff, b & 0xffff, c & 0xffff, HalfFormat.self)
                }
            }
        case "neg": return Form(kind, one) { w, i in map1(w, i) { (a: UInt32) in a ^ 0x8000 } }
        case "abs": return Form(kind, one) { w, i in map1(w, i) { (a: UInt32) in a & 0x7fff } }
        case "ex2": return Form(kind, one) { w, i in op1(w, i, HalfFormat.self) { exp2f($0) } }
        case "tanh": return Form(kind, one) { w, i in op1(w, i, HalfFormat.self) { tanhf($0) } }
        default: return nil
        }
    }

    private static func singleBrain(_ operation: Operation, _ kind: OperandKind) -> Form? {
        let one = [kind]
        let two = [kind, kind]
        switch operation.opcode {
        case "add": return Form(kind, two) { w, i in op2(w, i, BrainFormat.self) { $0 + $1 } }
        case "sub": return Form(kind, two) { w, i in op2(w, i, BrainFormat.self) { $0 - $1 } }
        case "mul": return Form(kind, two) { w, i in op2(w, i, BrainFormat.self) { $0 * $1 } }
        case "min" where operation.has("NaN"):
            return Form(kind, two) { w, i in op2(w, i, BrainFormat.self) { leastOrNaN($0, $1) } }
        case "min": return Form(kind, two) { w, i in op2(w, i, BrainFormat.self) { least($0, $1) } }
        case "max" where operation.has("NaN"):
            return Form(kind, two) { w, i in op2(w, i, BrainFormat.self) { greatestOrNaN($0, $1) } }
        case "max": return Form(kind, two) { w, i in op2(w, i, BrainFormat.self) { greatest($0, $1) } }
        case "fma":
            return Form(kind, [kind, kind, kind]) { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in
                    fused(a & 0xffff, b & 0xffff, c & 0xffff, BrainFormat.self)
                }
            }
        case "neg": return Form(kind, one) { w, i in map1(w, i) { (a: UInt32) in a ^ 0x8000 } }
        case "abs": return Form(kind, one) { w, i in map1(w, i) { (a: UInt32) in a & 0x7fff } }
        case "ex2": return Form(kind, one) { w, i in op1(w, i, BrainFormat.self) { exp2f($0) } }
        case "tanh": return Form(kind, one) { w, i in op1(w, i, BrainFormat.self) { tanhf($0) } }
        default: return nil
        }
    }

    private static func pairHalf(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add": return .binary32 { w, i in pair2(w, i, HalfFormat.self) { $0 + $1 } }
        case "sub": return .binary32 { w, i in pair2(w, i, HalfFormat.self) { $0 - $1 } }
        case "mul": return .binary32 { w, i in pair2(w, i, HalfFormat.self) { $0 * $1 } }
        case "min" where operation.has("NaN"):
            return .binary32 { w, i in pair2(w, i, HalfFormat.self) { leastOrNaN($0, $1) } }
        case "min": return .binary32 { w, i in pair2(w, i, HalfFormat.self) { least($0, $1) } }
        case "max" where operation.has("NaN"):
            return .binary32 { w, i in pair2(w, i, HalfFormat.self) { greatestOrNaN($0, $1) } }
        case "max": return .binary32 { w, i in pair2(w, i, HalfFormat.self) { greatest($0, $1) } }
        case "fma": return .ternary32 { w, i in pair3(w, i, HalfFormat.self) }
        case "neg": return .unary32 { w, i in map1(w, i) { (a: UInt32) in a ^ 0x8000_8000 } }
        case "abs": return .unary32 { w, i in map1(w, i) { (a: UInt32) in a & 0x7fff_7fff } }
        case "ex2": return .unary32 { w, i in pair1(w, i, HalfFormat.self) { exp2f($0) } }
        case "tanh": return .unary32 { w, i in pair1(w, i, HalfFormat.self) { tanhf($0) } }
        default: return nil
        }
    }

    private static func pairBrain(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add": .binary32 { w, i in pair2(w, i, BrainFormat.self) { $0 + $1 } }
        case "sub": .binary32 { w, i in pair2(w, i, BrainFormat.self) { $0 - $1 } }
        case "mul": .binary32 { w, i in pair2(w, i, BrainFormat.self) { $0 * $1 } }
        case "min" where operation.has("NaN"):
            .binary32 { w, i in pair2(w, i, BrainFormat.self) { leastOrNaN($0, $1) } }
        case "min": .binary32 { w, i in pair2(w, i, BrainFormat.self) { least($0, $1) } }
        case "max" where operation.has("NaN"):
            .binary32 { w, i in pair2(w, i, BrainFormat.self) { greatestOrNaN($0, $1) } }
        case "max": .binary32 { w, i in pair2(w, i, BrainFormat.self) { greatest($0, $1) } }
        case "fma": .ternary32 { w, i in pair3(w, i, BrainFormat.self) }
        case "neg": .unary32 { w, i in map1(w, i) { (a: UInt32) in a ^ 0x8000_8000 } }
        case "abs": .unary32 { w, i in map1(w, i) { (a: UInt32) in a & 0x7fff_7fff } }
        case "ex2": .unary32 { w, i in pair1(w, i, BrainFormat.self) { exp2f($0) } }
        case "tanh": .unary32 { w, i in pair1(w, i, BrainFormat.self) { tanhf($0) } }
        default: nil
        }
    }

}

/// A 16-bit format in the low bits of a register.
protocol SmallFloat {
    static var isBrain: Bool { get }
    static func unpack(_ bits: UInt32) -> Float
    static func pack(_ value: Float) -> UInt32
}

enum HalfFormat: SmallFloat {
    @inline(__always) static var isBrain: Bool { false }
    @inline(__always) static func unpack(_ bits: UInt32) -> Float { float(half: bits) }
    @inline(__always) static func pack(_ value: Float) -> UInt32 { half(value) }
}

enum BrainFormat: SmallFloat {
    @inline(__always) static var isBrain: Bool { true }
    @inline(__always) static func unpack(_ bits: UInt32) -> Float { float(bfloat16: bits) }
    @inline(__always) static func pack(_ value: Float) -> UInt32 { UInt32(bfloat16(value)) }
}

@inline(__always)
private func both<F: SmallFloat>(_ a: UInt32, _ format: F.Type, _ body: (Float) -> Float) -> UInt32 {
    F.pack(body(F.unpack(a & 0xffff))) | F.pack(body(F.unpack(a &>> 16))) &<< 16
}

@inline(__always)
private func both<F: SmallFloat>(
    _ a: UInt32, _ b: UInt32, _ format: F.Type, _ body: (Float, Float) -> Float
) -> UInt32 {
    let low = F.pack(body(F.unpack(a & 0xffff), F.unpack(b & 0xffff)))
    return low | F.pack(body(F.unpack(a &>> 16), F.unpack(b &>> 16))) &<< 16
}

@inline(__always)
private func fused<F: SmallFloat>(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ format: F.Type) -> UInt32 {
    let sum = Double(F.unpack(c)).addingProduct(Double(F.unpack(a)), Double(F.unpack(b)))
    return F.pack(toOdd(sum))
}

/// Rounds to Float so that a second rounding gives what one would have: ties never arise by the first.
@inline(__always)
private func toOdd(_ x: Double) -> Float {
    let nearest = Float(x)
    if Double(nearest) == x || !nearest.isFinite || nearest == 0 { return nearest }
    let truncated = abs(Double(nearest)) > abs(x) ? (x > 0 ? nearest.nextDown : nearest.nextUp) : nearest
    return Float(bitPattern: truncated.bitPattern | 1)
}

@inline(__always)
private func op1<F: SmallFloat>(
    _ w: WarpPointer, _ i: InstructionPointer, _ format: F.Type, _ body: (Float) -> Float
) -> InstructionPointer? {
    map1(w, i) { (a: UInt32) in F.pack(body(F.unpack(a & 0xffff))) }
}

@inline(__always)
private func op2<F: SmallFloat>(
    _ w: WarpPointer, _ i: InstructionPointer, _ format: F.Type, _ body: (Float, Float) -> Float
) -> InstructionPointer? {
    map2(w, i) { (a: UInt32, b: UInt32) in F.pack(body(F.unpack(a & 0xffff), F.unpack(b & 0xffff))) }
}

@inline(__always)
private func fusedPair<F: SmallFloat>(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ format: F.Type) -> UInt32 {
    fused(a & 0xffff, b & 0xffff, c & 0xffff, format) | fused(a &>> 16, b &>> 16, c &>> 16, format) &<< 16
}

@inline(__always)
private func pair1<F: SmallFloat>(
    _ w: WarpPointer, _ i: InstructionPointer, _ format: F.Type, _ body: (Float) -> Float
) -> InstructionPointer? {
    map1(w, i) { (a: UInt32) in both(a, format, body) }
}

@inline(__always)
private func pair2<F: SmallFloat>(
    _ w: WarpPointer, _ i: InstructionPointer, _ format: F.Type, _ body: (Float, Float) -> Float
) -> InstructionPointer? {
    map2(w, i) { (a: UInt32, b: UInt32) in both(a, b, format, body) }
}

@inline(__always)
private func pair3<F: SmallFloat>(
    _ w: WarpPointer, _ i: InstructionPointer, _ format: F.Type
) -> InstructionPointer? {
    map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in fusedPair(a, b, c, format) }
}
