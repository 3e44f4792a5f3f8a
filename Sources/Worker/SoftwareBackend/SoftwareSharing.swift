import GPUBackend
import SIMT

/// An allocation of a session that others may show.
final class SoftwareSharedMemory: BackendPhysicalMemory {
    let pages: SharedPages
    var byteCount: UInt64 { pages.byteCount }

    init(pages: SharedPages) {
        self.pages = pages
    }
}

extension SoftwareSession {
    func share(
        address: UInt64, byteCount: UInt64, for context: any BackendContext
    ) throws(BackendError) -> any BackendPhysicalMemory {
        guard let store = physicalStore.store else {
            throw BackendError(BackendStatus.outOfMemory, "the host has no room for shared memory")
        }
        var pages: SharedPages?
        try alone(context) { memory throws(DeviceMemoryError) in
            pages = try memory.share(address: address, byteCount: byteCount, store: store)
        }
        guard let pages else { throw .badRange }
        return SoftwareSharedMemory(pages: pages)
    }

    func attach(_ memory: any BackendPhysicalMemory, at address: UInt64, for context: any BackendContext)
        throws(BackendError)
    {
        guard let shared = memory as? SoftwareSharedMemory else { throw BackendError(BackendStatus.invalidValue) }
        try alone(context) { memory throws(DeviceMemoryError) in try memory.attach(shared.pages, at: address) }
    }

    func detach(_ memory: any BackendPhysicalMemory, at address: UInt64, for context: any BackendContext)
        throws(BackendError)
    {
        guard let shared = memory as? SoftwareSharedMemory, let context = context as? SoftwareContext else {
            throw BackendError(BackendStatus.invalidValue)
        }
        let pages = shared.pages
        let change: MemoryChange = { memory throws(DeviceMemoryError) in try memory.detach(pages, at: address) }
        context.note(try engine.runOrSubmit(.change(context, change)))
    }

    /// Works on the memory while nothing runs, after all earlier work.
    private func alone(
        _ context: any BackendContext, _ body: (DeviceMemory) throws(DeviceMemoryError) -> Void
    ) throws(BackendError) {
        guard let context = context as? SoftwareContext else { throw BackendError(BackendStatus.invalidContext) }
        guard let sequence = try engine.claim(waits: true) else { throw .cancelled }
        defer { engine.finishClaim() }
        context.note(sequence)
        do throws(DeviceMemoryError) {
            try engine.guests.change { () throws(DeviceMemoryError) in try body(engine.memory) }
        } catch {
            throw BackendError(error)
        }
    }
}
