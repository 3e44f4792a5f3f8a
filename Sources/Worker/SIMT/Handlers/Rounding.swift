internal import Glibc

/// A subnormal value becomes a zero of its sign.
@inline(__always)
func flushed(_ x: Float) -> Float {
    let bits = x.bitPattern
    return Float(bitPattern: bits & 0x7f80_0000 == 0 ? bits & 0x8000_0000 : bits)
}

/// Clamps to [0, 1]; NaN becomes 0.
@inline(__always)
func saturated(_ x: Float) -> Float { x > 0 ? (x < 1 ? x : 1) : 0 }

@inline(__always)
func saturated(_ x: Double) -> Double { x > 0 ? (x < 1 ? x : 1) : 0 }

/// Rounding of results, in the order of ``Instruction/flags``.
enum RoundingMode: UInt32 {
    case nearest, zero, down, up

    /// From the modifiers of an instruction (`rz`, `rmi`, …).
    init(_ operation: Operation) {
        if operation.has("rz") || operation.has("rzi") {
            self = .zero
        } else if operation.has("rm") || operation.has("rmi") {
            self = .down
        } else if operation.has("rp") || operation.has("rpi") {
            self = .up
        } else {
            self = .nearest
        }
    }
}

/// Moves a nearest-rounded result to what another mode gives; `error` has the sign of the exact value less `nearest`.
@inline(__always)
func directed<T: BinaryFloatingPoint>(_ nearest: T, error: Double, _ mode: RoundingMode) -> T {
    if error == 0 || error.isNaN || nearest.isNaN { return nearest }
    switch mode {
    case .nearest: return nearest
    case .zero:
        if nearest > 0 || (nearest == 0 && error > 0) { return error < 0 ? nearest.nextDown : nearest }
        return error > 0 ? nearest.nextUp : nearest
    case .down: return error < 0 ? nearest.nextDown : nearest
    case .up: return error > 0 ? nearest.nextUp : nearest
    }
}

/// The exact error of a + b.
@inline(__always)
private func sumError(_ a: Double, _ b: Double, _ sum: Double) -> Double {
    let part = sum - a
    return (a - (sum - part)) + (b - part)
}

/// The sign of the exact a + b less `rounded`, as a value.
@inline(__always)
private func excess(_ sum: Double, _ error: Double, over rounded: Double) -> Double {
    if rounded.isInfinite { return sum.isInfinite ? 0 : (rounded > 0 ? -1 : 1) }
    let difference = sum - rounded
    return difference != 0 ? difference : error
}

func add(_ a: Float, _ b: Float, _ mode: RoundingMode) -> Float {
    let sum = Double(a) + Double(b)
    let nearest = a + b
    if sum == 0, a != 0 || b != 0 || a.sign != b.sign { return mode == .down ? -0.0 : 0 }
    return directed(nearest, error: excess(sum, sumError(Double(a), Double(b), sum), over: Double(nearest)), mode)
}

func multiply(_ a: Float, _ b: Float, _ mode: RoundingMode) -> Float {
    let nearest = a * b
    return directed(nearest, error: excess(Double(a) * Double(b), 0, over: Double(nearest)), mode)
}

func multiplyAdd(_ a: Float, _ b: Float, _ c: Float, _ mode: RoundingMode) -> Float {
    let product = Double(a) * Double(b)
    let nearest = c.addingProduct(a, b)
    let sum = product + Double(c)
    if sum == 0, product != 0 || c != 0 { return mode == .down ? -0.0 : 0 }
    return directed(nearest, error: excess(sum, sumError(product, Double(c), sum), over: Double(nearest)), mode)
}

func divide(_ a: Float, _ b: Float, _ mode: RoundingMode) -> Float {
    let nearest = a / b
    if nearest.isInfinite, a.isFinite, b != 0 { return directed(nearest, error: nearest > 0 ? -1 : 1, mode) }
    // The remainder is exact in Double; its sign over b's is the error's.
    let rest = Double(a) - Double(nearest) * Double(b)
    return directed(nearest, error: b < 0 ? -rest : rest, mode)
}

