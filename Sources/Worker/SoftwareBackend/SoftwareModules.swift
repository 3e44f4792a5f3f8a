import DeviceImages
import GPUBackend
import PTX
import SIMT
import Synchronization

extension SoftwareContext {
    func loadModule(image: UnsafeRawBufferPointer, place: GlobalPlacement) throws(BackendError) -> any BackendModule {
        try throwIfFatal()
        let modules = try SoftwareModule.parse(image)
        var failure: BackendError?
        let program: LoadedProgram
        do throws(PTXError) {
            program = try LoadedProgram(linking: modules, memory: engine.memory) { byteCount, alignment in
                do throws(BackendError) {
                    let address = try place(byteCount, alignment)
                    // The initial values are written at once, so the memory must be live by then.
                    try synchronize()
                    return address
                } catch {
                    failure = error
                    return nil
                }
            }
        } catch {
            throw failure ?? BackendError(error)
        }
        if let failure { throw failure }
        let byteCount = modules.reduce(0) { $0 + $1.text.count }
        let isEager = byteCount <= SoftwareModule.eagerByteCountMax
        let log = isEager ? try SoftwareModule.check(program) : ""
        return SoftwareModule(program, log: log, isEager: isEager)
    }

    func checkLink(image: UnsafeRawBufferPointer) throws(BackendError) -> String {
        let modules = try SoftwareModule.parse(image)
        let scratch: DeviceMemory
        do throws(DeviceMemoryError) {
            scratch = try DeviceMemory(byteCount: SoftwareModule.scratchByteCount)
        } catch {
            throw BackendError(error)
        }
        return try SoftwareModule.link(modules, scratch)
    }
}

/// A module of the software GPU: PTX, linked and placed; kernels are decoded when they are first asked for.
final class SoftwareModule: BackendModule {
    /// Kernels of texts up to this size are decoded when the module loads, so that a bad instruction shows there.
    static let eagerByteCountMax = 64 << 10
    /// Device memory of a link that nobody runs.
    static let scratchByteCount: UInt64 = 4 << 30

    let kernelNames: [[UInt8]]
    let globals: [ModuleGlobal]
    let log: String
    private let program: LoadedProgram
    private let names: Set<String>
    /// Whether all kernels were decoded when the module was loaded.
    private let isEager: Bool

    init(_ program: LoadedProgram, log: String, isEager: Bool) {
        self.program = program
        self.isEager = isEager
        self.log = log
        kernelNames = program.kernelNames.map { Array($0.utf8) }
        names = Set(program.kernelNames)
        globals = program.globals.map { found in
            var global = ModuleGlobal(
                name: Array(found.name.utf8), address: found.address, byteCount: found.byteCount,
                isManaged: found.isManaged)
            global.reference = found.reference.map { UInt32($0.rawValue) + 1 } ?? 0
            return global
        }
    }

    func function(named name: UnsafeRawBufferPointer) throws(BackendError) -> any BackendFunction {
        let name = String(decoding: name, as: UTF8.self)
        guard names.contains(name) else {
            throw BackendError(BackendStatus.notFound, "the module has no kernel named \(name)")
        }
        do throws(PTXError) {
            return SoftwareFunction(try program.kernel(named: name))
        } catch {
            throw BackendError(error)
        }
    }

    var kernelDescriptions: [KernelDescription] {
        guard isEager else {
            return program.kernelParameters.map { slots in
                .parameters(slots.map { (UInt32(clamping: $0.offset), UInt32(clamping: $0.byteCount)) })
            }
        }
        return program.kernelNames.map { name in
            do throws(PTXError) {
                let function = SoftwareFunction(try program.kernel(named: name))
                return .complete(parameters: function.parameters, attributes: function.attributes)
            } catch {
                return .failed(BackendError(error))
            }
        }
    }

    // MARK: - Loading

