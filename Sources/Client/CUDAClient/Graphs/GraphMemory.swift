internal import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// Memory of a graph's allocation node. It is allocated with the node and stays until nothing can launch the node any
/// more; whether the program may use it is another matter, which launches and frees decide.
final class GraphAllocation {
    let address: UInt64
    let request: CUDA_MEM_ALLOC_NODE_PARAMS

    init(address: UInt64, byteCount: UInt64, device: CUdevice, _ request: CUDA_MEM_ALLOC_NODE_PARAMS) {
        self.address = address
        self.request = request
        GraphMemory.add(address, byteCount, device: device)
    }

    deinit {
        // What a program still uses, it frees as it frees other memory.
        if !GraphMemory.remove(address) { _ = CUDADriver.free(address, stream: StreamID.all) }
    }
}

/// The memory of all graphs' allocation nodes.
enum GraphMemory {
    private struct Entry {
        var address: UInt64
        var byteCount: UInt64
        var device: CUdevice
        /// Whether the node was executed and the memory not freed since.
        var isLive = false
    }

    /// Bytes that one device's graphs have, in the order of `CUgraphMem_attribute`.
    struct Usage {
        var device: CUdevice
        var used: UInt64 = 0
        var usedMax: UInt64 = 0
        var reserved: UInt64 = 0
        var reservedMax: UInt64 = 0
    }

    // SAFETY: only touched under `lock`; `areAny` is a hint that is read without it.
    nonisolated(unsafe) private static var entries: [Entry] = []
    nonisolated(unsafe) private static var usages: [Usage] = []
    nonisolated(unsafe) private(set) static var areAny = false
    private static let lock = Lock()

    static func add(_ address: UInt64, _ byteCount: UInt64, device: CUdevice) {
        lock.acquire()
        defer { lock.release() }
        entries.append(Entry(address: address, byteCount: byteCount, device: device))
        areAny = true
        update(device) {
            $0.reserved &+= byteCount
            $0.reservedMax = max($0.reservedMax, $0.reserved)
        }
    }

    /// Forgets memory whose node is gone; whether the program still uses it.
    static func remove(_ address: UInt64) -> Bool {
        lock.acquire()
        defer { lock.release() }
        guard let index = entries.firstIndex(where: { $0.address == address }) else { return false }
        let entry = entries.remove(at: index)
        areAny = !entries.isEmpty
        update(entry.device) {
            $0.reserved &-= entry.byteCount
            if entry.isLive { $0.used &-= entry.byteCount }
        }
        return entry.isLive
    }

    /// Whether an address begins memory of an allocation node.
    static func contains(_ address: UInt64) -> Bool {
        lock.withLock { entries.contains { $0.address == address } }
    }

    /// The program frees memory outside of graphs. Nil when it is no graph's.
    static func programFrees(_ address: UInt64) -> CUresult? {
        guard areAny else { return nil }
        lock.acquire()
        defer { lock.release() }
        guard let index = entries.firstIndex(where: { $0.address == address }) else { return nil }
        guard entries[index].isLive else { return CUDA_ERROR_INVALID_VALUE }
        setLive(index, false)
        return CUDA_SUCCESS
    }

    /// A graph that allocates and frees is launched.
    static func launch(allocates: [UInt64], frees: [UInt64], freesFirst: Bool) -> CUresult {
        lock.acquire()
        defer { lock.release() }
        for (index, entry) in entries.enumerated() where entry.isLive && allocates.contains(entry.address) {
            guard freesFirst else { return CUDA_ERROR_INVALID_VALUE }
            setLive(index, false)
        }
        for index in entries.indices where allocates.contains(entries[index].address) { setLive(index, true) }
        for index in entries.indices where frees.contains(entries[index].address) { setLive(index, false) }
        return CUDA_SUCCESS
    }

    static func usage(of device: CUdevice) -> Usage {
        lock.acquire()
        defer { lock.release() }
        for usage in usages where usage.device == device { return usage }
        return Usage(device: device)
    }

    /// Begins the high-water marks anew.
    static func resetMaximum(of device: CUdevice, ofUsed: Bool) {
        lock.withLock {
            update(device) { if ofUsed { $0.usedMax = $0.used } else { $0.reservedMax = $0.reserved } }
        }
    }

    private static func setLive(_ index: Int, _ isLive: Bool) {
        guard entries[index].isLive != isLive else { return }
        entries[index].isLive = isLive
        let byteCount = entries[index].byteCount
        update(entries[index].device) {
            if isLive {
                $0.used &+= byteCount
                $0.usedMax = max($0.usedMax, $0.used)
            } else {
                $0.used &-= byteCount
            }
        }
    }

    private static func update(_ device: CUdevice, _ body: (inout Usage) -> Void) {
        for index in usages.indices where usages[index].device == device {
            body(&usages[index])
            return
        }
        var usage = Usage(device: device)
        body(&usage)
        usages.append(usage)
    }
}

extension CUDADriver {
    /// Takes memory for an allocation node; it is charged at once.
    static func graphAllocation(
        _ request: CUDA_MEM_ALLOC_NODE_PARAMS, _ target: CallTarget
    ) -> (status: CUresult, allocation: GraphAllocation?) {
        guard request.bytesize > 0 else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        let (status, address) = allocate(request.bytesize, .device, target)
        guard status == CUDA_SUCCESS else { return (status, nil) }
        var filled = request
        filled.dptr = address
        // The list of the program may go; its own device has access anyway.
        filled.accessDescs = nil
        filled.accessDescCount = 0
        let allocation = GraphAllocation(
            address: address, byteCount: UInt64(request.bytesize), device: target.context.pointee.device, filled)
        return (CUDA_SUCCESS, allocation)
    }

    /// `cuMemAllocAsync` in a captured stream. Nil when the stream is not captured.
    static func captureAllocation(
        _ result: UnsafeMutablePointer<CUdeviceptr>?, _ byteCount: Int, stream: UInt64, _ target: CallTarget
    ) -> CUresult? {
        guard Captures.isCaptured(stream: stream, target) else { return nil }
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        var request = CUDA_MEM_ALLOC_NODE_PARAMS()
        request.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED
        request.poolProps.location.type = CU_MEM_LOCATION_TYPE_DEVICE
        request.poolProps.location.id = target.context.pointee.device
        request.bytesize = byteCount
        let (status, allocation) = graphAllocation(request, target)
        guard let allocation else { return status }
        let captured = Captures.add(to: stream, target) { .allocation(allocation) }
        if captured == CUDA_SUCCESS { result.pointee = allocation.address }
        return captured
    }

    /// `cuMemFreeAsync` in a captured stream. Nil when the stream is not captured.
    static func captureFree(_ address: UInt64, stream: UInt64) -> CUresult? {
        guard let thread = ThreadState.mine, let context = thread.pointee.route ?? thread.pointee.current else {
            return nil
        }
        var captured: CUresult?
        let status = with(context, thread) { target in
            guard Captures.isCaptured(stream: stream, target) else { return CUDA_SUCCESS }
            guard GraphMemory.contains(address) else {
                captured = CUDA_ERROR_INVALID_VALUE
                return CUDA_SUCCESS
            }
            captured = Captures.add(to: stream, target) { .release(address) }
            return CUDA_SUCCESS
        }
        return status == CUDA_SUCCESS ? captured : status
    }
}
