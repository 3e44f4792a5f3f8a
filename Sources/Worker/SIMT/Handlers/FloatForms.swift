internal import Glibc
internal import PTX

/// Arithmetic in `.f32`.
enum FloatForms {
    static func find(_ operation: Operation) -> Form? {
        let mode = RoundingMode(operation)
        let isFlushed = operation.has("ftz")
        var form: Form?
        if mode != .nearest, !operation.has("approx") {
            form = directedForm(operation)
            form?.flags = mode.rawValue
        } else {
            form = isFlushed ? flushedForm(operation) : plainForm(operation)
        }
        form = form ?? sharedForm(operation)
        if operation.has("sat") {
            form?.finish = { w, i in map1(w, i) { (a: Float) in saturated(a) } }
        } else if isFlushed {
            form?.finish = mode != .nearest ? flush : flushAfter(operation)
        }
        return form
    }

    private static let flush: Handler = { w, i in map1(w, i) { (a: Float) in flushed(a) } }

    /// Forms of ``sharedForm(_:)`` and ``directedForm(_:)`` flush their results here.
    private static func flushAfter(_ operation: Operation) -> Handler? {
        switch operation.opcode {
        case "add", "sub", "mul", "fma", "mad", "neg", "abs", "min", "max": nil
        default: flush
        }
    }

    private static func plainForm(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in a + b } }
        case "sub": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in a - b } }
        case "mul": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in a * b } }
        case "fma", "mad":
            .ternaryF32 { w, i in map3(w, i) { (a: Float, b: Float, c: Float) in c.addingProduct(a, b) } }
        case "neg": .unaryF32 { w, i in map1(w, i) { (a: UInt32) in a ^ 0x8000_0000 } }
        case "abs": .unaryF32 { w, i in map1(w, i) { (a: UInt32) in a & 0x7fff_ffff } }
        case "min" where operation.has("NaN"):
            .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in a != a || b != b ? .nan : least(a, b) } }
        case "max" where operation.has("NaN"):
            .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in a != a || b != b ? .nan : greatest(a, b) } }
        case "min" where !operation.has("xorsign"):
            .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in least(a, b) } }
        case "max" where !operation.has("xorsign"):
            .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in greatest(a, b) } }
        default: nil
        }
    }

    private static func flushedForm(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in flushed(flushed(a) + flushed(b)) } }
        case "sub": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in flushed(flushed(a) - flushed(b)) } }
        case "mul": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in flushed(flushed(a) * flushed(b)) } }
        case "fma", "mad":
            .ternaryF32 { w, i in
                map3(w, i) { (a: Float, b: Float, c: Float) in
                    flushed(flushed(c).addingProduct(flushed(a), flushed(b)))
                }
            }
        case "neg": .unaryF32 { w, i in map1(w, i) { (a: Float) in -flushed(a) } }
        case "abs":
            .unaryF32 { w, i in map1(w, i) { (a: Float) in Float(bitPattern: flushed(a).bitPattern & ~(1 << 31)) } }
        case "min" where operation.has("NaN"), "max" where operation.has("NaN"): plainForm(operation)
        case "min": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in least(flushed(a), flushed(b)) } }
        case "max": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in greatest(flushed(a), flushed(b)) } }
        case "div":
            .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in flushed(flushed(a) / flushed(b)) } }
        case "rcp": .unaryF32 { w, i in map1(w, i) { (a: Float) in flushed(1 / flushed(a)) } }
        case "sqrt": .unaryF32 { w, i in map1(w, i) { (a: Float) in flushed(root(flushed(a))) } }
        case "rsqrt":
            .unaryF32 { w, i in map1(w, i) { (a: Float) in flushed(Float(1 / root(Double(flushed(a))))) } }
        case "lg2": .unaryF32 { w, i in map1(w, i) { (a: Float) in log2f(flushed(a)) } }
        default: nil
        }
    }

    /// What `.ftz` changes only after the fact.
    private static func sharedForm(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "div": .binaryF32 { w, i in map2(w, i) { (a: Float, b: Float) in a / b } }
        case "rcp": .unaryF32 { w, i in map1(w, i) { (a: Float) in 1 / a } }
        case "sqrt": .unaryF32 { w, i in map1(w, i) { (a: Float) in root(a) } }
        case "rsqrt": .unaryF32 { w, i in map1(w, i) { (a: Float) in Float(1 / root(Double(a))) } }
        case "ex2": .unaryF32 { w, i in map1(w, i) { (a: Float) in exp2f(a) } }
        case "lg2": .unaryF32 { w, i in map1(w, i) { (a: Float) in log2f(a) } }
        case "sin": .unaryF32 { w, i in map1(w, i) { (a: Float) in sinf(a) } }
        case "cos": .unaryF32 { w, i in map1(w, i) { (a: Float) in cosf(a) } }
        case "tanh": .unaryF32 { w, i in map1(w, i) { (a: Float) in tanhf(a) } }
        case "copysign":
            .binaryF32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in (b & 0x7fff_ffff) | (a & 0x8000_0000) } }
        default: nil
        }
    }

    private static func directedForm(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add":
            .binaryF32 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map2(w, i) { (a: Float, b: Float) in add(a, b, mode) }
            }
        case "sub":
            .binaryF32 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map2(w, i) { (a: Float, b: Float) in add(a, -b, mode) }
            }
        case "mul":
            .binaryF32 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map2(w, i) { (a: Float, b: Float) in multiply(a, b, mode) }
            }
        case "fma", "mad":
            .ternaryF32 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map3(w, i) { (a: Float, b: Float, c: Float) in multiplyAdd(a, b, c, mode) }
            }
        case "div":
            .binaryF32 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map2(w, i) { (a: Float, b: Float) in divide(a, b, mode) }
            }
        case "rcp":
            .unaryF32 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map1(w, i) { (a: Float) in divide(1, a, mode) }
            }
        case "sqrt":
            .unaryF32 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map1(w, i) { (a: Float) in squareRoot(a, mode) }
            }
        default: nil
        }
    }
}

