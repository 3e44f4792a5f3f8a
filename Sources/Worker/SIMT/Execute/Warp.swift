/// Why a handler handed control back to the scheduler.
enum WarpExit: UInt8 {
    case none
    /// The fragment list changed: a branch split, a call, a return or an exit. Look again who runs.
    case reschedule
    /// The current fragment waits; its state says for what.
    case blocked
    /// The fragment offers its turn: a long spin or `nanosleep`.
    case yield
    case fault
}

/// What a fragment waits for.
enum FragmentState: UInt8 {
    case runnable
    /// At a block barrier; `barrier` names it.
    case blockBarrier
    /// At a `.sync` instruction, for other lanes of its member mask.
    case warpSync
    /// At `bar.warp.sync`, which lanes may reach at different places.
    case warpBarrier
}

/// Lanes of a warp that are at the same instruction of the same frame.
struct Fragment {
    var pc: InstructionPointer
    var frame: UnsafeMutablePointer<Frame>
    var mask: UInt32
    var state: FragmentState = .runnable
    var barrier: UInt8 = 0
}

/// One activation of a function by some lanes of a warp.
struct Frame {
    var function: Unmanaged<Function>
    /// The function's registers and constants: 32 lanes side by side for each.
    var registers: UnsafeMutableRawPointer
    var parent: UnsafeMutablePointer<Frame>?
    var returnPC: InstructionPointer?
    /// The call site in the parent, whose results `ret` copies back.
    var callSite: Int = -1
    var lanes: UInt32 = 0
    var depth: Int = 0
    /// Where this activation's local memory starts, in bytes from the start of each lane's.
    var localOffset: Int = 0
}

/// Uniform special registers of a block.
struct BlockIdentity {
    var block: (UInt32, UInt32, UInt32) = (0, 0, 0)
    var linear: UInt64 = 0
}

/// The state of one warp that handlers read and write. It lives in raw memory for as long as its block.
struct Warp {
    /// The current frame's register file.
    var registers: UnsafeMutableRawPointer
    /// The lanes that execute now.
    var mask: UInt32 = 0
    /// The lanes that have not exited.
    var alive: UInt32 = 0
    var exit: WarpExit = .none

    // Global memory.
    var arenaAddress: UInt64 = 0
    var arenaByteCount: UInt64 = 0
    var arenaHost: UnsafeMutableRawPointer
    var granules: UnsafeMutablePointer<UInt64>

    // The other spaces.
    var shared: UnsafeMutableRawPointer
    var sharedByteCount: UInt64 = 0
    var local: UnsafeMutableRawPointer
    var localByteCount: UInt64 = 0
    var parameters: UnsafeMutableRawPointer
    var parameterByteCount: UInt64 = 0
    var workspace: UnsafeMutableRawPointer
    var workspaceByteCount: UInt64 = 0

    // Fragments.
    var frame: UnsafeMutablePointer<Frame>
    var fragments: UnsafeMutablePointer<Fragment>
    var fragmentCount: Int = 0
    var current: Int = 0
    /// Backward branches taken while other fragments wait; at the limit the fragment offers its turn.
    var backEdges: Int = 0
    var instructionCount: UInt64 = 0

    // Identity.
    var threads: UnsafeMutablePointer<UInt32>
    /// Special registers that are the same in all lanes, by ``SpecialHandlers/Uniform``.
    var uniforms: UnsafeMutablePointer<UInt32>
    var index: Int = 0
    var block: Unmanaged<Block>

    // The first fault.
    var fault: FaultCode = .none
    var faultAddress: UInt64 = 0
    var faultLane: Int = 0
    var faultPC: InstructionPointer?
}

extension Warp {
    /// Address windows outside the arena, told apart by the high 32 bits.
    enum Window {
        static let shared: UInt64 = 1
        static let local: UInt64 = 2
        static let parameter: UInt64 = 3
        static let workspace: UInt64 = 4
        static let function: UInt64 = 5
    }

    /// Backward branches before other fragments of the warp get a turn.
    static let backEdgeLimit = 64
}

/// Records a fault of the current instruction; the handler returns the result.
@inline(never)
func fail(
    _ w: WarpPointer, _ i: InstructionPointer, _ code: FaultCode, lane: Int, address: UInt64 = 0
) -> InstructionPointer? {
    let warp = w.warp
    warp.pointee.exit = .fault
    if warp.pointee.fault == .none {
        warp.pointee.fault = code
        warp.pointee.faultAddress = address
        warp.pointee.faultLane = lane
        warp.pointee.faultPC = i
    }
    return nil
}
