internal import CCUDA
internal import ClientRuntime
internal import WireProtocol

/// The objects that generated calls create and destroy.
enum ObjectKind {
    case stream
    case event

    var handleKind: HandleKind {
        switch self {
        case .stream: .stream
        case .event: .event
        }
    }
}

extension CUDADriver {
    /// The entry of a handle of this kind, or nil.
    @inline(__always)
    static func entry(_ handle: OpaquePointer?, _ kind: HandleKind) -> UnsafeMutablePointer<HandleEntry>? {
        guard let handleRegion else { return nil }
        let slot = handleRegion.pointee.slot(of: UInt(bitPattern: handle), kind: kind)
        return slot == 0 ? nil : handleRegion.pointee.entry(slot)
    }

    /// The id that names a handle's object on the wire, or 0.
    static func wireID(_ handle: OpaquePointer?, _ kind: HandleKind) -> UInt64 {
        guard let handleRegion else { return 0 }
        let slot = handleRegion.pointee.slot(of: UInt(bitPattern: handle), kind: kind)
        return slot == 0 ? 0 : handleRegion.pointee.id(slot)
    }

    /// A stream's id; the next generated call goes to the stream's context.
    @inline(__always)
    static func streamID(_ stream: CUstream?) -> UInt64? {
        let bits = UInt(bitPattern: stream)
        if bits <= 2 {
            ThreadState.mine?.pointee.route = nil
            return UInt64(bits)
        }
        guard let handleRegion else { return nil }
        let slot = handleRegion.pointee.slot(of: bits, kind: .stream)
        guard slot != 0 else { return nil }
        ThreadState.mine?.pointee.route = handleRegion.pointee.entry(slot).pointee.context
        return handleRegion.pointee.id(slot)
    }

    /// An event's id. The next generated call goes to the event's context only when the thread has no other place for
    /// it.
    static func eventID(_ event: CUevent?) -> UInt64? {
        guard let handleRegion, let thread = ThreadState.mine else { return nil }
        let slot = handleRegion.pointee.slot(of: UInt(bitPattern: event), kind: .event)
        guard slot != 0 else { return nil }
        if let context = handleRegion.pointee.entry(slot).pointee.context {
            let present = thread.pointee.route ?? thread.pointee.current
            if present == nil || present?.pointee.worker != context.pointee.worker { thread.pointee.route = context }
        }
        return handleRegion.pointee.id(slot)
    }

    /// Makes a handle in the current context: `body` sends the command that creates the object under the id.
    static func createHandle(
        _ object: ObjectKind, _ result: UnsafeMutablePointer<OpaquePointer?>, _ body: (UInt64) -> CUresult
    ) -> CUresult {
        guard Session.isReady, let handleRegion else { return CUresult(status: Session.status) }
        let kind = object.handleKind
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard let context = thread.pointee.current else { return CUDA_ERROR_INVALID_CONTEXT }
        thread.pointee.route = nil
        let slot = handleRegion.pointee.make()
        guard slot != 0 else { return CUDA_ERROR_OUT_OF_MEMORY }
        let entry = handleRegion.pointee.entry(slot)
        entry.pointee.context = context
        entry.pointee.object = nil
        entry.pointee.flags = 0
        entry.pointee.value = 0
        let status = body(handleRegion.pointee.id(slot))
        handleRegion.pointee.publish(slot, as: kind)
        guard status == CUDA_SUCCESS else {
            _ = handleRegion.pointee.free(slot, kind: kind)
            return status
        }
        result.pointee = OpaquePointer(bitPattern: handleRegion.pointee.handle(slot))
        return CUDA_SUCCESS
    }

    /// Ends a handle: `body` sends the command that destroys the object.
    static func destroyHandle(
        _ object: ObjectKind, _ handle: OpaquePointer?, _ body: (UInt64) -> CUresult
    ) -> CUresult {
        guard Session.isReady, let handleRegion else { return CUresult(status: Session.status) }
        let kind = object.handleKind
        let slot = handleRegion.pointee.slot(of: UInt(bitPattern: handle), kind: kind)
        guard slot != 0 else { return CUDA_ERROR_INVALID_HANDLE }
        let id = handleRegion.pointee.id(slot)
        ThreadState.mine?.pointee.route = handleRegion.pointee.entry(slot).pointee.context
        guard handleRegion.pointee.free(slot, kind: kind) else { return CUDA_ERROR_INVALID_HANDLE }
        return body(id)
    }

