import GPUBackend
import SIMT

/// A kernel launch that waits for its turn.
final class SoftwareLaunch: Sendable {
    let parameters: [UInt8]
    private let kernel: Kernel
    private let shape: LaunchShape
    /// The textures and surfaces that existed when the launch was submitted.
    private let textures: TextureTable

    init(_ kernel: Kernel, _ shape: LaunchShape, parameters: [UInt8], textures: TextureTable) {
        self.kernel = kernel
        self.shape = shape
        self.parameters = parameters
        self.textures = textures
    }

    /// Runs the kernel to its end, or to the end of the session.
    func run(on engine: SoftwareEngine) throws(BackendError) {
        var launch = Launch(
            kernel: kernel, grid: Extent(shape.grid.x, shape.grid.y, shape.grid.z),
            block: Extent(shape.block.x, shape.block.y, shape.block.z),
            dynamicSharedBytes: Int(shape.sharedByteCount), parameters: parameters, isCooperative: shape.isCooperative)
        launch.textures = textures
        let result = engine.executor.run(
            launch, memory: engine.memory, output: { engine.host.print($0) },
            isCancelled: { engine.isCancellationRequested })
        guard result.fault != .none else { return }
        throw BackendError(Int32(truncatingIfNeeded: result.fault.rawValue), result.message)
    }
}

extension SoftwareFunction {
    /// Refuses what the device can't launch.
    func check(_ shape: LaunchShape, parameterByteCount: Int) throws(BackendError) {
        let grid = shape.grid
        let block = shape.block
        let gridLimit = SoftwareAttributes.gridLimit
        let blockLimit = SoftwareAttributes.blockLimit
        let isGrid = (1...gridLimit.x) ~= grid.x && (1...gridLimit.y) ~= grid.y && (1...gridLimit.z) ~= grid.z
        let isBlock = (1...blockLimit.x) ~= block.x && (1...blockLimit.y) ~= block.y && (1...blockLimit.z) ~= block.z
        guard isGrid, isBlock else {
            throw BackendError(
                BackendStatus.invalidValue, "the grid or the block is empty or larger than the device allows")
        }
        let threadCount = Int(block.x) * Int(block.y) * Int(block.z)
        guard threadCount <= Int(SoftwareAttributes.threadsPerBlock) else {
            throw BackendError(BackendStatus.invalidValue, "a block can't have \(threadCount) threads")
        }
        guard threadCount <= kernel.maxThreadsPerBlock else {
            throw BackendError(
                BackendStatus.launchOutOfResources,
                "\(kernel.name) allows \(kernel.maxThreadsPerBlock) threads in a block, not \(threadCount)")
        }
        guard Int(shape.sharedByteCount) <= dynamicSharedLimit else {
            throw BackendError(
                BackendStatus.invalidValue,
                "\(kernel.name) may have \(dynamicSharedLimit) bytes of dynamic shared memory, "
                    + "not \(shape.sharedByteCount)"
            )
        }
        guard parameterByteCount >= kernel.parameterByteCount else {
            throw BackendError(
                BackendStatus.invalidValue,
                "\(kernel.name) takes \(kernel.parameterByteCount) bytes of parameters, not \(parameterByteCount)")
        }
        guard shape.isCooperative else { return }
        let resident = blocksPerMultiprocessor(
            threadCount: threadCount, dynamicSharedByteCount: Int(shape.sharedByteCount))
        let limit = UInt64(resident) * UInt64(SoftwareAttributes.multiprocessorCount)
        guard UInt64(grid.x) * UInt64(grid.y) * UInt64(grid.z) <= limit else {
            throw BackendError(
                BackendStatus.cooperativeLaunchTooLarge,
                "at most \(limit) blocks of \(kernel.name) fit the device at once")
        }
    }

    /// Blocks that fit one multiprocessor at once.
    private func blocksPerMultiprocessor(threadCount: Int, dynamicSharedByteCount: Int) -> Int {
        let rounded = (threadCount + 31) & ~31
        let byThreads = Int(SoftwareAttributes.threadsPerMultiprocessor) / rounded
        let registers = max(1, (kernel.registerCount + 7) & ~7)
        let byRegisters = Int(SoftwareAttributes.registerCount) / (registers * rounded)
        let shared =
            kernel.staticSharedBytes + dynamicSharedByteCount + Int(SoftwareAttributes.reservedSharedByteCount)
        let byShared = Int(SoftwareAttributes.sharedPerMultiprocessor) / shared
        return max(0, min(Int(SoftwareAttributes.blocksPerMultiprocessor), byThreads, max(1, byRegisters), byShared))
    }
}
