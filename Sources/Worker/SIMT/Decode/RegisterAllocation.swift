internal import PTX

/// Gives each virtual register a place in the register file.
struct RegisterAllocation {
    /// Byte offsets, by register index.
    private(set) var offsets: [Int]
    private(set) var byteCount = 0
    /// 32-bit registers, as a compiler would count them.
    private(set) var registerCount = 0

    init(_ body: PTXBody) {
        offsets = Array(repeating: 0, count: body.registers.count)
        for (index, register) in body.registers.enumerated() {
            offsets[index] = byteCount
            byteCount += Self.byteCount(of: register)
            registerCount += register.type == .pred ? 0 : Self.byteCount(of: register) / 128
        }
        byteCount = (byteCount + 63) & ~63
    }

    private static func byteCount(of register: PTXRegister) -> Int {
        if register.type == .pred { return 8 }
        return (register.type.byteCount > 4 ? 256 : 128) * max(1, register.vectorWidth)
    }
}