    /// Keeps an object of the client under a new handle; nil when there are no more.
    static func makeHandle(
        _ kind: HandleKind, context: UnsafeMutablePointer<ContextState>?, object: UnsafeMutableRawPointer?
    ) -> (handle: OpaquePointer, id: UInt64)? {
        guard let handleRegion else { return nil }
        let slot = handleRegion.pointee.make()
        guard slot != 0, let handle = OpaquePointer(bitPattern: handleRegion.pointee.handle(slot)) else { return nil }
        let entry = handleRegion.pointee.entry(slot)
        entry.pointee.context = context
        entry.pointee.object = object
        entry.pointee.flags = 0
        entry.pointee.value = 0
        handleRegion.pointee.publish(slot, as: kind)
        return (handle, handleRegion.pointee.id(slot))
    }

    /// Ends a handle that ``makeHandle(_:context:object:)`` made; its object's pointer, if it was alive.
    static func endHandle(_ handle: OpaquePointer?, _ kind: HandleKind) -> UnsafeMutableRawPointer? {
        guard let handleRegion else { return nil }
        let slot = handleRegion.pointee.slot(of: UInt(bitPattern: handle), kind: kind)
        guard slot != 0 else { return nil }
        let object = handleRegion.pointee.entry(slot).pointee.object
        return handleRegion.pointee.free(slot, kind: kind) ? object : nil
    }

    /// The class that a handle of the client keeps.
    static func object<Object: AnyObject>(
        _ handle: OpaquePointer?, _ kind: HandleKind, as type: Object.Type
    ) -> Object? {
        guard let pointer = entry(handle, kind)?.pointee.object else { return nil }
        return Unmanaged<Object>.fromOpaque(pointer).takeUnretainedValue()
    }

    /// Ends all streams and events of a context that ends.
    static func endStreamsAndEvents(of context: UnsafeMutablePointer<ContextState>) {
        guard let handleRegion else { return }
        for slot in 1..<max(1, handleRegion.pointee.usedSlotCount) {
            let entry = handleRegion.pointee.entry(slot)
            guard entry.pointee.context == context else { continue }
            if entry.pointee.kind == HandleKind.stream.rawValue {
                _ = handleRegion.pointee.free(slot, kind: .stream)
            } else if entry.pointee.kind == HandleKind.event.rawValue {
                _ = handleRegion.pointee.free(slot, kind: .event)
            }
        }
    }

    // MARK: - What generated calls keep

    static func send(_ command: StreamCreate) -> CUresult {
        guard command.Flags <= 1 else { return CUDA_ERROR_INVALID_VALUE }
        remember(command.phStream, flags: command.Flags, value: 0)
        return routed { $0.send(command) }
    }

    static func send(_ command: StreamCreateWithPriority) -> CUresult {
        guard command.flags <= 1 else { return CUDA_ERROR_INVALID_VALUE }
        let priority = min(max(command.priority, StreamPriority.greatest), StreamPriority.least)
        remember(command.phStream, flags: command.flags, value: Int64(priority))
        var clamped = command
        clamped.priority = priority
        return routed { $0.send(clamped) }
    }

    static func send(_ command: EventCreate) -> CUresult {
        // Blocking sync 1, no timing 2, between processes 4, which needs no timing.
        guard command.Flags & ~7 == 0, command.Flags & 6 != 4 else { return CUDA_ERROR_INVALID_VALUE }
        remember(command.phEvent, flags: command.Flags, value: 0)
        return routed { $0.send(command) }
    }

    private static func remember(_ id: UInt64, flags: UInt32, value: Int64) {
        guard let entry = handleRegion?.pointee.entry(UInt32(truncatingIfNeeded: id)) else { return }
        entry.pointee.flags = flags
        entry.pointee.value = value
    }
}

/// The priorities that streams may have, as `cuCtxGetStreamPriorityRange` says.
enum StreamPriority {
    static let least: Int32 = 0
    static let greatest: Int32 = -5
}
