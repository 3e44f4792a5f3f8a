internal import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// What the client keeps of a context beside what every call needs.
final class ContextDetails {
    var isPrimary = false
    /// How often a primary context was retained.
    var retainCount: UInt32 = 0
    var flags: UInt32 = 0
    /// Never the same for two lives of a context.
    var serial: UInt64 = 0
    var apiVersion: UInt32 = 3020
    var cacheConfig = CU_FUNC_CACHE_PREFER_NONE
    var sharedConfig = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE
    /// By `CUlimit`.
    var limits: [Int] = [1024, 1 << 20, 8 << 20, 2, 2048, 128, 0, 0, 0, 0, 0]
    var localStorage = ContextLocalStorage()
    var modules: [ModuleRecord] = []
    /// The id of the stream in which events are waited for on behalf of other workers; 0 before the first.
    var signalStream: UInt64 = 0
    /// Nil as long as the program left it at the process's.
    var coredump: CoredumpSettings?
}

extension CUDADriver {
    // SAFETY: only touched under `tablesLock`.
    nonisolated(unsafe) private static var lastSerial: UInt64 = 0

    /// A context's details.
    static func details(of context: UnsafeMutablePointer<ContextState>) -> ContextDetails {
        guard let pointer = context.pointee.details else {
            let fresh = ContextDetails()
            context.pointee.details = Unmanaged.passRetained(fresh).toOpaque()
            return fresh
        }
        return Unmanaged<ContextDetails>.fromOpaque(pointer).takeUnretainedValue()
    }

    /// The context of a handle, alive or not, or nil.
    @inline(__always)
    static func contextState(_ handle: CUcontext?) -> UnsafeMutablePointer<ContextState>? {
        guard let handle, let contextRegion else { return nil }
        let slot = contextRegion.pointee.slot(of: UInt(bitPattern: handle), kind: .context)
        guard slot != 0 else { return nil }
        return contextRegion.pointee.entry(slot).pointee.context
    }

    /// The handle of a context.
    static func handle(of context: UnsafeMutablePointer<ContextState>) -> CUcontext? {
        CUcontext(bitPattern: context.pointee.handle)
    }

    /// Makes a context that is not alive yet. Its memory stays for ever, because threads may hold it on their stacks.
    static func makeContext(on device: Device) -> UnsafeMutablePointer<ContextState>? {
        guard let contextRegion else { return nil }
        let slot = contextRegion.pointee.make()
        guard slot != 0 else { return nil }
        let context = UnsafeMutablePointer<ContextState>.allocate(capacity: 1)
        context.initialize(
            to: ContextState(
                handle: contextRegion.pointee.handle(slot), device: device.ordinal, worker: device.worker.state))
        contextRegion.pointee.entry(slot).pointee.context = context
        contextRegion.pointee.publish(slot, as: .context)
        _ = details(of: context)
        return context
    }

    /// A number that no other life of a context has.
    static func nextSerial() -> UInt64 {
        tablesLock.acquire()
        defer { tablesLock.release() }
        lastSerial &+= 1
        return lastSerial
    }

    /// Brings a context to life at its worker.
    static func activate(_ context: UnsafeMutablePointer<ContextState>, flags: UInt32) -> CUresult {
        guard let thread = ThreadState.mine, let device = device(of: context) else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard !device.worker.isLost, let lane = device.worker.lane(of: thread) else {
            return CUDA_ERROR_DEVICE_UNAVAILABLE
        }
        let agreed = device.openArena(lane: lane)
        guard agreed == ClientStatus.success else { return CUresult(status: agreed) }
        let serial = nextSerial()
        let details = details(of: context)
        details.serial = serial
        details.signalStream = 0
        details.flags = flags
        // Slots of contexts have no other use on the wire, so the serial number can be the generation.
        let slot = contextRegion?.pointee.slot(of: context.pointee.handle, kind: .context) ?? 0
        let id = UInt64(slot) | (serial & 0xFFFF_FFFF) << 32
        let status = lane.send(ContextCreate(context: id, device: device.wireIndex, flags: flags), context: 0)
        guard status == ClientStatus.success else { return CUresult(status: status) }
        // Not before the command is encoded: a thread in which the context is current could name it to the worker
        // first, whose side of that thread's lane would stay without a context.
        context.pointee.id = id
        context.pointee.stickyStatus = 0
        context.pointee.isAlive = true
        return CUDA_SUCCESS
    }

    /// Ends a context with all that belongs to it.
    static func deactivate(_ context: UnsafeMutablePointer<ContextState>) {
        guard context.pointee.isAlive, let thread = ThreadState.mine, let device = device(of: context) else { return }
        let details = details(of: context)
        tablesLock.acquire()
        let storage = details.localStorage.takeAll()
        tablesLock.release()
        storage.destroy(context: handle(of: context))
        context.pointee.isAlive = false
        tablesLock.acquire()
        let modules = details.modules
        details.modules = []
        tablesLock.release()
        for module in modules { forget(module) }
        endStreamsAndEvents(of: context)
        Downloads.forget(context)
        let lane = device.worker.isLost ? nil : device.worker.lane(of: thread)
        endArraysAndTextures(of: context, device, lane)
        releaseMemory(of: context, device, lane)
        if let lane { _ = lane.send(ContextDestroy(context: context.pointee.id), context: 0) }
        context.pointee.stickyStatus = 0
    }
}
