import CCUDA
import CUDABinding
import GPUBackend

// SAFETY: the handle never changes and may be used by any thread.
/// Memory without an address, of a driver.
final class CUDAPhysicalMemory: BackendPhysicalMemory, @unchecked Sendable {
    let byteCount: UInt64
    let handle: CUmemGenericAllocationHandle
    private let driver: CUDALibrary

    init(driver: CUDALibrary, device: CUdevice, byteCount: UInt64) throws(BackendError) {
        self.driver = driver
        self.byteCount = byteCount
        handle = try translating { () throws(CUDAFailure) in
            var handle: CUmemGenericAllocationHandle = 0
            var properties = CUDAMemory.properties(device)
            try driver.cuMemCreate(&handle, Int(byteCount), &properties, 0)
            return handle
        }
    }

    deinit { _ = try? driver.cuMemRelease(handle) }
}

extension CUDASession {
    func reserve(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError) {
        // The arena as a whole is reserved at the driver; the worker keeps the books within it.
    }

    func unreserve(address: UInt64, for context: any BackendContext) throws(BackendError) {}

    func makePhysical(byteCount: UInt64) throws(BackendError) -> any BackendPhysicalMemory {
        // A driver clears memory that other processes had, and this process serves one vGPU alone.
        try CUDAPhysicalMemory(driver: driver, device: backend.device, byteCount: byteCount)
    }

    func map(
        _ memory: any BackendPhysicalMemory, offset: UInt64, at address: UInt64, byteCount: UInt64,
        for context: any BackendContext
    ) throws(BackendError) {
        guard let memory = memory as? CUDAPhysicalMemory else { throw BackendError(BackendStatus.invalidValue) }
        try (context as? CUDAContext)?.makeCurrent()
        try self.memory.mapPhysical(memory, offset: offset, at: address, byteCount: byteCount) {
            [weak self] () throws(BackendError) in
            self?.settle()
        }
    }

    func unmap(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError) {
        // A driver takes pages away at once, but the client sees its calls in order: earlier work comes first.
        try context.synchronize()
        try memory.unmapPhysical(address, byteCount)
    }

    func setAccess(address: UInt64, byteCount: UInt64, isAllowed: Bool, for context: any BackendContext)
        throws(BackendError)
    {
        try (context as? CUDAContext)?.makeCurrent()
        if !isAllowed { try context.synchronize() }
        try translating { () throws(CUDAFailure) in
            var access = CUmemAccessDesc()
            access.location.type = CU_MEM_LOCATION_TYPE_DEVICE
            access.location.id = backend.device
            access.flags = isAllowed ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_NONE
            try driver.cuMemSetAccess(address, Int(byteCount), &access, 1)
        }
    }

    /// Waits for what was released and gives unused memory back to the driver.
    func settle() {
        var round = 0
        while !isCancelled, objects.reclaim() || memory.reclaim() {
            Backoff.pause(round)
            round += 1
        }
        memory.disposeUnused()
    }
}