    /// The PTX modules of an image.
    static func parse(_ image: UnsafeRawBufferPointer) throws(BackendError) -> [PTXModule] {
        let selected: [SelectedPTX]
        do throws(DeviceImageError) {
            selected = try DeviceImage(identifying: [UInt8](image)).selectPTX()
        } catch {
            throw BackendError(error)
        }
        var modules: [PTXModule] = []
        for ptx in selected {
            do throws(PTXError) {
                modules.append(try PTXModule(parsing: ptx.text))
            } catch {
                var failure = BackendError(error)
                if !ptx.name.isEmpty {
                    failure.message = String(decoding: ptx.name, as: UTF8.self) + ": " + failure.message
                }
                throw failure
            }
        }
        return modules
    }

    /// Links modules into memory that nobody uses; answers the log.
    fileprivate static func link(_ modules: [PTXModule], _ scratch: DeviceMemory) throws(BackendError) -> String {
        var next = scratch.baseAddress
        let program: LoadedProgram
        do throws(PTXError) {
            program = try LoadedProgram(linking: modules, memory: scratch) { byteCount, alignment in
                let address = (next + alignment - 1) / alignment * alignment
                guard (try? scratch.allocate(address: address, byteCount: byteCount)) != nil else { return nil }
                next = (address + byteCount + DeviceMemory.granuleByteCount) & ~(DeviceMemory.granuleByteCount - 1)
                return address
            }
        } catch {
            throw BackendError(error)
        }
        return try check(program)
    }

    /// Decodes all kernels: wrong PTX is an error, what this device can't run only a line of the log.
    static func check(_ program: LoadedProgram) throws(BackendError) -> String {
        var log = ""
        for name in program.kernelNames {
            do throws(PTXError) {
                _ = try program.kernel(named: name)
            } catch {
                let failure = BackendError(error)
                guard error.code == .unsupported else { throw failure }
                log += "\(name): \(failure.message)\n"
            }
        }
        return log
    }
}

/// A kernel of the software GPU.
final class SoftwareFunction: BackendFunction {
    let kernel: Kernel
    /// What `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES` was set to, and the preferred carve-out in percent.
    private let dynamicShared: Atomic<Int>
    private let carveOut = Atomic<Int>(-1)

    init(_ kernel: Kernel) {
        self.kernel = kernel
        dynamicShared = Atomic(max(0, Int(SoftwareAttributes.sharedByteCount) - kernel.staticSharedBytes))
    }

    /// Bytes of dynamic shared memory that a launch may ask for.
    var dynamicSharedLimit: Int { dynamicShared.load(ordering: .relaxed) }

    var parameters: [(offset: UInt32, byteCount: UInt32)] {
        kernel.parameters.map { (UInt32(truncatingIfNeeded: $0.offset), UInt32(truncatingIfNeeded: $0.byteCount)) }
    }

    var attributes: [Int32] {
        let values = [
            kernel.maxThreadsPerBlock, kernel.staticSharedBytes, kernel.constantBytes, kernel.localBytes,
            kernel.registerCount, kernel.ptxVersion, kernel.binaryVersion, 0, dynamicSharedLimit,
            carveOut.load(ordering: .relaxed), 0, 0, 0, 0, 0, 0,
        ]
        return values.map { Int32(truncatingIfNeeded: $0) }
    }

    func setAttribute(_ attribute: Int32, value: Int32) throws(BackendError) {
        switch attribute {
        case 8:
            let limit = Int(SoftwareAttributes.sharedOptInByteCount) - kernel.staticSharedBytes
            guard value >= 0, Int(value) <= limit else {
                throw BackendError(
                    BackendStatus.invalidValue,
                    "\(kernel.name) may have at most \(limit) bytes of dynamic shared memory")
            }
            dynamicShared.store(Int(value), ordering: .relaxed)
        case 9:
            guard (-1...100) ~= value else { throw BackendError(BackendStatus.invalidValue) }
            carveOut.store(Int(value), ordering: .relaxed)
        case 10...15:
            // Clusters need compute capability 9.0.
            guard value == 0 else { throw BackendError(BackendStatus.notSupported, "the device has no clusters") }
        default:
            throw BackendError(BackendStatus.invalidValue)
        }
    }
}