/// The square root without libm's check of its argument.
@inline(__always)
func root(_ x: Float) -> Float { x < 0 ? .nan : x.squareRoot() }

@inline(__always)
func root(_ x: Double) -> Double { x < 0 ? .nan : x.squareRoot() }

/// Arithmetic in `.f64`.
enum DoubleForms {
    static func find(_ operation: Operation) -> Form? {
        let mode = RoundingMode(operation)
        var form = mode == .nearest ? plainForm(operation) : directedForm(operation) ?? plainForm(operation)
        if mode != .nearest { form?.flags = mode.rawValue }
        return form
    }

    private static func plainForm(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add": .binaryF64 { w, i in map2(w, i) { (a: Double, b: Double) in a + b } }
        case "sub": .binaryF64 { w, i in map2(w, i) { (a: Double, b: Double) in a - b } }
        case "mul": .binaryF64 { w, i in map2(w, i) { (a: Double, b: Double) in a * b } }
        case "fma", "mad":
            .ternaryF64 { w, i in map3(w, i) { (a: Double, b: Double, c: Double) in c.addingProduct(a, b) } }
        case "neg": .unaryF64 { w, i in map1(w, i) { (a: UInt64) in a ^ (1 << 63) } }
        case "abs": .unaryF64 { w, i in map1(w, i) { (a: UInt64) in a & ~(1 << 63) } }
        case "min": .binaryF64 { w, i in map2(w, i) { (a: Double, b: Double) in least(a, b) } }
        case "max": .binaryF64 { w, i in map2(w, i) { (a: Double, b: Double) in greatest(a, b) } }
        case "div": .binaryF64 { w, i in map2(w, i) { (a: Double, b: Double) in a / b } }
        case "rcp" where operation.has("ftz"):
            .unaryF64 { w, i in map1(w, i) { (a: Double) in flushed(1 / flushed(a)) } }
        case "rcp": .unaryF64 { w, i in map1(w, i) { (a: Double) in 1 / a } }
        case "sqrt": .unaryF64 { w, i in map1(w, i) { (a: Double) in root(a) } }
        case "rsqrt" where operation.has("ftz"):
            .unaryF64 { w, i in map1(w, i) { (a: Double) in 1 / root(flushed(a)) } }
        case "rsqrt": .unaryF64 { w, i in map1(w, i) { (a: Double) in 1 / root(a) } }
        case "lg2": .unaryF64 { w, i in map1(w, i) { (a: Double) in log2(a) } }
        case "ex2": .unaryF64 { w, i in map1(w, i) { (a: Double) in exp2(a) } }
        case "copysign":
            .binaryF64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in (b & ~(1 << 63)) | (a & (1 << 63)) } }
        default: nil
        }
    }

    private static func directedForm(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add":
            .binaryF64 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map2(w, i) { (a: Double, b: Double) in SIMT.add(a, b, mode) }
            }
        case "sub":
            .binaryF64 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map2(w, i) { (a: Double, b: Double) in SIMT.add(a, -b, mode) }
            }
        case "mul":
            .binaryF64 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map2(w, i) { (a: Double, b: Double) in multiply(a, b, mode) }
            }
        case "fma", "mad":
            .ternaryF64 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map3(w, i) { (a: Double, b: Double, c: Double) in multiplyAdd(a, b, c, mode) }
            }
        case "div":
            .binaryF64 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map2(w, i) { (a: Double, b: Double) in divide(a, b, mode) }
            }
        case "rcp":
            .unaryF64 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map1(w, i) { (a: Double) in divide(1, a, mode) }
            }
        case "sqrt":
            .unaryF64 { w, i in
                let mode = RoundingMode(rawValue: i.instruction.pointee.flags) ?? .nearest
                return map1(w, i) { (a: Double) in squareRoot(a, mode) }
            }
        default: nil
        }
    }
}

@inline(__always)
private func flushed(_ x: Double) -> Double {
    let bits = x.bitPattern
    return Double(bitPattern: bits & 0x7ff0_0000_0000_0000 == 0 ? bits & (1 << 63) : bits)
}
