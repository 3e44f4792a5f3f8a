internal import PTX

/// Arithmetic on two halfwords of a register: `.s16x2` and `.u16x2`.
enum HalfwordForms {
    static func find(_ operation: Operation, _ type: PTXType) -> Form? {
        var form = type == .s16x2 ? signed(operation) : unsigned(operation)
        guard operation.has("relu") else { return form }
        guard type == .s16x2, operation.opcode != "add" else { return nil }
        form?.finish = { w, i in map1(w, i) { signedBoth($0, 0) { $0 < $1 ? $1 : $0 } } }
        return form
    }

    private static func signed(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add": sum
        case "min": .binary32 { w, i in map2(w, i) { signedBoth($0, $1) { $0 < $1 ? $0 : $1 } } }
        case "max": .binary32 { w, i in map2(w, i) { signedBoth($0, $1) { $0 < $1 ? $1 : $0 } } }
        default: nil
        }
    }

    private static func unsigned(_ operation: Operation) -> Form? {
        switch operation.opcode {
        case "add": sum
        case "min": .binary32 { w, i in map2(w, i) { both($0, $1) { $0 < $1 ? $0 : $1 } } }
        case "max": .binary32 { w, i in map2(w, i) { both($0, $1) { $0 < $1 ? $1 : $0 } } }
        default: nil
        }
    }

    /// Its low bits don't depend on the sign.
    private static var sum: Form { .binary32 { w, i in map2(w, i) { both($0, $1) { $0 &+ $1 } } } }
}

@inline(__always)
private func both(_ a: UInt32, _ b: UInt32, _ body: (UInt32, UInt32) -> UInt32) -> UInt32 {
    (body(a & 0xffff, b & 0xffff) & 0xffff) | body(a &>> 16, b &>> 16) &<< 16
}

@inline(__always)
private func signedBoth(_ a: UInt32, _ b: UInt32, _ body: (Int32, Int32) -> Int32) -> UInt32 {
    let low = body(Int32(bitPattern: a &<< 16) &>> 16, Int32(bitPattern: b &<< 16) &>> 16)
    let high = body(Int32(bitPattern: a) &>> 16, Int32(bitPattern: b) &>> 16)
    return (UInt32(bitPattern: low) & 0xffff) | UInt32(bitPattern: high) &<< 16
}
