internal import PTX

/// Integer arithmetic.
enum IntegerForms {
    static func find(_ operation: Operation, _ type: PTXType) -> Form? {
        guard operation.has("relu") else { return plain(operation, type) }
        // `min.relu.s32` and `max.relu.s32` alone.
        guard type == .s32, operation.opcode == "min" || operation.opcode == "max" else { return nil }
        var form = plain(operation, type)
        form?.finish = { w, i in map1(w, i) { (a: Int32) in a < 0 ? 0 : a } }
        return form
    }

    private static func plain(_ operation: Operation, _ type: PTXType) -> Form? {
        switch type {
        case .u32, .b32: unsigned32(operation) ?? common32(operation)
        case .s32: signed32(operation) ?? common32(operation)
        case .u64, .b64: unsigned64(operation) ?? common64(operation)
        case .s64: signed64(operation) ?? common64(operation)
        case .u16, .b16: unsigned16(operation) ?? common32(operation)
        case .s16: signed16(operation) ?? common32(operation)
        default: nil
        }
    }

    /// Operations whose low bits don't depend on the sign; 16-bit ones use them too.
    private static func common32(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add" where operation.has("sat"):
            .binary32 { w, i in map2(w, i) { (a: Int32, b: Int32) in saturated(a, b, a.addingReportingOverflow(b)) } }
        case "sub" where operation.has("sat"):
            .binary32 { w, i in
                map2(w, i) { (a: Int32, b: Int32) in saturated(a, ~b, a.subtractingReportingOverflow(b)) }
            }
        case "add": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a &+ b } }
        case "sub": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a &- b } }
        case "mul" where operation.has("lo"): .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a &* b } }
        case "mad" where operation.has("lo"):
            .ternary32 { w, i in map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in a &* b &+ c } }
        case "neg": .unary32 { w, i in map1(w, i) { (a: UInt32) in 0 &- a } }
        default: nil
        }
    }

    private static func unsigned32(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "mul" where operation.has("wide"):
            Form(.b64, [.b32, .b32]) { w, i in map2(w, i) { (a: UInt32, b: UInt32) in UInt64(a) &* UInt64(b) } }
        case "mad" where operation.has("wide"):
            Form(.b64, [.b32, .b32, .b64]) { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt64) in UInt64(a) &* UInt64(b) &+ c }
            }
        case "mul" where operation.has("hi"):
            .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in high(UInt64(a) &* UInt64(b)) } }
        case "mad" where operation.has("hi"):
            .ternary32 { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in high(UInt64(a) &* UInt64(b)) &+ c }
            }
        case "mul24": multiply24(operation)
        case "mad24": multiplyAdd24(operation, signed: false)
        case "div": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in b == 0 ? ~0 : a / b } }
        case "rem": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in b == 0 ? a : a % b } }
        case "min": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a < b ? a : b } }
        case "max": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a > b ? a : b } }
        case "sad":
            .ternary32 { w, i in map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in c &+ (a < b ? b &- a : a &- b) } }
        default: nil
        }
    }

    private static func multiply24(_ operation: Operation) -> Form? {
        if operation.has("hi") {
            return operation.type == .s32
                ? .binary32 { w, i in
                    map2(w, i) { (a: Int32, b: Int32) in
                        Int32(truncatingIfNeeded: (Int64((a &<< 8) &>> 8) &* Int64((b &<< 8) &>> 8)) &>> 16)
                    }
                }
                : .binary32 { w, i in
                    map2(w, i) { (a: UInt32, b: UInt32) in
                        UInt32(truncatingIfNeeded: (UInt64(a & 0xff_ffff) &* UInt64(b & 0xff_ffff)) &>> 16)
                    }
                }
        }
        return operation.type == .s32
            ? .binary32 { w, i in
                map2(w, i) { (a: Int32, b: Int32) in ((a &<< 8) &>> 8) &* ((b &<< 8) &>> 8) }
            }
            : .binary32 { w, i in
                map2(w, i) { (a: UInt32, b: UInt32) in (a & 0xff_ffff) &* (b & 0xff_ffff) }
            }
    }

    private static func multiplyAdd24(_ operation: Operation, signed: Bool) -> Form? {
        guard operation.has("lo") else { return nil }
        return signed
            ? .ternary32 { w, i in
                map3(w, i) { (a: Int32, b: Int32, c: Int32) in ((a &<< 8) &>> 8) &* ((b &<< 8) &>> 8) &+ c }
            }
            : .ternary32 { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in (a & 0xff_ffff) &* (b & 0xff_ffff) &+ c }
            }
    }

    private static func signed32(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "mul" where operation.has("wide"):
            Form(.b64, [.b32, .b32]) { w, i in map2(w, i) { (a: Int32, b: Int32) in Int64(a) &* Int64(b) } }
        case "mad" where operation.has("wide"):
            Form(.b64, [.b32, .b32, .b64]) { w, i in
                map3(w, i) { (a: Int32, b: Int32, c: Int64) in Int64(a) &* Int64(b) &+ c }
            }
        case "mul" where operation.has("hi"):
            .binary32 { w, i in map2(w, i) { (a: Int32, b: Int32) in high(Int64(a) &* Int64(b)) } }
        case "mad" where operation.has("hi"):
            .ternary32 { w, i in
                map3(w, i) { (a: Int32, b: Int32, c: UInt32) in high(Int64(a) &* Int64(b)) &+ c }
            }
        case "mul24": multiply24(operation)
        case "mad24": multiplyAdd24(operation, signed: true)
        case "div": .binary32 { w, i in map2(w, i) { (a: Int32, b: Int32) in quotient(a, b) } }
        case "rem": .binary32 { w, i in map2(w, i) { (a: Int32, b: Int32) in remainder(a, b) } }
        case "min": .binary32 { w, i in map2(w, i) { (a: Int32, b: Int32) in a < b ? a : b } }
        case "max": .binary32 { w, i in map2(w, i) { (a: Int32, b: Int32) in a > b ? a : b } }
        case "abs": .unary32 { w, i in map1(w, i) { (a: Int32) in a < 0 ? 0 &- a : a } }
        case "sad":
            .ternary32 { w, i in map3(w, i) { (a: Int32, b: Int32, c: Int32) in c &+ (a < b ? b &- a : a &- b) } }
        default: nil
        }
    }

    private static func common64(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a &+ b } }
        case "sub": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a &- b } }
        case "mul" where operation.has("lo"): .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a &* b } }
        case "mad" where operation.has("lo"):
            .ternary64 { w, i in map3(w, i) { (a: UInt64, b: UInt64, c: UInt64) in a &* b &+ c } }
        case "neg": .unary64 { w, i in map1(w, i) { (a: UInt64) in 0 &- a } }
        default: nil
        }
    }

    private static func unsigned64(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "mul" where operation.has("hi"):
            .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a.multipliedFullWidth(by: b).high } }
        case "mad" where operation.has("hi"):
            .ternary64 { w, i in
                map3(w, i) { (a: UInt64, b: UInt64, c: UInt64) in a.multipliedFullWidth(by: b).high &+ c }
            }
        case "div": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in b == 0 ? ~0 : a / b } }
        case "rem": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in b == 0 ? a : a % b } }
        case "min": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a < b ? a : b } }
        case "max": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a > b ? a : b } }
        case "sad":
            .ternary64 { w, i in map3(w, i) { (a: UInt64, b: UInt64, c: UInt64) in c &+ (a < b ? b &- a : a &- b) } }
        default: nil
        }
    }

    private static func signed64(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "mul" where operation.has("hi"):
            .binary64 { w, i in map2(w, i) { (a: Int64, b: Int64) in a.multipliedFullWidth(by: b).high } }
        case "mad" where operation.has("hi"):
            .ternary64 { w, i in
                map3(w, i) { (a: Int64, b: Int64, c: Int64) in a.multipliedFullWidth(by: b).high &+ c }
            }
        case "div": .binary64 { w, i in map2(w, i) { (a: Int64, b: Int64) in quotient(a, b) } }
        case "rem": .binary64 { w, i in map2(w, i) { (a: Int64, b: Int64) in remainder(a, b) } }
        case "min": .binary64 { w, i in map2(w, i) { (a: Int64, b: Int64) in a < b ? a : b } }
        case "max": .binary64 { w, i in map2(w, i) { (a: Int64, b: Int64) in a > b ? a : b } }
        case "abs": .unary64 { w, i in map1(w, i) { (a: Int64) in a < 0 ? 0 &- a : a } }
        case "sad":
            .ternary64 { w, i in map3(w, i) { (a: Int64, b: Int64, c: Int64) in c &+ (a < b ? b &- a : a &- b) } }
        default: nil
        }
    }

    // MARK: 16 bits

    private static func unsigned16(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "mul" where operation.has("wide"):
            .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in zero(a) &* zero(b) } }
        case "mad" where operation.has("wide"):
            .ternary32 { w, i in map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in zero(a) &* zero(b) &+ c } }
        case "mul" where operation.has("hi"):
            .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in (zero(a) &* zero(b)) &>> 16 } }
        case "div":
            .binary32 { w, i in
                map2(w, i) { (a: UInt32, b: UInt32) in zero(b) == 0 ? 0xffff : zero(a) / zero(b) }
            }
        case "rem":
            .binary32 { w, i in
                map2(w, i) { (a: UInt32, b: UInt32) in zero(b) == 0 ? zero(a) : zero(a) % zero(b) }
            }
        case "min": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in min(zero(a), zero(b)) } }
        case "max": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in max(zero(a), zero(b)) } }
        default: nil
        }
    }

    private static func signed16(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "mul" where operation.has("wide"):
            .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in sign(a) &* sign(b) } }
        case "mad" where operation.has("wide"):
            .ternary32 { w, i in map3(w, i) { (a: UInt32, b: UInt32, c: Int32) in sign(a) &* sign(b) &+ c } }
        case "mul" where operation.has("hi"):
            .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in (sign(a) &* sign(b)) &>> 16 } }
        case "div": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in quotient(sign(a), sign(b)) } }
        case "rem": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in remainder(sign(a), sign(b)) } }
        case "min": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in min(sign(a), sign(b)) } }
        case "max": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in max(sign(a), sign(b)) } }
        case "abs": .unary32 { w, i in map1(w, i) { (a: UInt32) in sign(a) < 0 ? 0 &- sign(a) : sign(a) } }
        default: nil
        }
    }
}

/// a / b that never traps: all ones for a zero divisor, and the least value divided by -1 wraps.
@inline(__always)
func quotient<T: FixedWidthInteger & SignedInteger>(_ a: T, _ b: T) -> T {
    if b == 0 { return -1 }
    if b == -1 { return 0 &- a }
    return a / b
}

@inline(__always)
func remainder<T: FixedWidthInteger & SignedInteger>(_ a: T, _ b: T) -> T {
    if b == 0 { return a }
    if b == -1 { return 0 }
    return a % b
}

@inline(__always)
private func saturated(_ a: Int32, _ b: Int32, _ sum: (partialValue: Int32, overflow: Bool)) -> Int32 {
    sum.overflow ? (a < 0 ? Int32.min : Int32.max) : sum.partialValue
}

@inline(__always)
private func high(_ product: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: product &>> 32) }

@inline(__always)
private func high(_ product: Int64) -> UInt32 { UInt32(truncatingIfNeeded: product &>> 32) }

@inline(__always)
private func zero(_ value: UInt32) -> UInt32 { value & 0xffff }

@inline(__always)
private func sign(_ value: UInt32) -> Int32 { Int32(Int16(truncatingIfNeeded: value)) }
