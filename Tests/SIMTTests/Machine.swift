import PTX
import SIMT
import Synchronization
import Testing

/// A device memory with an executor, and what tests need around them.
final class Machine {
    let memory: DeviceMemory
    let executor: Executor
    private var cursor: UInt64

    init(threadCount: Int = 1) throws {
        memory = try DeviceMemory(byteCount: 1 << 32)
        executor = Executor(threadCount: threadCount)
        cursor = memory.baseAddress
    }

    /// Live memory of at least `byteCount` bytes, with a dead granule after it.
    func allocate(_ byteCount: Int) throws -> UInt64 {
        let address = cursor
        let granule = DeviceMemory.granuleByteCount
        try memory.allocate(address: address, byteCount: UInt64(byteCount))
        cursor += (UInt64(byteCount) + granule - 1) / granule * granule + granule
        return address
    }

    func upload<T>(_ values: [T]) throws -> UInt64 {
        let size = values.count * MemoryLayout<T>.stride
        let address = try allocate(max(size, 1))
        let pointer = try #require(memory.hostPointer(address: address, byteCount: UInt64(size)))
        values.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { pointer.copyMemory(from: start, byteCount: size) }
        }
        return address
    }

    func download<T>(_ address: UInt64, _ type: T.Type, count: Int) throws -> [T] {
        let size = count * MemoryLayout<T>.stride
        let pointer = try #require(memory.hostPointer(address: address, byteCount: UInt64(size)))
        return (0..<count).map { pointer.load(fromByteOffset: $0 * MemoryLayout<T>.stride, as: T.self) }
    }

    func program(_ sources: String...) throws -> LoadedProgram {
        try program(texts: sources.map { Array($0.utf8) })
    }

    func program(texts: [[UInt8]]) throws -> LoadedProgram {
        let modules = try texts.map { try PTXModule(parsing: $0) }
        return try LoadedProgram(linking: modules, memory: memory) { [self] byteCount, _ in
            try? allocate(Int(byteCount))
        }
    }

    /// Runs a kernel of a program.
    func run(
        _ program: LoadedProgram, _ name: String, grid: Extent = Extent(1), block: Extent = Extent(32),
        shared: Int = 0, _ arguments: Argument...
    ) throws -> LaunchResult {
        let kernel = try program.kernel(named: name)
        let launch = Launch(
            kernel: kernel, grid: grid, block: block, dynamicSharedBytes: shared,
            parameters: Argument.pack(arguments), isCooperative: isCooperative)
        printed = []
        let sink = Mutex<[UInt8]>([])
        let result = executor.run(launch, memory: memory, output: { bytes in sink.withLock { $0 += bytes } })
        printed = sink.withLock { $0 }
        return result
    }

    /// Whether launches are cooperative.
    var isCooperative = false

    /// What the last launch printed.
    private(set) var printed: [UInt8] = []
    var printedText: String { String(decoding: printed, as: UTF8.self) }
}

/// One kernel argument.
enum Argument {
    case u32(UInt32)
    case s32(Int32)
    case u64(UInt64)
    case f32(Float)
    case f64(Double)

    private var bytes: [UInt8] {
        switch self {
        case .u32(let value): withUnsafeBytes(of: value) { Array($0) }
        case .s32(let value): withUnsafeBytes(of: value) { Array($0) }
        case .u64(let value): withUnsafeBytes(of: value) { Array($0) }
        case .f32(let value): withUnsafeBytes(of: value) { Array($0) }
        case .f64(let value): withUnsafeBytes(of: value) { Array($0) }
        }
    }

    static func pack(_ arguments: [Argument]) -> [UInt8] {
        var packed: [UInt8] = []
        for argument in arguments {
            let bytes = argument.bytes
            while packed.count % bytes.count != 0 { packed.append(0) }
            packed += bytes
        }
        return packed
    }
}

/// Wraps statements in a kernel with 64-bit parameters p0, p1, …, whose values are in %p0, %p1, …
func kernelText(_ parameters: Int, _ body: String, declarations: String = "") -> String {
    let list = (0..<parameters).map { ".param .u64 p\($0)" }.joined(separator: ", ")
    let loads = (0..<parameters).map { "ld.param.u64 %p\($0), [p\($0)];" }.joined(separator: "\n")
    return """
        .version 8.0
        .target sm_80
        .address_size 64
        \(declarations)
        .visible .entry k(\(list)) {
        .reg .pred %q<16>;
        .reg .b16 %h<16>;
        .reg .b32 %r<64>;
        .reg .f32 %f<32>;
        .reg .b64 %d<32>;
        .reg .f64 %g<16>;
        .reg .b64 %p<16>;
        \(loads)
        \(body)
        ret;
        }
        """
}
