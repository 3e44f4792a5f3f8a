public import CCUDA
internal import CPosix
public import ClientRuntime
internal import Primitives
internal import WireProtocol

/// The CUDA driver: one static function for each exported function, in extensions by family.
public enum CUDADriver {
    // SAFETY: made once under `initializationLock` before `Session.isReady`; the region locks itself.
    nonisolated(unsafe) static var handleRegion: UnsafeMutablePointer<HandleRegion>?
    nonisolated(unsafe) static var contextRegion: UnsafeMutablePointer<HandleRegion>?
    /// The primary contexts by device.
    nonisolated(unsafe) static var primaryContexts: [UnsafeMutablePointer<ContextState>] = []
    /// Guards the tables of contexts, modules, libraries, links and pools; never held while waiting for a worker.
    static let tablesLock = Lock()
    static let initializationLock = Lock()

    /// Counts a call of the exported function with this number, when `ROOST_STATS` asks for it.
    @inlinable @inline(__always)
    public static func enter(_ id: Int) { CallCounts.enter(id) }

    /// Counts a call of a function that this version does not support, and says so once when the log is on.
    public static func unsupported(_ id: Int) -> CUresult {
        CallCounts.enter(id)
        UnsupportedCalls.note(id)
        return reported(id, CUDA_ERROR_NOT_SUPPORTED)
    }

    /// Hands a call's result on, and keeps a refusal in the error log.
    @inline(__always)
    public static func reported(_ id: Int, _ result: CUresult) -> CUresult {
        if result != CUDA_SUCCESS { ErrorLog.note(id, result) }
        return result
    }

    /// The stream that the `_ptsz` and `_ptds` forms mean: null is the thread's own default stream.
    @inline(__always)
    public static func perThread(_ stream: CUstream?) -> CUstream? { stream ?? CUstream(bitPattern: 2) }
}

extension CUresult {
    /// A result code from the runtime or the wire.
    @inline(__always)
    init(status: Int32) { self.init(rawValue: UInt32(bitPattern: status)) }
}

/// Where a call goes: the thread's state, a context that is alive, and the thread's lane to its worker.
struct CallTarget {
    let thread: UnsafeMutablePointer<ThreadState>
    let context: UnsafeMutablePointer<ContextState>
    let lane: Lane

    /// Sends a command that nobody waits for, except in strict mode.
    @inline(__always)
    func send<Command: AsyncCommand>(_ command: Command) -> CUresult {
        let status = lane.send(command, context: context.pointee.id)
        if Session.isStrict { return confirm(status) }
        return CUresult(status: status)
    }

    /// Sends a command that nobody waits for, in strict mode either.
    func sendUnconfirmed<Command: AsyncCommand>(_ command: Command) -> CUresult {
        CUresult(status: lane.send(command, context: context.pointee.id))
    }

    /// Sends a command and the bytes after it.
    func send<Command: AsyncCommand>(_ command: Command, bulk: UnsafeRawBufferPointer) -> CUresult {
        let status = lane.send(command, bulk: bulk, context: context.pointee.id)
        if Session.isStrict { return confirm(status) }
        return CUresult(status: status)
    }

    /// Sends a command and waits.
    func call<Command: SyncCommand>(_ command: Command) -> CUresult {
        var reply = Command.Reply()
        return call(command, &reply)
    }

    /// Sends a command and waits for its outputs.
    func call<Command: SyncCommand>(
        _ command: Command, _ reply: inout Command.Reply, bulk: UnsafeRawBufferPointer? = nil,
        into destination: UnsafeMutableRawBufferPointer? = nil
    ) -> CUresult {
        let result = lane.call(
            command, reply: &reply, context: context.pointee.id, bulk: bulk, into: destination)
        return noted(result.status)
    }

    /// In strict mode, waits until the context has done all it was told, so that an error shows at its own call.
    @inline(never)
    func confirm(_ status: Int32) -> CUresult {
        guard status == ClientStatus.success else { return CUresult(status: status) }
        return call(ContextSynchronize(context: context.pointee.id))
    }