func squareRoot(_ a: Float, _ mode: RoundingMode) -> Float {
    let nearest = a.squareRoot()
    return directed(nearest, error: Double(a) - Double(nearest) * Double(nearest), mode)
}

func add(_ a: Double, _ b: Double, _ mode: RoundingMode) -> Double {
    let sum = a + b
    if sum == 0, a != 0 || b != 0 || a.sign != b.sign { return mode == .down ? -0.0 : 0 }
    if sum.isInfinite, a.isFinite, b.isFinite { return directed(sum, error: sum > 0 ? -1 : 1, mode) }
    return directed(sum, error: sumError(a, b, sum), mode)
}

func multiply(_ a: Double, _ b: Double, _ mode: RoundingMode) -> Double {
    let product = a * b
    if product.isInfinite, a.isFinite, b.isFinite { return directed(product, error: product > 0 ? -1 : 1, mode) }
    return directed(product, error: (-product).addingProduct(a, b), mode)
}

func multiplyAdd(_ a: Double, _ b: Double, _ c: Double, _ mode: RoundingMode) -> Double {
    let nearest = c.addingProduct(a, b)
    if nearest.isInfinite, a.isFinite, b.isFinite, c.isFinite {
        return directed(nearest, error: nearest > 0 ? -1 : 1, mode)
    }
    // a·b + c - nearest, exactly: the product as two parts, then a sum of which only the sign matters.
    let high = a * b
    let low = (-high).addingProduct(a, b)
    let sum = high + c
    if nearest == 0, sum == 0, low == 0, high != 0 || c != 0 { return mode == .down ? -0.0 : 0 }
    let rest = sumError(high, c, sum)
    let first = sum - nearest
    return directed(nearest, error: first + (rest + low), mode)
}

func divide(_ a: Double, _ b: Double, _ mode: RoundingMode) -> Double {
    let nearest = a / b
    if nearest.isInfinite, a.isFinite, b != 0 { return directed(nearest, error: nearest > 0 ? -1 : 1, mode) }
    let rest = a.addingProduct(-nearest, b)
    return directed(nearest, error: b < 0 ? -rest : rest, mode)
}

func squareRoot(_ a: Double, _ mode: RoundingMode) -> Double {
    let nearest = a.squareRoot()
    return directed(nearest, error: a.addingProduct(-nearest, nearest), mode)
}

/// The nearest bfloat16 of a float, ties to even.
@inline(__always)
func bfloat16(_ x: Float) -> UInt16 {
    let bits = x.bitPattern
    if bits & 0x7fff_ffff > 0x7f80_0000 { return 0x7fff }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits &>> 16) & 1)) &>> 16)
}

@inline(__always)
func float(bfloat16 bits: UInt32) -> Float { Float(bitPattern: bits &<< 16) }

@inline(__always)
func float(half bits: UInt32) -> Float { Float(Float16(bitPattern: UInt16(truncatingIfNeeded: bits))) }

@inline(__always)
func half(_ x: Float) -> UInt32 { x.isNaN ? 0x7fff : UInt32(Float16(x).bitPattern) }

/// `min` and `max` of PTX: a number wins over NaN, and -0 is less than +0.
@inline(__always)
func least<T: BinaryFloatingPoint>(_ a: T, _ b: T) -> T {
    if a != a { return b }
    if b != b { return a }
    return a < b || (a == b && a.sign == .minus) ? a : b
}

@inline(__always)
func greatest<T: BinaryFloatingPoint>(_ a: T, _ b: T) -> T {
    if a != a { return b }
    if b != b { return a }
    return a > b || (a == b && a.sign == .plus) ? a : b
}

/// `min.NaN` and `max.NaN`: NaN wins.
@inline(__always)
func leastOrNaN(_ a: Float, _ b: Float) -> Float { a != a || b != b ? .nan : least(a, b) }

@inline(__always)
func greatestOrNaN(_ a: Float, _ b: Float) -> Float { a != a || b != b ? .nan : greatest(a, b) }
