internal import PTX

/// Logic, shifts and bit fields.
enum BitForms {
    static func find(_ operation: Operation, _ type: PTXType) -> Form? {
        switch type.byteCount {
        case 8: logic64(operation) ?? shift64(operation, type) ?? fields64(operation, type)
        case 4: logic32(operation) ?? shift32(operation, type) ?? fields32(operation, type)
        case 2: logic32(operation) ?? shift16(operation, type)
        default: nil
        }
    }

    private static func logic32(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "and": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a & b } }
        case "or": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a | b } }
        case "xor": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a ^ b } }
        case "not": .unary32 { w, i in map1(w, i) { (a: UInt32) in ~a } }
        case "cnot" where operation.type == .b32:
            .unary32 { w, i in map1(w, i) { (a: UInt32) -> UInt32 in a == 0 ? 1 : 0 } }
        case "cnot": .unary32 { w, i in map1(w, i) { (a: UInt32) -> UInt32 in a & 0xffff == 0 ? 1 : 0 } }
        default: nil
        }
    }

    private static func logic64(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "and": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a & b } }
        case "or": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a | b } }
        case "xor": .binary64 { w, i in map2(w, i) { (a: UInt64, b: UInt64) in a ^ b } }
        case "not": .unary64 { w, i in map1(w, i) { (a: UInt64) in ~a } }
        case "cnot": .unary64 { w, i in map1(w, i) { (a: UInt64) -> UInt64 in a == 0 ? 1 : 0 } }
        default: nil
        }
    }

    private static func shift32(_ operation: Operation, _ type: PTXType) -> Form? {
        switch operation.opcode {
        case "shl": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in b > 31 ? 0 : a &<< b } }
        case "shr" where type.isSigned:
            .binary32 { w, i in map2(w, i) { (a: Int32, b: UInt32) in a &>> Int32(bitPattern: min(b, 31)) } }
        case "shr": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in b > 31 ? 0 : a &>> b } }
        case "shf": funnel(operation)
        default: nil
        }
    }

    private static func funnel(_ operation: Operation) -> Form? {
        switch (operation.has("l"), operation.has("wrap")) {
        case (true, true):
            .ternary32 { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in left(a, b, c & 31) }
            }
        case (true, false):
            .ternary32 { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in c > 31 ? a : left(a, b, c) }
            }
        case (false, true):
            .ternary32 { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in right(a, b, c & 31) }
            }
        case (false, false):
            .ternary32 { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in c > 31 ? b : right(a, b, c) }
            }
        }
    }

    private static func shift64(_ operation: Operation, _ type: PTXType) -> Form? {
        let kinds: [OperandKind] = [.b64, .b32]
        switch operation.opcode {
        case "shl":
            return Form(.b64, kinds) { w, i in
                map2(w, i) { (a: UInt64, b: UInt32) in b > 63 ? 0 : a &<< UInt64(b) }
            }
        case "shr" where type.isSigned:
            return Form(.b64, kinds) { w, i in
                map2(w, i) { (a: Int64, b: UInt32) in a &>> Int64(min(b, 63)) }
            }
        case "shr":
            return Form(.b64, kinds) { w, i in
                map2(w, i) { (a: UInt64, b: UInt32) in b > 63 ? 0 : a &>> UInt64(b) }
            }
        default: return nil
        }
    }

    private static func shift16(_ operation: Operation, _ type: PTXType) -> Form? {
        switch operation.opcode {
        case "shl": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in b > 15 ? 0 : a &<< b } }
        case "shr" where type.isSigned:
            .binary32 { w, i in
                map2(w, i) { (a: UInt32, b: UInt32) in
                    Int32(Int16(truncatingIfNeeded: a)) &>> Int32(bitPattern: min(b, 15))
                }
            }
        case "shr": .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in b > 15 ? 0 : (a & 0xffff) &>> b } }
        default: nil
        }
    }

    private static func fields32(_ operation: Operation, _ type: PTXType) -> Form? {
        switch operation.opcode {
        case "popc":
            .unary32 { w, i in map1(w, i) { (a: UInt32) in UInt32(truncatingIfNeeded: a.nonzeroBitCount) } }
        case "clz":
            .unary32 { w, i in map1(w, i) { (a: UInt32) in UInt32(truncatingIfNeeded: a.leadingZeroBitCount) } }
        case "brev": .unary32 { w, i in map1(w, i) { (a: UInt32) in reversed(a) } }
        case "bfind" where operation.has("shiftamt"):
            type.isSigned
                ? .unary32 { w, i in map1(w, i) { (a: Int32) in shiftAmount(UInt32(bitPattern: a ^ (a &>> 31))) } }
                : .unary32 { w, i in map1(w, i) { (a: UInt32) in shiftAmount(a) } }
        case "bfind":
            type.isSigned
                ? .unary32 { w, i in map1(w, i) { (a: Int32) in position(UInt32(bitPattern: a ^ (a &>> 31))) } }
                : .unary32 { w, i in map1(w, i) { (a: UInt32) in position(a) } }
        case "bfe" where type.isSigned:
            .ternary32 { w, i in map3(w, i) { (a: Int32, b: UInt32, c: UInt32) in field(a, b & 255, c & 255) } }
        case "bfe":
            .ternary32 { w, i in
                map3(w, i) { (a: UInt32, b: UInt32, c: UInt32) in
                    b & 255 > 31 ? 0 : (a &>> (b & 255)) & ones32(c & 255)
                }
            }
        case "bfi":
            Form(.b32, [.b32, .b32, .b32, .b32]) { w, i in
                map4(w, i) { (a: UInt32, b: UInt32, c: UInt32, e: UInt32) in insert(a, b, c & 255, e & 255) }
            }
        case "bmsk" where operation.has("wrap"):
            .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in ones32(b & 31) &<< (a & 31) } }
        case "bmsk":
            .binary32 { w, i in map2(w, i) { (a: UInt32, b: UInt32) in a > 31 ? 0 : ones32(b) &<< a } }
        case "szext": signOrZeroExtend(operation, type)
        case "lop3":
            Form(.b32, [.b32, .b32, .b32, .b32]) { w, i in
                map4(w, i) { (a: UInt32, b: UInt32, c: UInt32, e: UInt32) in lookup(a, b, c, e) }
            }
        case "prmt": PermuteForms.find(operation)
        case "dp4a", "dp2a": DotForms.find(operation)
        default: nil
        }
    }

    private static func signOrZeroExtend(_ operation: Operation, _ type: PTXType) -> Form? {
        let wraps = operation.has("wrap")
        var form: Form =
            type.isSigned
            ? .binary32 { w, i in
                let wraps = i.instruction.pointee.flags != 0
                return map2(w, i) { (a: Int32, b: UInt32) in
                    let n = wraps ? b & 31 : b
                    return n == 0 ? 0 : n > 31 ? a : (a &<< Int32(bitPattern: 32 &- n)) &>> Int32(bitPattern: 32 &- n)
                }
            }
            : .binary32 { w, i in
                let wraps = i.instruction.pointee.flags != 0
                return map2(w, i) { (a: UInt32, b: UInt32) in a & ones32(wraps ? b & 31 : b) }
            }
        form.flags = wraps ? 1 : 0
        return form
    }

    private static func fields64(_ operation: Operation, _ type: PTXType) -> Form? {
        switch operation.opcode {
        case "popc":
            Form(.b32, [.b64]) { w, i in
                map1(w, i) { (a: UInt64) in UInt32(truncatingIfNeeded: a.nonzeroBitCount) }
            }
        case "clz":
            Form(.b32, [.b64]) { w, i in
                map1(w, i) { (a: UInt64) in UInt32(truncatingIfNeeded: a.leadingZeroBitCount) }
            }
        case "brev": .unary64 { w, i in map1(w, i) { (a: UInt64) in reversed(a) } }
        case "bfind" where operation.has("shiftamt"):
            type.isSigned
                ? Form(.b32, [.b64]) { w, i in
                    map1(w, i) { (a: Int64) in shiftAmount(UInt64(bitPattern: a ^ (a &>> 63))) }
                }
                : Form(.b32, [.b64]) { w, i in map1(w, i) { (a: UInt64) in shiftAmount(a) } }
        case "bfind":
            type.isSigned
                ? Form(.b32, [.b64]) { w, i in
                    map1(w, i) { (a: Int64) in position(UInt64(bitPattern: a ^ (a &>> 63))) }
                }
                : Form(.b32, [.b64]) { w, i in map1(w, i) { (a: UInt64) in position(a) } }
        case "bfe" where type.isSigned:
            Form(.b64, [.b64, .b32, .b32]) { w, i in
                map3(w, i) { (a: Int64, b: UInt32, c: UInt32) in field(a, Int64(b & 255), Int64(c & 255)) }
            }
        case "bfe":
            Form(.b64, [.b64, .b32, .b32]) { w, i in
                map3(w, i) { (a: UInt64, b: UInt32, c: UInt32) in
                    b & 255 > 63 ? 0 : (a &>> UInt64(b & 255)) & ones64(c & 255)
                }
            }
        case "bfi":
            Form(.b64, [.b64, .b64, .b32, .b32]) { w, i in
                map4(w, i) { (a: UInt64, b: UInt64, c: UInt32, e: UInt32) in insert(a, b, c & 255, e & 255) }
            }
        default: nil
        }
    }
}

@inline(__always)
private func left(_ a: UInt32, _ b: UInt32, _ c: UInt32) -> UInt32 {
    UInt32(truncatingIfNeeded: ((UInt64(b) &<< 32 | UInt64(a)) &<< UInt64(c)) &>> 32)
}

@inline(__always)
private func right(_ a: UInt32, _ b: UInt32, _ c: UInt32) -> UInt32 {
    UInt32(truncatingIfNeeded: (UInt64(b) &<< 32 | UInt64(a)) &>> UInt64(c))
}
