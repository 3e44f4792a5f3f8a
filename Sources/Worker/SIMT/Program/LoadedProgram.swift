internal import Glibc
public import PTX
import Synchronization

/// One or several PTX modules made ready to run: globals have addresses and values, symbols are resolved.
public final class LoadedProgram: Sendable {
    /// A module-scope `.global` or `.const` variable.
    public struct Global: Sendable, Equatable {
        public let name: String
        public let address: UInt64
        public let byteCount: UInt64
        public let isConstant: Bool
        public let isManaged: Bool
        /// Set for a variable through which kernels read textures or surfaces.
        public var reference: PTXVariable.Reference?
    }

    /// What a name stands for in one module.
    enum Symbol: Sendable {
        case variable(address: UInt64)
        /// A `.shared` variable of this module, by its index there.
        case shared(index: Int)
        /// `.extern .shared name[]`.
        case dynamicShared(alignment: Int)
        case function(index: Int)
        /// Declared, but no module of the program defines it.
        case unresolved
    }

    /// A function with a body, and the module whose names it sees.
    struct FunctionReference: Sendable {
        let module: Int
        let function: PTXFunction
    }

    let modules: [PTXModule]
    let scopes: [[String: Symbol]]
    let functions: [FunctionReference]
    /// Functions whose address a global holds, so that an indirect call may reach them.
    let addressTaken: [Int]
    let heap: KernelHeap?
    private let kernels = Mutex(DecodedKernels())

    /// `.global` and `.const` variables that have names outside their module.
    public let globals: [Global]
    /// Names of all kernels, in the order of the text.
    public let kernelNames: [String]
    /// The parameters of each of ``kernelNames``: places in the launch's parameter bytes.
    public var kernelParameters: [[(offset: Int, byteCount: Int)]] {
        functions.compactMap { $0.function.isEntry ? $0.function.parameterLayout : nil }
    }
    /// All memory that the program took through `allocate`: address and size in bytes.
    public let allocations: [(address: UInt64, byteCount: UInt64)]

    /// Links modules into a program.
    ///
    /// `allocate` gets a size and an alignment in bytes and returns the address of a live allocation in `memory`, or
    /// nil when there is no room. A name that two modules define, neither weakly, is an error. `heap` serves `malloc`
    /// in kernels; without one the program makes its own of 8 MiB when it needs one.
    public init(
        linking modules: [PTXModule], memory: DeviceMemory, heap: KernelHeap? = nil,
        allocate: (_ byteCount: UInt64, _ alignment: UInt64) -> UInt64?
    ) throws(PTXError) {
        var linker = Linker(modules: modules, memory: memory)
        try linker.link(allocate: allocate)
        self.modules = modules
        scopes = linker.scopes
        functions = linker.functions
        addressTaken = linker.addressTaken
        globals = linker.globals
        var allocations = linker.allocations
        var heap = heap
        if heap == nil, linker.needsHeap, let address = allocate(KernelHeap.defaultByteCount, 512) {
            allocations.append((address, KernelHeap.defaultByteCount))
            heap = KernelHeap(address: address, byteCount: KernelHeap.defaultByteCount)
        }
        self.heap = heap
        self.allocations = allocations
        kernelNames = linker.functions.compactMap { $0.function.isEntry ? $0.function.name : nil }
    }

    private struct DecodedKernels {
        var byName: [String: Kernel] = [:]
        var instructionCount = 0
    }

    /// Each kernel has its own copy of the functions that it calls, so a small text can become many instructions.
    private static let instructionCountMax = 1 << 23

    /// The global with a name.
    public func global(named name: String) -> Global? {
        globals.first { $0.name == name }
    }

    /// Decodes a kernel, or returns it decoded. An instruction that can't be run is an `unsupported` error.
    public func kernel(named name: String) throws(PTXError) -> Kernel {
        if let kernel = kernels.withLock({ $0.byName[name] }) { return kernel }
        guard let index = functions.firstIndex(where: { $0.function.isEntry && $0.function.name == name }) else {
            throw PTXError(.name, at: PTXPosition(line: 1, column: 1), "no kernel named \(name)")
        }
        var builder = KernelBuilder(self)
        let kernel = try builder.build(entry: index)
        let isKept = kernels.withLock { (kernels: inout DecodedKernels) -> Bool in
            kernels.instructionCount += kernel.functions.values.reduce(0) { $0 + $1.count }
            guard kernels.instructionCount <= Self.instructionCountMax else { return false }
            kernels.byName[name] = kernel
            return true
        }
        guard isKept else {
            let position = functions[index].function.position
            throw PTXError(.limit, at: position, "the module's kernels are too large together")
        }
        return kernel
    }

    /// What a name means to a function.
    func symbol(_ name: String, in module: Int) -> Symbol? {
        scopes[module][name]
    }

    /// The device address that stands for a function, for indirect calls.
    static func address(ofFunction index: Int) -> UInt64 {
        Warp.Window.function << 32 | UInt64(index) << 4
    }

    /// The function that an address stands for.
    static func functionIndex(at address: UInt64) -> Int? {
        guard address >> 32 == Warp.Window.function, address & 15 == 0 else { return nil }
        return Int((address & 0xffff_ffff) >> 4)
    }
}
