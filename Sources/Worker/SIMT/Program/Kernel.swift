/// A kernel, decoded, with the attributes that CUDA reports for it.
public final class Kernel: Sendable {
    /// A parameter's place in the launch's parameter bytes.
    public struct Parameter: Sendable, Equatable {
        public let offset: Int
        public let byteCount: Int
    }

    public let name: String
    public let parameters: [Parameter]
    /// Size of all parameters in bytes.
    public let parameterByteCount: Int
    /// Registers of a thread, as CU_FUNC_ATTRIBUTE_NUM_REGS; 255 at most.
    public let registerCount: Int
    /// Static shared memory in bytes.
    public let staticSharedBytes: Int
    /// Local memory of a thread in bytes.
    public let localBytes: Int
    /// `.const` memory of the kernel's module in bytes.
    public let constantBytes: Int
    public let maxThreadsPerBlock: Int
    /// `.reqntid`, when given.
    public let requiredThreads: Extent?
    /// 10 · major + minor of the PTX target, such as 80.
    public let ptxVersion: Int
    /// The same as ``ptxVersion``: PTX is what runs.
    public let binaryVersion: Int

    let entry: Function
    /// Functions that the kernel may call, by program function index.
    let functions: [Int: Function]
    /// Offset in shared memory where dynamic shared memory starts.
    let dynamicSharedOffset: Int
    /// Local memory of one lane for all frames together.
    let stackByteCount: Int
    let heap: KernelHeap?

    init(_ parts: Parts) {
        name = parts.name
        parameters = parts.parameters
        parameterByteCount = parts.parameterByteCount
        registerCount = parts.registerCount
        staticSharedBytes = parts.staticSharedBytes
        localBytes = parts.entry.localByteCount
        constantBytes = parts.constantBytes
        maxThreadsPerBlock = parts.maxThreadsPerBlock
        requiredThreads = parts.requiredThreads
        ptxVersion = parts.target
        binaryVersion = parts.target
        entry = parts.entry
        functions = parts.functions
        dynamicSharedOffset = parts.dynamicSharedOffset
        stackByteCount = parts.stackByteCount
        heap = parts.heap
    }

    /// What the builder hands over.
    struct Parts {
        var name: String
        var entry: Function
        var functions: [Int: Function]
        var parameters: [Parameter] = []
        var parameterByteCount = 0
        var registerCount = 0
        var staticSharedBytes = 0
        var constantBytes = 0
        var maxThreadsPerBlock = 1024
        var requiredThreads: Extent?
        var target = 0
        var dynamicSharedOffset = 0
        var stackByteCount = 0
        var heap: KernelHeap?
    }
}
