internal import PTX

/// A decoded function of one kernel: its code, and what a frame of it needs. Immutable once made.
// SAFETY: `code` is written by the initializer only and read-only afterwards; all other state is `let`.
final class Function: @unchecked Sendable {

    /// A value that every frame of the function holds in all lanes.
    struct Constant {
        var offset: Int
        var isWide: Bool
        var bits: UInt64
    }

    /// One call instruction: which bytes of local memory travel.
    struct CallSite {
        struct Transfer {
            var from: Int
            var to: Int
            var byteCount: Int
        }

        enum Callee {
            case function(index: Int)
            case builtin(Builtin)
            /// The register-file offset of the function's address.
            case indirect(register: UInt32)
        }

        var callee: Callee
        /// Local offsets of the arguments in the caller's frame, with their sizes.
        var arguments: [(offset: Int, byteCount: Int)]
        /// Local offsets of the result variables in the caller's frame, with their sizes.
        var results: [(offset: Int, byteCount: Int)]
    }

    /// A formal parameter's place in the frame's local memory.
    struct Formal {
        var offset: Int
        var byteCount: Int
    }

    /// Where an instruction came from.
    struct Origin {
        var position: PTXPosition
        var opcode: String
    }

    let name: String
    let code: UnsafeMutablePointer<Instruction>
    let count: Int
    let origins: [Origin]
    let constants: [Constant]
    let registerByteCount: Int
    /// Virtual registers of 32 bits, as a compiler would count them.
    let registerCount: Int
    let localByteCount: Int
    let parameters: [Formal]
    let results: [Formal]
    let callSites: [CallSite]
    let branchTables: [[Int]]

    init(_ parts: Parts) {
        name = parts.name
        count = parts.code.count
        code = .allocate(capacity: max(1, parts.code.count))
        code.initialize(from: parts.code, count: parts.code.count)
        origins = parts.origins
        constants = parts.constants
        registerByteCount = parts.registerByteCount
        registerCount = parts.registerCount
        localByteCount = parts.localByteCount
        parameters = parts.parameters
        results = parts.results
        callSites = parts.callSites
        branchTables = parts.branchTables
    }

    deinit { code.deallocate() }

    /// What the decoder hands over.
    struct Parts {
        var name: String
        var code: [Instruction] = []
        var origins: [Origin] = []
        var constants: [Constant] = []
        var registerByteCount = 0
        var registerCount = 0
        var localByteCount = 0
        var parameters: [Formal] = []
        var results: [Formal] = []
        var callSites: [CallSite] = []
        var branchTables: [[Int]] = []
    }

    /// The address of the first instruction.
    var entry: InstructionPointer { InstructionPointer(code) }

    /// The origin of an instruction of this function, or nil for an address outside of it.
    func origin(of pc: InstructionPointer) -> Origin? {
        let index = (pc - entry) / MemoryLayout<Instruction>.stride
        return index >= 0 && index < origins.count ? origins[index] : nil
    }
}

/// A function that the software GPU supplies.
enum Builtin: String {
    case vprintf
    case malloc
    case free
    case assertFailure = "__assertfail"
    case gridHandle = "cudaCGGetIntrinsicHandle"
    case gridSynchronize = "cudaCGSynchronize"
    case graphSetConditional = "cudaGraphSetConditional"
}