    /// Keeps a context-fatal error on the context.
    private func noted(_ status: Int32) -> CUresult {
        if ClientStatus.isFatal(status), context.pointee.stickyStatus == 0 {
            context.pointee.stickyStatus = status
            ClientLog.line("the context can't be used any more, error ", number: Int64(status))
        }
        return CUresult(status: status)
    }
}

extension CUDADriver {
    /// Runs `body` with the calling thread's context, or says why there is none to use.
    @inline(__always)
    static func withContext(_ body: (CallTarget) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        guard let context = thread.pointee.current else { return CUDA_ERROR_INVALID_CONTEXT }
        return with(context, thread, body)
    }

    /// Runs `body` with a context, current or not.
    @inline(__always)
    static func with(
        _ named: UnsafeMutablePointer<ContextState>, _ thread: UnsafeMutablePointer<ThreadState>,
        _ body: (CallTarget) -> CUresult
    ) -> CUresult {
        guard named.pointee.isAlive else { return CUDA_ERROR_CONTEXT_IS_DESTROYED }
        let context = named.pointee.base ?? named
        if ProcessLock.isHeld { ProcessLock.wait() }
        if context.pointee.stickyStatus != 0 { return CUresult(status: context.pointee.stickyStatus) }
        let worker = Worker(state: context.pointee.worker)
        guard !worker.isLost, let lane = worker.lane(of: thread) else { return CUDA_ERROR_DEVICE_UNAVAILABLE }
        return body(CallTarget(thread: thread, context: context, lane: lane))
    }

    /// Runs `body` with the context of the object that the call names, else with the current one.
    @inline(__always)
    static func routed(_ body: (CallTarget) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        let route = thread.pointee.route
        thread.pointee.route = nil
        guard let context = route ?? thread.pointee.current else { return CUDA_ERROR_INVALID_CONTEXT }
        return with(context, thread, body)
    }

    /// Sends a generated call's command.
    static func send<Command: AsyncCommand>(_ command: Command) -> CUresult { routed { $0.send(command) } }

    /// Sends a generated call's command and waits.
    static func call<Command: SyncCommand>(_ command: Command) -> CUresult {
        var reply = Command.Reply()
        return call(command, &reply)
    }

    /// Sends a generated call's command and waits for its outputs.
    static func call<Command: SyncCommand>(_ command: Command, _ reply: inout Command.Reply) -> CUresult {
        routed { target in
            if Mirrors.streamsMayWait { Mirrors.sendChanges(target) }
            let status = target.call(command, &reply)
            if status == CUDA_SUCCESS { Mirrors.deviceIsIdle(target) }
            return status
        }
    }

    /// Runs `body` with a device, or says why not.
    static func withDevice(_ ordinal: CUdevice, _ body: (Device) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        let devices = Session.devices
        guard ordinal >= 0, Int(ordinal) < devices.count else { return CUDA_ERROR_INVALID_DEVICE }
        return body(devices[Int(ordinal)])
    }

    /// The device of a context.
    static func device(of context: UnsafeMutablePointer<ContextState>) -> Device? {
        let devices = Session.devices
        let ordinal = Int(context.pointee.device)
        return ordinal >= 0 && ordinal < devices.count ? devices[ordinal] : nil
    }
}

/// Remembers which unsupported functions were called.
enum UnsupportedCalls {
    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) private static var counts: [UInt32] = []
    private static let lock = Lock()

    static func note(_ id: Int) {
        lock.acquire()
        defer { lock.release() }
        guard id >= 0, id < 4096 else { return }
        if counts.count < 4096 { counts = [UInt32](repeating: 0, count: 4096) }
        counts[id] &+= 1
        guard counts[id] == 1 else { return }
        let name = FunctionNames.name(of: id)
        ClientLog.line(
            "a function that is not supported was called: ",
            UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }
}
