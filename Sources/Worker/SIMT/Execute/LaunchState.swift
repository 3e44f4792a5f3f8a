import Glibc
internal import PTX
import Synchronization

/// What all host threads of one launch share.
// SAFETY: `parameters` and `workspace` are owned buffers whose contents kernels share by design; the rest is
// immutable, atomic or behind a lock. `output` and `isCancelled` are called under `outputLock` or read-only.
final class LaunchState: @unchecked Sendable {
    let launch: Launch
    let entry: Function
    let memory: DeviceMemory
    let parameters: UnsafeMutableRawPointer
    let parameterByteCount: Int
    let workspace: UnsafeMutableRawPointer
    let sharedByteCount: Int
    let localByteCount: Int
    let blockCount: UInt64
    let nextBlock = Atomic<UInt64>(0)
    let startTime: UInt64
    private let stop = Atomic<Bool>(false)
    private let instructions = Atomic<UInt64>(0)
    private let failure = Mutex<LaunchResult?>(nil)
    private let outputLock = Mutex<Void>(())
    private let output: (UnsafeRawBufferPointer) -> Void
    private let isCancelled: () -> Bool

    let gridBarrier: GridBarrier

    static let workspaceByteCount = 4096

    private let stateByteCount = Atomic<Int>(0)

    /// Host memory for the blocks in progress: beyond the first figure no further block begins, as other blocks
    /// will end; beyond the second the launch fails.
    private static let stateByteCountSoft = 2 << 30
    private static let stateByteCountMax = 6 << 30

    init(
        _ launch: Launch, memory: DeviceMemory, output: @escaping (UnsafeRawBufferPointer) -> Void,
        isCancelled: @escaping () -> Bool
    ) {
        self.launch = launch
        self.memory = memory
        self.output = output
        self.isCancelled = isCancelled
        entry = launch.kernel.entry
        blockCount = launch.grid.count
        gridBarrier = GridBarrier(blockCount: launch.grid.count)
        parameterByteCount = max(launch.kernel.parameterByteCount, launch.parameters.count)
        parameters = .allocate(byteCount: parameterByteCount + 64, alignment: 64)
        memset(parameters, 0, parameterByteCount + 64)
        for (index, byte) in launch.parameters.enumerated() {
            parameters.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        workspace = .allocate(byteCount: Self.workspaceByteCount, alignment: 64)
        memset(workspace, 0, Self.workspaceByteCount)
        sharedByteCount = launch.kernel.dynamicSharedOffset + launch.dynamicSharedBytes
        localByteCount = launch.kernel.stackByteCount
        startTime = monotonicNanoseconds()
    }

    deinit {
        parameters.deallocate()
        workspace.deallocate()
    }

    /// The launch has failed.
    var hasFailed: Bool { stop.load(ordering: .relaxed) }

    /// The launch has failed or was cancelled. Asks the caller, so it takes longer than ``hasFailed``.
    var mustStop: Bool {
        if stop.load(ordering: .relaxed) { return true }
        guard isCancelled() else { return false }
        fail(.timeout, "kernel \(launch.kernel.name) was cancelled")
        return true
    }

    /// Books host memory for blocks; false when the launch has too much of it.
    func book(_ byteCount: Int) -> Bool {
        stateByteCount.wrappingAdd(byteCount, ordering: .relaxed).newValue <= Self.stateByteCountMax
    }

    var hasRoomForBlocks: Bool { stateByteCount.load(ordering: .relaxed) <= Self.stateByteCountSoft }

    /// Moves a warp's instruction count to the launch's.
    func add(_ count: inout UInt64) {
        instructions.wrappingAdd(count, ordering: .relaxed)
        count = 0
    }

    var result: LaunchResult {
        var result = failure.withLock { $0 } ?? LaunchResult()
        result.warpInstructions = instructions.load(ordering: .relaxed)
        return result
    }

    /// Ends the launch; the first failure counts.
    func fail(_ code: FaultCode, _ message: String) {
        failure.withLock { (result: inout LaunchResult?) in
            if result == nil { result = LaunchResult(fault: code, message: message) }
        }
        stop.store(true, ordering: .relaxed)
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        outputLock.withLock { _ in output(bytes) }
    }

    /// Ends the launch with a warp's fault.
    func report(_ warp: UnsafeMutablePointer<Warp>, block: Block) {
        add(&warp.pointee.instructionCount)
        let linear = UInt32(warp.pointee.index * 32 + warp.pointee.faultLane)
        let text =
            "\(Self.describe(warp.pointee.fault)) in kernel \(launch.kernel.name), "
            + "block (\(block.identity.block.0),\(block.identity.block.1),\(block.identity.block.2)), "
            + "thread \(describeThread(linear))" + describeOrigin(warp)
        fail(warp.pointee.fault, text)
    }

    private func describeThread(_ linear: UInt32) -> String {
        let extent = launch.block
        return "(\(linear % extent.x),\((linear / extent.x) % extent.y),\(linear / (extent.x &* extent.y)))"
    }

    private func describeOrigin(_ warp: UnsafeMutablePointer<Warp>) -> String {
        var text = ""
        let function = warp.pointee.frame.pointee.function.takeUnretainedValue()
        if let pc = warp.pointee.faultPC, let origin = function.origin(of: pc) {
            text += ": \(origin.opcode) at line \(origin.position.line)"
        }
        let code = warp.pointee.fault
        if code == .illegalAddress || code == .misalignedAddress || code == .invalidProgramCounter {
            text += ", address 0x" + String(warp.pointee.faultAddress, radix: 16)
        }
        return text
    }

    /// Ends the launch because no thread of a block can go on.
    func reportDeadlock(block: Block) {
        var text =
            "kernel \(launch.kernel.name), block (\(block.identity.block.0),\(block.identity.block.1),"
            + "\(block.identity.block.2)): all threads wait for each other"
        var waiting: [String] = []
        for index in 0..<block.warpCount {
            let warp = block.warps[index]
            for slot in 0..<warp.fragmentCount {
                let fragment = warp.fragments[slot]
                let function = fragment.frame.pointee.function.takeUnretainedValue()
                guard let origin = function.origin(of: fragment.pc), waiting.count < 4 else { continue }
                waiting.append(
                    "\(fragment.mask.nonzeroBitCount) of warp \(index) at \(origin.opcode), line "
                        + "\(origin.position.line)")
            }
        }
        text += " (" + waiting.joined(separator: "; ") + ")"
        fail(.launchFailed, text)
    }

    private static func describe(_ code: FaultCode) -> String {
        switch code {
        case .none: "no fault"
        case .outOfResources: "out of resources"
        case .timeout: "cancelled"
        case .illegalAddress: "illegal address"
        case .assert: "assertion failed"
        case .illegalInstruction: "illegal instruction"
        case .misalignedAddress: "misaligned address"
        case .invalidAddressSpace: "invalid address space"
        case .invalidProgramCounter: "call of an address that is no function"
        case .launchFailed: "trap"
        }
    }
}

/// Nanoseconds of the host's monotonic clock.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

/// Nanoseconds of the host's wall clock.
func wallNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
