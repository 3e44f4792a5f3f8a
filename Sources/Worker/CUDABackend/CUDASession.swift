import CCUDA
import CCUDAFunctions
import CUDABinding
import GPUBackend
import Primitives
import Synchronization

/// One client process on a device of a driver: a range of the process's device addresses, and contexts in it.
final class CUDASession: BackendSession {
    let backend: CUDABackend
    let host: any BackendHost
    let arena: AddressArena
    let memory: CUDAMemory
    let objects = DriverObjects()
    private let contexts = Mutex<[CUDAContext]>([])
    private let cancelled = Atomic(false)
    /// Whether nothing runs any more.
    private let isClosed = Atomic(false)
    private let busy = Atomic<UInt64>(0)
    private let staging = Mutex<StagingRing?>(nil)
    let pinnedPool: PinnedPool
    /// Resources of graphs that are gone, whose last runs may not be over.
    private let retired = Mutex<[CapturedResources]>([])

    var driver: CUDALibrary { backend.driver }
    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    init(backend: CUDABackend, wanted: AddressArena, host: any BackendHost) throws(BackendError) {
        self.backend = backend
        self.host = host
        pinnedPool = PinnedPool(driver: backend.driver)
        try backend.heal()
        arena = try CUDASession.reserve(wanted, backend.driver)
        memory = try CUDAMemory(arena: arena, driver: backend.driver, device: backend.device)
    }

    /// What a session can work with.
    private static let arenaByteCountMin: UInt64 = 1 << 30

    /// Reserves addresses: the wanted ones if the driver gives them, and half as many again and again where it does
    /// not have so many.
    private static func reserve(_ wanted: AddressArena, _ driver: CUDALibrary) throws(BackendError) -> AddressArena {
        var byteCount = wanted.byteCount
        while true {
            do throws(CUDAFailure) {
                var base: CUdeviceptr = 0
                try driver.cuMemAddressReserve(&base, Int(byteCount), Int(2 << 20), wanted.base, 0)
                return AddressArena(base: base, byteCount: byteCount)
            } catch {
                byteCount /= 2
                guard byteCount >= arenaByteCountMin else { throw BackendError(error) }
            }
        }
    }

    // MARK: - Contexts

    func makeContext(flags: UInt32) throws(BackendError) -> any BackendContext {
        let (handle, isHome) = try backend.takeContext()
        let context = CUDAContext(session: self, handle: handle, isHome: isHome)
        contexts.withLock { $0.append(context) }
        return context
    }

    func forget(_ context: CUDAContext) {
        contexts.withLock { $0.removeAll { $0 === context } }
    }

    // MARK: - Memory

    func commit(address: UInt64, byteCount: UInt64, kind: MemoryKind, for context: any BackendContext)
        throws(BackendError)
    {
        guard let context = context as? CUDAContext else { throw BackendError(BackendStatus.invalidContext) }
        // A driver refuses even memory where the thread's context is spoiled.
        try context.makeCurrent()
        do throws(BackendError) {
            try memory.commit(address: address, byteCount: byteCount)
        } catch {
            guard error.status == BackendStatus.outOfMemory else { throw error }
            // What was freed may still wait for its streams.
            settle()
            try memory.commit(address: address, byteCount: byteCount)
        }
    }

    func release(address: UInt64, for context: any BackendContext) {
        guard let byteCount = memory.remove(address: address) else { return }
        memory.release(address: address, byteCount: byteCount, after: recordAll())
    }

    /// Lets an object go after the work so far.
    func giveUp(_ key: DriverObjects.Key) { objects.retire(key, after: recordAll()) }

    /// An event on each stream with unfinished work.
    private func recordAll() -> [CUDAPoint] {
        contexts.withLock { $0 }.flatMap { $0.recordAll() }
    }

    /// Pinned memory for copies from and to the host.
    func stagingRing(for context: CUDAContext) throws(BackendError) -> StagingRing {
        // Pinning needs some context, and this thread may have none yet.
        try context.makeCurrent()
        return try staging.withLock { ring throws(BackendError) in
            if let ring { return ring }
            let made = try StagingRing(driver: driver)
            ring = made
            return made
        }
    }

    /// Keeps what a graph used: runs of it may still be on their way.
    func retire(_ resources: CapturedResources) {
        let isOver = retired.withLock { retired in
            if !isClosed.load(ordering: .acquiring) { retired.append(resources) }
            return isClosed.load(ordering: .acquiring)
        }
        if isOver { resources.takeBuffers().forEach(pinnedPool.giveBack) }
    }

    /// Lets the resources of graphs that are gone serve again, when no stream has work.
    func reuseRetired() {
        let resources = retired.withLock { retired in
            defer { retired = [] }
            return retired
        }
        guard !resources.isEmpty else { return }
        if contexts.withLock({ $0 }).contains(where: { $0.hasUnfinishedWork() }) {
            retired.withLock { $0 += resources }
        } else {
            for entry in resources { entry.takeBuffers().forEach(pinnedPool.giveBack) }
        }
    }

    // MARK: - Utilization and output

    var busyNanoseconds: UInt64 { busy.load(ordering: .relaxed) }

    func sample(nanoseconds: UInt64) {
        guard !isCancelled else { return }
        let isBusy = contexts.withLock { $0 }.contains { $0.hasUnfinishedWork() }
        if isBusy { busy.add(nanoseconds, ordering: .relaxed) }
    }

    /// Hands on what kernels printed.
    func flushOutput() { backend.output?.drain { host.print($0) } }

    // MARK: - The end

    /// For how long a session that ends waits for its kernels.
    static let closeNanoseconds: UInt64 = 10_000_000_000

    func cancel() {
        cancelled.store(true, ordering: .releasing)
        staging.withLock { $0 }?.wake()
    }

    func close() {
        cancel()
        let contexts = contexts.withLock { $0 }
        let deadline = MonotonicClock.nanoseconds &+ CUDASession.closeNanoseconds
        let areIdle = contexts.map { $0.drain(until: deadline) }.allSatisfy { $0 }
        backend.forget(self)
        // A kernel that never ends keeps its memory until the process ends: nothing else stops it.
        guard areIdle else { return }
        objects.dispose()
        // A driver takes no memory back while the thread's context is spoiled. Before the contexts go: the next session
        // may take the primary one from then on.
        try? backend.heal()
        for context in contexts { context.destroy() }
        _ = try? driver.cuCtxSetCurrent(backend.home)
        memory.dispose()
        staging.withLock { ring in
            ring?.dispose()
            ring = nil
        }
        let resources = retired.withLock { retired in
            isClosed.store(true, ordering: .releasing)
            defer { retired = [] }
            return retired
        }
        for entry in resources { entry.takeBuffers().forEach(pinnedPool.giveBack) }
        pinnedPool.dispose()
        flushOutput()
    }
}

extension CUDALibrary {
    /// Whether an event was reached, as a status.
    func query(_ context: CUcontext, _ event: CUevent) -> CUresult {
        guard let setCurrent = functions.cuCtxSetCurrent, let query = functions.cuEventQuery else {
            return CUDA_ERROR_NOT_FOUND
        }
        let status = setCurrent(context)
        return status == CUDA_SUCCESS ? query(event) : status
    }

    /// Whether a stream's work was done, as a status.
    func query(_ context: CUcontext, stream: CUstream?) -> CUresult {
        guard let setCurrent = functions.cuCtxSetCurrent, let query = functions.cuStreamQuery else {
            return CUDA_ERROR_NOT_FOUND
        }
        let status = setCurrent(context)
        return status == CUDA_SUCCESS ? query(stream) : status
    }
}
