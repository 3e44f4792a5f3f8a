internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// The limits of a launch on a device.
struct LaunchLimits {
    var threads: UInt32 = 1024
    var blockX: UInt32 = 1024
    var blockY: UInt32 = 1024
    var blockZ: UInt32 = 64
    var gridX: UInt32 = 0x7FFF_FFFF
    var gridY: UInt32 = 65_535
    var gridZ: UInt32 = 65_535
    var sharedByteCount: Int32 = 48 << 10
    var optInSharedByteCount: Int32 = 48 << 10
}

/// A kernel in a module, in memory outside Swift's ownership: launches count no references.
struct FunctionRecord {
    var id: UInt64
    var handle: OpaquePointer
    var module: Unmanaged<ModuleRecord>
    var context: UnsafeMutablePointer<ContextState>
    var parameters: UnsafeMutablePointer<ParameterSlot>
    var parameterCount: Int
    /// Bytes of the packed parameters.
    var parameterByteCount: Int
    /// By `CUfunction_attribute`.
    var attributes: UnsafeMutablePointer<Int32>
    /// With a terminator.
    var name: UnsafeMutablePointer<CChar>
    var nameByteCount: Int
    var limits: LaunchLimits

    static let attributeCount = 18
}

/// A module at a worker.
final class ModuleRecord {
    let id: UInt64
    let handle: OpaquePointer
    let context: UnsafeMutablePointer<ContextState>
    let snapshot: ModuleSnapshot
    var functions: [UnsafeMutablePointer<FunctionRecord>] = []
    var isLoaded = true
    /// The most registers that a thread may use, as the program asked when it linked or loaded; 0 for no limit.
    var registerLimit: UInt32 = 0

    init(
        id: UInt64, handle: OpaquePointer, context: UnsafeMutablePointer<ContextState>, snapshot: ModuleSnapshot
    ) {
        self.id = id
        self.handle = handle
        self.context = context
        self.snapshot = snapshot
    }

    func hasKernel(_ name: UnsafeRawBufferPointer) -> Bool {
        for kernel in snapshot.kernelNames where kernel.equals(name) { return true }
        return false
    }

    func global(_ name: UnsafeRawBufferPointer) -> ModuleSnapshot.Global? {
        for global in snapshot.globals where global.name.equals(name) { return global }
        return nil
    }
}

extension [UInt8] {
    func equals(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, count > 0, let bytes = other.baseAddress else { return count == other.count }
        return withUnsafeBytes { own in
            guard let start = own.baseAddress else { return false }
            return memcmp(start, bytes, own.count) == 0
        }
    }
}

extension CUDADriver {
    /// Loads an image into the target's context.
    static func load(
        _ image: UnsafeRawBufferPointer, _ options: JITOptions, _ target: CallTarget
    ) -> (status: CUresult, module: ModuleRecord?) {
        guard let made = makeHandle(.module, context: target.context, object: nil) else {
            return (CUDA_ERROR_OUT_OF_MEMORY, nil)
        }
        var reply = ModuleLoad.Reply()
        let status = target.call(
            ModuleLoad(bulkByteCount: UInt64(image.count), module: made.id), &reply, bulk: image)
        options.deliver(target.lane.message, isError: status != CUDA_SUCCESS)
        guard status == CUDA_SUCCESS else {
            _ = endHandle(made.handle, .module)
            return (status, nil)
        }
        guard let snapshot = decodeModule(reply.bytes) else {
            _ = endHandle(made.handle, .module)
            return (CUDA_ERROR_INVALID_IMAGE, nil)
        }
        let module = ModuleRecord(id: made.id, handle: made.handle, context: target.context, snapshot: snapshot)
        showManagedVariables(of: module, target)
        module.registerLimit = max(options.registerLimit, LinkBundle.registerLimit(image))
        entry(made.handle, .module)?.pointee.object = Unmanaged.passRetained(module).toOpaque()
        tablesLock.acquire()
        details(of: target.context).modules.append(module)
        tablesLock.release()
        return (CUDA_SUCCESS, module)
    }

    private static func decodeModule(_ bytes: [UInt8]) -> ModuleSnapshot? {
        bytes.withUnsafeBytes { buffer -> ModuleSnapshot? in
            var reader = WireReader(buffer)
            do throws(WireError) { return try ModuleSnapshot(from: &reader) } catch { return nil }
        }
    }

    private static func decodeFunction(_ bytes: [UInt8]) -> FunctionSnapshot? {
        bytes.withUnsafeBytes { buffer -> FunctionSnapshot? in
            var reader = WireReader(buffer)
            do throws(WireError) { return try FunctionSnapshot(from: &reader) } catch { return nil }
        }
    }

    /// Ends a module's handles; its worker is told elsewhere.
    static func forget(_ module: ModuleRecord) {
        module.isLoaded = false
        for global in module.snapshot.globals where global.isManaged {
            Mirrors.remove(deviceAddress: global.address)
        }
        tablesLock.acquire()
        let functions = module.functions
        module.functions = []
        tablesLock.release()
        // The records stay: a launch on another thread may still read one. They are small.
        for function in functions { _ = endHandle(function.pointee.handle, .function) }
        if let object = endHandle(module.handle, .module) { Unmanaged<ModuleRecord>.fromOpaque(object).release() }
    }

    /// Unloads a module.
    static func unload(_ module: ModuleRecord) -> CUresult {
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        tablesLock.acquire()
        details(of: module.context).modules.removeAll { $0 === module }
        tablesLock.release()
        let id = module.id
        let context = module.context
        guard module.isLoaded else { return CUDA_ERROR_INVALID_HANDLE }
        forget(module)
        return with(context, thread) { $0.send(ModuleUnload(module: id)) }
    }

