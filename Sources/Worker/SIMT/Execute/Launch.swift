/// What ended a launch; raw values are CUDA's error numbers.
public enum FaultCode: UInt32, Sendable {
    case none = 0
    /// CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES.
    case outOfResources = 701
    /// CUDA_ERROR_LAUNCH_TIMEOUT: the launch was cancelled.
    case timeout = 702
    /// CUDA_ERROR_ILLEGAL_ADDRESS.
    case illegalAddress = 700
    /// CUDA_ERROR_ASSERT.
    case assert = 710
    /// CUDA_ERROR_ILLEGAL_INSTRUCTION.
    case illegalInstruction = 715
    /// CUDA_ERROR_MISALIGNED_ADDRESS.
    case misalignedAddress = 716
    /// CUDA_ERROR_INVALID_ADDRESS_SPACE.
    case invalidAddressSpace = 717
    /// CUDA_ERROR_INVALID_PC: an indirect call to something that is no function.
    case invalidProgramCounter = 718
    /// CUDA_ERROR_LAUNCH_FAILED: `trap`, or threads that wait for each other for ever.
    case launchFailed = 719
}

/// A size in x, y and z.
public struct Extent: Sendable, Equatable {
    public var x: UInt32
    public var y: UInt32
    public var z: UInt32

    public init(_ x: UInt32, _ y: UInt32 = 1, _ z: UInt32 = 1) {
        self.x = x
        self.y = y
        self.z = z
    }

    /// The product of the three sizes; 64 bits always hold the ones that ``Executor`` accepts.
    public var count: UInt64 { UInt64(x) &* UInt64(y) &* UInt64(z) }
}

/// One kernel launch.
public struct Launch: Sendable {
    public var kernel: Kernel
    /// Blocks.
    public var grid: Extent
    /// Threads of a block.
    public var block: Extent
    /// Dynamic shared memory in bytes.
    public var dynamicSharedBytes: Int
    /// The packed parameters, laid out as ``Kernel/parameters`` says.
    public var parameters: [UInt8]
    /// All blocks may wait for each other.
    public var isCooperative: Bool

    /// What texture and surface instructions find.
    public var textures = TextureTable()

    public init(
        kernel: Kernel, grid: Extent, block: Extent, dynamicSharedBytes: Int = 0, parameters: [UInt8] = [],
        isCooperative: Bool = false
    ) {
        self.kernel = kernel
        self.grid = grid
        self.block = block
        self.dynamicSharedBytes = dynamicSharedBytes
        self.parameters = parameters
        self.isCooperative = isCooperative
    }
}

/// How a launch ended.
public struct LaunchResult: Sendable, Equatable {
    /// `none` after success.
    public var fault: FaultCode
    /// Names kernel, block, thread, opcode and line after a fault; empty after success.
    public var message: String
    /// Warp instructions executed, in all threads together.
    public var warpInstructions: UInt64

    public init(fault: FaultCode = .none, message: String = "", warpInstructions: UInt64 = 0) {
        self.fault = fault
        self.message = message
        self.warpInstructions = warpInstructions
    }
}
