internal import CCUDA
internal import CUDABinding
internal import Primitives

/// What a case works with: a device with a current context, memory that is freed afterwards, and a digest of results.
final class Trial {
    /// The driver under test.
    let cuda: CUDALibrary
    let device: CUdevice
    let context: CUcontext?
    private var digest = FNV1a64()
    private var allocations: [CUdeviceptr] = []
    private var modules: [String: CUmodule] = [:]

    /// Initializes the driver and makes the device's primary context current.
    init(_ cuda: CUDALibrary) throws {
        self.cuda = cuda
        var device: CUdevice = 0
        var context: CUcontext?
        try cuda.cuInit(0)
        try cuda.cuDeviceGet(&device, 0)
        try cuda.cuDevicePrimaryCtxRetain(&context, device)
        try cuda.cuCtxSetCurrent(context)
        self.device = device
        self.context = context
    }

    /// Waits for the device and gives back what the case took; the error of work that nobody waited for fails the case.
    func finish() throws {
        try cuda.cuCtxSetCurrent(context)
        try cuda.cuCtxSynchronize()
        for address in allocations { try cuda.cuMemFree_v2(address) }
        for module in modules.values { try cuda.cuModuleUnload(module) }
        try cuda.cuDevicePrimaryCtxRelease_v2(device)
    }

    // MARK: - Results

    /// The hash of all that was recorded.
    var digestValue: UInt64 { digest.value }

    /// Adds results to the digest that native and Roost are compared by.
    func record<Element: BitwiseCopyable>(_ values: [Element]) {
        values.withUnsafeBytes { digest.add($0) }
    }

    // MARK: - Facts

    func attribute(_ attribute: CUdevice_attribute) throws -> Int {
        var value: Int32 = 0
        try cuda.cuDeviceGetAttribute(&value, attribute, device)
        return Int(value)
    }

    /// Ends the case as unsupported unless the device has this.
    func needs(_ attribute: CUdevice_attribute, _ what: String) throws {
        if try self.attribute(attribute) == 0 { throw CaseFailure.unsupported("the device has no \(what)") }
    }

    /// Ends the case as unsupported on a device with an older architecture.
    func needsComputeCapability(_ major: Int, _ what: String) throws {
        if try attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) < major {
            throw CaseFailure.unsupported("\(what) begin with compute capability \(major).0")
        }
    }

    func deviceCount() throws -> Int {
        var count: Int32 = 0
        try cuda.cuDeviceGetCount(&count)
        return Int(count)
    }

    // MARK: - Memory

    /// Device memory until the end of the case.
    func allocate(_ byteCount: Int) throws -> CUdeviceptr {
        var address: CUdeviceptr = 0
        try cuda.cuMemAlloc_v2(&address, byteCount)
        allocations.append(address)
        return address
    }

    /// Device memory with these values, until the end of the case.
    func upload<Element: BitwiseCopyable>(_ values: [Element]) throws -> CUdeviceptr {
        let address = try allocate(max(1, values.count * MemoryLayout<Element>.stride))
        try write(values, to: address)
        return address
    }

    func write<Element: BitwiseCopyable>(_ values: [Element], to address: CUdeviceptr) throws {
        try values.withUnsafeBytes { try cuda.cuMemcpyHtoD_v2(address, $0.baseAddress, $0.count) }
    }

    func download<Element: BitwiseCopyable>(
        _ address: CUdeviceptr, _ count: Int, as type: Element.Type = UInt32.self
    ) throws -> [Element] {
        let byteCount = count * MemoryLayout<Element>.stride
        return try [Element](unsafeUninitializedCapacity: count) { buffer, filled in
            try cuda.cuMemcpyDtoH_v2(UnsafeMutableRawPointer(buffer.baseAddress), address, byteCount)
            filled = count
        }
    }

    /// Reproducible values.
    func words(_ count: Int, seed: UInt64) -> [UInt32] {
        var generator = SplitMix64(seed: seed)
        return (0..<count).map { _ in UInt32(truncatingIfNeeded: generator.next()) }
    }

    /// This program once more, with the same driver, as another process; it writes lines and ends.
    /// - Parameter passing: A descriptor that it gets.
    func spawn(_ role: String, _ words: String..., passing: Int32? = nil) throws -> Subprocess {
        let child = Subprocess(["peer", cuda.path, role] + words, readsOutput: true, passing: passing)
        return try some(child)
    }

    // MARK: - Kernels

    /// A kernel of a module that is loaded once for each case.
    func kernel(_ name: String, in source: String = Kernels.basic) throws -> CUfunction {
        var function: CUfunction?
        try cuda.cuModuleGetFunction(&function, try module(source), name)
        return try some(function)
    }

    /// The module of this PTX text, until the end of the case.
    func module(_ source: String) throws -> CUmodule {
        if let module = modules[source] { return module }
        var module: CUmodule?
        try cuda.cuModuleLoadData(&module, source)
        modules[source] = try some(module)
        return try some(module)
    }

    /// Launches with one-dimensional blocks.
    func launch(
        _ function: CUfunction, _ shape: LaunchShape, on stream: CUstream? = nil, _ arguments: LaunchArgument...
    ) throws {
        let packed = LaunchArguments(arguments)
        try cuda.cuLaunchKernel(
            function, shape.blocks, 1, 1, shape.threads, 1, 1, shape.sharedByteCount, stream, packed.pointers, nil)
    }
}

/// Blocks of a grid, threads of a block, and dynamic shared memory.
struct LaunchShape {
    var blocks: UInt32
    var threads: UInt32
    var sharedByteCount: UInt32 = 0

    init(_ blocks: Int, _ threads: Int, sharedByteCount: Int = 0) {
        self.blocks = UInt32(blocks)
        self.threads = UInt32(threads)
        self.sharedByteCount = UInt32(sharedByteCount)
    }
}

/// A value of a kernel parameter.
enum LaunchArgument {
    case address(CUdeviceptr)
    case word(UInt32)
    case float(Float)
    case long(UInt64)
    case double(Double)
    case bytes([UInt8])

    fileprivate var words: [UInt64] {
        switch self {
        case .address(let value), .long(let value): return [value]
        case .word(let value): return [UInt64(value)]
        case .float(let value): return [UInt64(value.bitPattern)]
        case .double(let value): return [value.bitPattern]
        case .bytes(let value):
            return stride(from: 0, to: value.count, by: 8).map { start in
                value[start..<min(start + 8, value.count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
            }
        }
    }
}

/// The values and the array of pointers that `cuLaunchKernel` reads.
final class LaunchArguments {
    private let values: UnsafeMutablePointer<UInt64>
    /// One pointer for each parameter; valid as long as this object.
    let pointers: UnsafeMutablePointer<UnsafeMutableRawPointer?>

    init(_ arguments: [LaunchArgument]) {
        let words = arguments.map(\.words)
        let count = words.reduce(1) { $0 + $1.count }
        values = .allocate(capacity: count)
        values.initialize(repeating: 0, count: count)
        pointers = .allocate(capacity: arguments.count + 1)
        pointers.initialize(repeating: nil, count: arguments.count + 1)
        var at = 0
        for (index, group) in words.enumerated() {
            pointers[index] = UnsafeMutableRawPointer(values + at)
            for word in group {
                values[at] = word
                at += 1
            }
        }
    }

    deinit {
        values.deallocate()
        pointers.deallocate()
    }
}
