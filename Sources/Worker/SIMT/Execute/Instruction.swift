/// The address of a ``Warp``, as handlers take it: C function types can't name Swift types.
typealias WarpPointer = UnsafeMutableRawPointer

/// The address of an ``Instruction``; a fragment's program counter.
typealias InstructionPointer = UnsafeRawPointer

/// Executes one decoded instruction for the active lanes of a warp.
///
/// Returns the next instruction, or nil when the scheduler must take over; ``Warp/exit`` then says why.
typealias Handler = @Sendable @convention(c) (WarpPointer, InstructionPointer) -> InstructionPointer?

/// One decoded instruction. Operands are byte offsets of lane vectors in the frame's register file.
struct Instruction {
    var handler: Handler
    var d: UInt32 = 0
    var a: UInt32 = 0
    var b: UInt32 = 0
    var c: UInt32 = 0
    var e: UInt32 = 0
    /// Meaning depends on the handler: access sizes, comparison codes, barrier forms.
    var flags: UInt32 = 0
    /// An address offset, a branch target as an instruction index (relative bytes after linking), or a table index.
    var immediate: UInt64 = 0

    init(_ handler: Handler) {
        self.handler = handler
    }
}

extension UnsafeRawPointer {
    @inline(__always)
    var instruction: UnsafePointer<Instruction> { assumingMemoryBound(to: Instruction.self) }

    @inline(__always)
    var next: UnsafeRawPointer { self + MemoryLayout<Instruction>.stride }
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    var warp: UnsafeMutablePointer<Warp> { assumingMemoryBound(to: Warp.self) }
}
