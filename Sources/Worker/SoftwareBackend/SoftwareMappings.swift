import GPUBackend
import SIMT
import Synchronization

/// A physical object of the software GPU.
final class SoftwarePhysicalMemory: BackendPhysicalMemory {
    let memory: PhysicalMemory
    let byteCount: UInt64

    init(memory: PhysicalMemory, byteCount: UInt64) {
        self.memory = memory
        self.byteCount = byteCount
    }
}

/// Makes the worker's physical store when the first client wants memory of it.
final class LazyPhysicalStore: Sendable {
    private let made = Mutex<PhysicalStore?>(nil)

    /// The store; nil when the host has no room for it.
    var store: PhysicalStore? {
        made.withLock { store in
            if store == nil { store = PhysicalStore() }
            return store
        }
    }

    func make(byteCount: UInt64) throws(BackendError) -> SoftwarePhysicalMemory {
        guard let memory = store?.make(byteCount: byteCount) else {
            throw BackendError(BackendStatus.outOfMemory, "the host has no room for a physical object")
        }
        return SoftwarePhysicalMemory(memory: memory, byteCount: byteCount)
    }
}

extension SoftwareSession {
    func reserve(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError) {
        try change(context) { memory throws(DeviceMemoryError) in
            try memory.reserve(address: address, byteCount: byteCount)
        }
    }

    func unreserve(address: UInt64, for context: any BackendContext) throws(BackendError) {
        try change(context) { memory throws(DeviceMemoryError) in try memory.unreserve(address: address) }
    }

    func makePhysical(byteCount: UInt64) throws(BackendError) -> any BackendPhysicalMemory {
        try physicalStore.make(byteCount: byteCount)
    }

    func map(
        _ memory: any BackendPhysicalMemory, offset: UInt64, at address: UInt64, byteCount: UInt64,
        for context: any BackendContext
    ) throws(BackendError) {
        guard let object = memory as? SoftwarePhysicalMemory else { throw BackendError(BackendStatus.invalidValue) }
        try change(context) { memory throws(DeviceMemoryError) in
            try memory.map(object.memory, offset: offset, address: address, byteCount: byteCount)
        }
    }

    func unmap(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError) {
        try change(context) { memory throws(DeviceMemoryError) in
            try memory.unmap(address: address, byteCount: byteCount)
        }
    }

    func setAccess(address: UInt64, byteCount: UInt64, isAllowed: Bool, for context: any BackendContext)
        throws(BackendError)
    {
        try change(context) { memory throws(DeviceMemoryError) in
            try memory.setAccess(address: address, byteCount: byteCount, isAllowed: isAllowed)
        }
    }

    /// Changes the address space in the order of all work.
    private func change(_ context: any BackendContext, _ body: @escaping MemoryChange) throws(BackendError) {
        guard let context = context as? SoftwareContext else { throw BackendError(BackendStatus.invalidContext) }
        context.note(try engine.runOrSubmit(.change(context, body)))
    }
}