    /// The function of a module by name, loaded once.
    static func function(
        _ name: UnsafeRawBufferPointer, in module: ModuleRecord
    ) -> (status: CUresult, function: UnsafeMutablePointer<FunctionRecord>?) {
        guard let thread = ThreadState.mine else { return (CUDA_ERROR_OUT_OF_MEMORY, nil) }
        if let known = knownFunction(name, module) { return (CUDA_SUCCESS, known) }
        guard name.count > 0, name.count < 1 << 16, module.hasKernel(name) else { return (CUDA_ERROR_NOT_FOUND, nil) }
        var made: UnsafeMutablePointer<FunctionRecord>?
        let status = with(module.context, thread) { target in
            let (status, function) = loadFunction(name, module, target)
            made = function
            return status
        }
        return (status, made)
    }

    private static func knownFunction(
        _ name: UnsafeRawBufferPointer, _ module: ModuleRecord
    ) -> UnsafeMutablePointer<FunctionRecord>? {
        tablesLock.acquire()
        defer { tablesLock.release() }
        guard let start = name.baseAddress else { return nil }
        for function in module.functions
        where function.pointee.nameByteCount == name.count && memcmp(function.pointee.name, start, name.count) == 0 {
            return function
        }
        return nil
    }

    private static func loadFunction(
        _ name: UnsafeRawBufferPointer, _ module: ModuleRecord, _ target: CallTarget
    ) -> (CUresult, UnsafeMutablePointer<FunctionRecord>?) {
        guard let made = makeHandle(.function, context: target.context, object: nil) else {
            return (CUDA_ERROR_OUT_OF_MEMORY, nil)
        }
        var reply = FunctionLoad.Reply()
        let status = target.call(FunctionLoad(function: made.id, module: module.id, name: name), &reply)
        guard status == CUDA_SUCCESS, let snapshot = decodeFunction(reply.bytes), isLaunchable(snapshot) else {
            _ = endHandle(made.handle, .function)
            return (status == CUDA_SUCCESS ? CUDA_ERROR_INVALID_IMAGE : status, nil)
        }
        let record = record(made, name, module, snapshot)
        entry(made.handle, .function)?.pointee.object = UnsafeMutableRawPointer(record)
        tablesLock.acquire()
        module.functions.append(record)
        tablesLock.release()
        return (CUDA_SUCCESS, record)
    }

    /// Whether the parameters fit in a launch; anything else is damage.
    private static func isLaunchable(_ snapshot: FunctionSnapshot) -> Bool {
        for slot in snapshot.parameters
        where UInt64(slot.offset) &+ UInt64(slot.byteCount) > UInt64(WireLimits.launchParameterByteCountMax) {
            return false
        }
        return true
    }

    private static func record(
        _ made: (handle: OpaquePointer, id: UInt64), _ name: UnsafeRawBufferPointer, _ module: ModuleRecord,
        _ snapshot: FunctionSnapshot
    ) -> UnsafeMutablePointer<FunctionRecord> {
        let count = snapshot.parameters.count
        let parameters = UnsafeMutablePointer<ParameterSlot>.allocate(capacity: max(1, count))
        var end: UInt64 = 0
        for (index, slot) in snapshot.parameters.enumerated() {
            (parameters + index).initialize(to: slot)
            end = max(end, UInt64(slot.offset) &+ UInt64(slot.byteCount))
        }
        let attributes = UnsafeMutablePointer<Int32>.allocate(capacity: FunctionRecord.attributeCount)
        attributes.initialize(repeating: 0, count: FunctionRecord.attributeCount)
        for index in 0..<min(FunctionRecord.attributeCount, snapshot.attributes.count) {
            attributes[index] = snapshot.attributes[index]
        }
        if module.registerLimit > 0 {
            let index = Int(CU_FUNC_ATTRIBUTE_NUM_REGS.rawValue)
            attributes[index] = min(attributes[index], Int32(truncatingIfNeeded: min(module.registerLimit, 255)))
        }
        let text = UnsafeMutablePointer<CChar>.allocate(capacity: name.count &+ 1)
        for index in 0..<name.count { (text + index).initialize(to: CChar(bitPattern: name[index])) }
        (text + name.count).initialize(to: 0)
        let record = UnsafeMutablePointer<FunctionRecord>.allocate(capacity: 1)
        record.initialize(
            to: FunctionRecord(
                id: made.id, handle: made.handle, module: Unmanaged.passUnretained(module), context: module.context,
                parameters: parameters, parameterCount: count, parameterByteCount: Int(end), attributes: attributes,
                name: text, nameByteCount: name.count, limits: limits(of: module.context)))
        return record
    }

    private static func limits(of context: UnsafeMutablePointer<ContextState>) -> LaunchLimits {
        var limits = LaunchLimits()
        guard let device = device(of: context) else { return limits }
        func set(_ field: inout UInt32, _ attribute: CUdevice_attribute) {
            let value = self.attribute(attribute, of: device)
            if value > 0 { field = UInt32(bitPattern: value) }
        }
        set(&limits.threads, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
        set(&limits.blockX, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X)
        set(&limits.blockY, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y)
        set(&limits.blockZ, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z)
        set(&limits.gridX, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X)
        set(&limits.gridY, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y)
        set(&limits.gridZ, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z)
        let shared = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, of: device)
        if shared > 0 { limits.sharedByteCount = shared }
        let optIn = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, of: device)
        limits.optInSharedByteCount = max(optIn, limits.sharedByteCount)
        return limits
    }
}
