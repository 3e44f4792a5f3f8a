/// A fundamental type of PTX (PTX ISA, "Fundamental Types" and "Packed Data Types").
public enum PTXType: UInt8, Sendable, Hashable {
    case s8, s16, s32, s64
    case u8, u16, u32, u64
    case s16x2, u16x2
    case b8, b16, b32, b64, b128
    case f16, f16x2, bf16, bf16x2, tf32, f32, f64, f32x2
    case e4m3, e5m2, e4m3x2, e5m2x2
    case pred
}

/// A state space of PTX. `generic` stands for an address without one.
public enum PTXStateSpace: UInt8, Sendable, Hashable {
    case reg, sreg, const, global, local, param, shared, tex, generic
}

/// A place in the PTX text; both numbers count from 1.
public struct PTXPosition: Sendable, Hashable {
    public var line: Int
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// Why a module, or one function of it, could not be read.
public struct PTXError: Error, Sendable, Equatable {
    public enum Code: UInt8, Sendable {
        /// The text is not PTX.
        case syntax
        /// A name is used that nothing declares, or declared twice in one scope.
        case name
        /// The text is PTX, but this software GPU can't run it.
        case unsupported
        /// A limit of the reader was exceeded: nesting, registers, sizes.
        case limit
    }

    public let code: Code
    public let position: PTXPosition
    /// What is wrong, naming the opcode or directive; one sentence without a position.
    public let message: String

    public init(_ code: Code, at position: PTXPosition, _ message: String) {
        self.code = code
        self.position = position
        self.message = message
    }
}
