// Virtual memory management: addresses, memory and the right to touch it come apart (`cuMemAddressReserve`,
// `cuMemCreate`, `cuMemMap`, `cuMemSetAccess`). The rules of `GPUBackend.swift` hold here too. Changes take effect
// after all work that was submitted earlier and before all that is submitted later; none waits for work, and errors
// that show only then wait in the context.

/// Memory without an address; any session of the worker may map it. It lives as long as somebody holds or maps it.
public protocol BackendPhysicalMemory: AnyObject, Sendable {
    var byteCount: UInt64 { get }
}

/// The part of a session that manages virtual memory. A backend without it has the defaults, which refuse.
public protocol VirtualMemorySession {
    /// Takes addresses of the arena out of use, without memory. Called by a lane. Throws `INVALID_VALUE` for addresses
    /// outside of the arena or in use.
    func reserve(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError)

    /// Ends a reservation in which nothing is mapped. Called by a lane. Throws `INVALID_VALUE` when there is none.
    func unreserve(address: UInt64, for context: any BackendContext) throws(BackendError)

    /// Makes memory that reads as zeros. Called by a lane; may block while the device makes it. Throws
    /// `OUT_OF_MEMORY`.
    func makePhysical(byteCount: UInt64) throws(BackendError) -> any BackendPhysicalMemory

    /// Maps a part of an object at reserved addresses; work may not touch it yet. Called by a lane. Throws
    /// `INVALID_VALUE` for another backend's object.
    func map(
        _ memory: any BackendPhysicalMemory, offset: UInt64, at address: UInt64, byteCount: UInt64,
        for context: any BackendContext
    ) throws(BackendError)

    /// Ends the mappings that a range consists of. Called by a lane.
    func unmap(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError)

    /// Sets whether work may touch the mappings that a range consists of; else touching is `ILLEGAL_ADDRESS`. Called by
    /// a lane.
    func setAccess(address: UInt64, byteCount: UInt64, isAllowed: Bool, for context: any BackendContext)
        throws(BackendError)
}

extension VirtualMemorySession {
    public func reserve(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError) {
        throw .noVirtualMemory
    }

    public func unreserve(address: UInt64, for context: any BackendContext) throws(BackendError) {
        throw .noVirtualMemory
    }

    public func makePhysical(byteCount: UInt64) throws(BackendError) -> any BackendPhysicalMemory {
        throw .noVirtualMemory
    }

    public func map(
        _ memory: any BackendPhysicalMemory, offset: UInt64, at address: UInt64, byteCount: UInt64,
        for context: any BackendContext
    ) throws(BackendError) {
        throw .noVirtualMemory
    }

    public func unmap(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError) {
        throw .noVirtualMemory
    }

    public func setAccess(address: UInt64, byteCount: UInt64, isAllowed: Bool, for context: any BackendContext)
        throws(BackendError)
    {
        throw .noVirtualMemory
    }
}

extension BackendError {
    fileprivate static let noVirtualMemory = BackendError(
        BackendStatus.notSupported, "the backend does not manage virtual memory")
}
