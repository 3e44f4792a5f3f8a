// Memory and events of one client process in another one, at the same worker (`cuIpcGetMemHandle` and its kin). The
// rules of `GPUBackend.swift` hold here too; the defaults refuse.

/// The part of a session that shows allocations in several address spaces.
public protocol SharingSession {
    /// Makes an allocation's memory one that other sessions can show. Called by a lane; waits for earlier work. Throws
    /// `INVALID_VALUE` when there is no such allocation, `OUT_OF_MEMORY`.
    func share(address: UInt64, byteCount: UInt64, for context: any BackendContext) throws(BackendError)
        -> any BackendPhysicalMemory

    /// Shows shared memory at a reserved address, for all to touch. Called by a lane; may wait for earlier work.
    /// Throws `INVALID_VALUE`.
    func attach(_ memory: any BackendPhysicalMemory, at address: UInt64, for context: any BackendContext)
        throws(BackendError)

    /// Takes it away again, after earlier work. Called by a lane; does not wait.
    func detach(_ memory: any BackendPhysicalMemory, at address: UInt64, for context: any BackendContext)
        throws(BackendError)
}

extension SharingSession {
    public func share(
        address: UInt64, byteCount: UInt64, for context: any BackendContext
    ) throws(BackendError) -> any BackendPhysicalMemory {
        throw .noSharing
    }

    public func attach(_ memory: any BackendPhysicalMemory, at address: UInt64, for context: any BackendContext)
        throws(BackendError)
    {
        throw .noSharing
    }

    public func detach(_ memory: any BackendPhysicalMemory, at address: UInt64, for context: any BackendContext)
        throws(BackendError)
    {
        throw .noSharing
    }
}

/// Whether an event may be used by other sessions of the worker.
public protocol ShareableEvent {
    var isShareable: Bool { get }
}

extension ShareableEvent {
    public var isShareable: Bool { false }
}

extension BackendError {
    fileprivate static let noSharing = BackendError(
        BackendStatus.notSupported, "the backend does not share memory between client processes")
}
