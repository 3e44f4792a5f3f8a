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
    /// Whether ``attributes`` are the worker's; else they are zeros, and the kernel is compiled at its first use.
    var isDescribed: Bool

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

    func hasKernel(_ name: UnsafeRawBufferPointer) -> Bool { kernelIndex(name) != nil }

    /// The kernel's place in the snapshot.
    func kernelIndex(_ name: UnsafeRawBufferPointer) -> Int? {
        for index in snapshot.kernelNames.indices where snapshot.kernelNames[index].equals(name) { return index }
        return nil
    }

    /// What the snapshot says about a kernel.
    func description(_ index: Int) -> ModuleSnapshot.Kernel {
        index < snapshot.kernels.count ? snapshot.kernels[index] : .unknown
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
    ///
    /// `hash` is the image's, when the caller has it already.
    static func load(
        _ image: UnsafeRawBufferPointer, _ options: JITOptions, hash: ContentHash? = nil, _ target: CallTarget
    ) -> (status: CUresult, module: ModuleRecord?) {
        guard let made = makeHandle(.module, context: target.context, object: nil) else {
            return (CUDA_ERROR_OUT_OF_MEMORY, nil)
        }
        var bytes: [UInt8] = []
        let status = send(image, as: made.id, hash, &bytes, target)
        options.deliver(target.lane.message, isError: status != CUDA_SUCCESS)
        guard status == CUDA_SUCCESS else {
            _ = endHandle(made.handle, .module)
            return (status, nil)
        }
        guard let snapshot = decodeModule(bytes) else {
            _ = endHandle(made.handle, .module)
            return (CUDA_ERROR_INVALID_IMAGE, nil)
        }
        let module = ModuleRecord(id: made.id, handle: made.handle, context: target.context, snapshot: snapshot)
        showVariables(of: module, target)
        module.registerLimit = max(options.registerLimit, LinkBundle.registerLimit(image))
        entry(made.handle, .module)?.pointee.object = Unmanaged.passRetained(module).toOpaque()
        tablesLock.acquire()
        details(of: target.context).modules.append(module)
        tablesLock.release()
        return (CUDA_SUCCESS, module)
    }

    /// Names a large image by its hash, and sends it only when the worker does not know it.
    private static func send(
        _ image: UnsafeRawBufferPointer, as id: UInt64, _ hash: ContentHash?, _ bytes: inout [UInt8],
        _ target: CallTarget
    ) -> CUresult {
        let worker = target.context.pointee.worker
        if image.count >= WireLimits.hashedImageByteCountMin, worker.pointee.keepsNoImages == 0 {
            let words = (hash ?? ContentHash(of: image)).words
            var reply = ModuleOpen.Reply()
            let status = target.call(
                ModuleOpen(
                    module: id, byteCount: UInt64(image.count), hash0: words.0, hash1: words.1, hash2: words.2,
                    hash3: words.3), &reply)
            guard status == CUDA_SUCCESS else { return status }
            if reply.state == 0 {
                bytes = reply.bytes
                return CUDA_SUCCESS
            }
            // Written by any thread, always to the same value.
            if reply.state == 2 { worker.pointee.keepsNoImages = 1 }
        }
        var reply = ModuleLoad.Reply()
        let status = target.call(ModuleLoad(bulkByteCount: UInt64(image.count), module: id), &reply, bulk: image)
        bytes = reply.bytes
        return status
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
        for global in module.snapshot.globals {
            if global.isManaged { Mirrors.remove(deviceAddress: global.address) }
            device(of: module.context)?.memory.abandon(global.address)
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
        guard name.count > 0, name.count < 1 << 16, let index = module.kernelIndex(name) else {
            return (CUDA_ERROR_NOT_FOUND, nil)
        }
        var made: UnsafeMutablePointer<FunctionRecord>?
        let status = with(module.context, thread) { target in
            let (status, function) = loadFunction(name, index, module, target)
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
        _ name: UnsafeRawBufferPointer, _ index: Int, _ module: ModuleRecord, _ target: CallTarget
    ) -> (CUresult, UnsafeMutablePointer<FunctionRecord>?) {
        let description = module.description(index)
        if case .failed(let status, let message) = description {
            message.withUnsafeBytes { ClientLog.line("worker: ", $0) }
            return (CUresult(status: status), nil)
        }
        guard let made = makeHandle(.function, context: target.context, object: nil) else {
            return (CUDA_ERROR_OUT_OF_MEMORY, nil)
        }
        let (status, found) = functionSnapshot(description, made.id, index, name, module, target)
        guard status == CUDA_SUCCESS, let snapshot = found, isLaunchable(snapshot) else {
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

    /// How to launch a function: from the module's snapshot without waiting, else from the worker.
    private static func functionSnapshot(
        _ description: ModuleSnapshot.Kernel, _ id: UInt64, _ index: Int, _ name: UnsafeRawBufferPointer,
        _ module: ModuleRecord, _ target: CallTarget
    ) -> (CUresult, FunctionSnapshot?) {
        var snapshot = FunctionSnapshot()
        switch description {
        case .parameters(let parameters): snapshot.parameters = parameters
        case .complete(let parameters, let attributes):
            snapshot.parameters = parameters
            snapshot.attributes = attributes
        case .unknown, .failed:
            var reply = FunctionLoad.Reply()
            let status = target.call(FunctionLoad(function: id, module: module.id, name: name), &reply)
            return (status, status == CUDA_SUCCESS ? decodeFunction(reply.bytes) : nil)
        }
        let command = FunctionPrepare(function: id, module: module.id, index: UInt32(truncatingIfNeeded: index))
        return (target.send(command), snapshot)
    }

    /// Makes sure that a function's attributes are known; waits for its compilation if they are not.
    static func describe(_ function: UnsafeMutablePointer<FunctionRecord>, _ target: CallTarget) -> CUresult {
        guard !function.pointee.isDescribed else { return CUDA_SUCCESS }
        var reply = FunctionDescribe.Reply()
        let status = target.call(FunctionDescribe(function: function.pointee.id), &reply)
        guard status == CUDA_SUCCESS else { return status }
        guard let snapshot = decodeFunction(reply.bytes) else { return CUDA_ERROR_INVALID_IMAGE }
        fill(function.pointee.attributes, snapshot, function.pointee.module.takeUnretainedValue())
        function.pointee.isDescribed = true
        return CUDA_SUCCESS
    }

    private static func fill(
        _ attributes: UnsafeMutablePointer<Int32>, _ snapshot: FunctionSnapshot, _ module: ModuleRecord
    ) {
        for index in 0..<min(FunctionRecord.attributeCount, snapshot.attributes.count) {
            attributes[index] = snapshot.attributes[index]
        }
        guard module.registerLimit > 0, !snapshot.attributes.isEmpty else { return }
        let index = Int(CU_FUNC_ATTRIBUTE_NUM_REGS.rawValue)
        attributes[index] = min(attributes[index], Int32(truncatingIfNeeded: min(module.registerLimit, 255)))
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
        fill(attributes, snapshot, module)
        let text = UnsafeMutablePointer<CChar>.allocate(capacity: name.count &+ 1)
        for index in 0..<name.count { (text + index).initialize(to: CChar(bitPattern: name[index])) }
        (text + name.count).initialize(to: 0)
        let record = UnsafeMutablePointer<FunctionRecord>.allocate(capacity: 1)
        record.initialize(
            to: FunctionRecord(
                id: made.id, handle: made.handle, module: Unmanaged.passUnretained(module), context: module.context,
                parameters: parameters, parameterCount: count, parameterByteCount: Int(end), attributes: attributes,
                name: text, nameByteCount: name.count, limits: limits(of: module.context),
                isDescribed: !snapshot.attributes.isEmpty))
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
