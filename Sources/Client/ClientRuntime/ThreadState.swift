internal import CPosix

/// What the client keeps for each thread that calls it; memory outside Swift's ownership, so that the hot path counts
/// no references.
public struct ThreadState {
    /// The lanes by worker; nil where this thread has none yet.
    var lanes: UnsafeMutablePointer<UnsafeMutablePointer<LaneState>?>
    /// The context of the next command that names an object of another context, or nil.
    public var route: UnsafeMutablePointer<ContextState>?
    /// The thread's context, or nil.
    public var current: UnsafeMutablePointer<ContextState>?
    /// The contexts below the current one, bottom first.
    var stack: UnsafeMutablePointer<UnsafeMutablePointer<ContextState>?>
    var stackCount: Int
    var stackCapacity: Int
    /// Whether this thread runs host functions for the worker.
    public var runsHostFunctions: Bool
    /// `CUstreamCaptureMode`.
    public var captureMode: UInt32
    /// The number of the exported function that the thread is in, while calls are counted.
    var function: UInt32

    static let workerCountMax = 64
    private static let slot: UInt32 = 0

    /// The calling thread's state; nil only when memory ran out.
    @inline(__always)
    public static var mine: UnsafeMutablePointer<ThreadState>? {
        if let known = posix_thread_slot(slot) { return known.assumingMemoryBound(to: ThreadState.self) }
        return make()
    }

    @inline(never)
    private static func make() -> UnsafeMutablePointer<ThreadState>? {
        let state = UnsafeMutablePointer<ThreadState>.allocate(capacity: 1)
        let lanes = UnsafeMutablePointer<UnsafeMutablePointer<LaneState>?>.allocate(capacity: workerCountMax)
        lanes.initialize(repeating: nil, count: workerCountMax)
        let stack = UnsafeMutablePointer<UnsafeMutablePointer<ContextState>?>.allocate(capacity: 8)
        stack.initialize(repeating: nil, count: 8)
        state.initialize(
            to: ThreadState(
                lanes: lanes, route: nil, current: nil, stack: stack, stackCount: 0, stackCapacity: 8,
                runsHostFunctions: false, captureMode: 0, function: 0))
        posix_set_thread_slot(slot, state)
        _ = posix_at_thread_exit({ ThreadState.end($0) }, state)
        return state
    }

    /// Hands the thread's lanes to later threads.
    private static func end(_ argument: UnsafeMutableRawPointer?) {
        guard let argument else { return }
        let state = argument.assumingMemoryBound(to: ThreadState.self)
        posix_set_thread_slot(slot, nil)
        // In a forked child the lanes are the parent's: to send, or to wait for their locks, would break the parent.
        guard !Session.isForkedChild else { return }
        for index in 0..<workerCountMax {
            guard let lane = state.pointee.lanes[index] else { continue }
            Lane(state: lane).retire()
        }
        state.pointee.lanes.deallocate()
        state.pointee.stack.deallocate()
        state.deallocate()
    }
}

/// The stack of contexts of one thread.
public enum ContextStack {
    /// Makes a context current on top of the present one.
    public static func push(_ context: UnsafeMutablePointer<ContextState>, on thread: UnsafeMutablePointer<ThreadState>)
    {
        let count = thread.pointee.stackCount
        if count == thread.pointee.stackCapacity {
            let larger = UnsafeMutablePointer<UnsafeMutablePointer<ContextState>?>.allocate(capacity: count &* 2)
            larger.initialize(repeating: nil, count: count &* 2)
            larger.update(from: thread.pointee.stack, count: count)
            thread.pointee.stack.deallocate()
            thread.pointee.stack = larger
            thread.pointee.stackCapacity = count &* 2
        }
        thread.pointee.stack[count] = context
        thread.pointee.stackCount = count &+ 1
        thread.pointee.current = context
    }

    /// Takes the current context off. Nil when the thread has none.
    public static func pop(from thread: UnsafeMutablePointer<ThreadState>) -> UnsafeMutablePointer<ContextState>? {
        let count = thread.pointee.stackCount
        guard count > 0 else { return nil }
        let top = thread.pointee.stack[count &- 1]
        thread.pointee.stackCount = count &- 1
        thread.pointee.current = count > 1 ? thread.pointee.stack[count &- 2] : nil
        return top
    }

    /// Replaces the current context; nil takes it off.
    public static func replace(
        with context: UnsafeMutablePointer<ContextState>?, on thread: UnsafeMutablePointer<ThreadState>
    ) {
        _ = pop(from: thread)
        if let context { push(context, on: thread) }
    }
}

/// One context: of the CUDA driver, at one worker.
public struct ContextState {
    /// The id on the wire.
    public var id: UInt64
    /// The handle in the user's process.
    public var handle: UInt
    public var device: Int32
    public var worker: UnsafeMutablePointer<WorkerState>
    /// The first context-fatal error; every later call answers it without asking.
    public var stickyStatus: Int32
    public var isAlive: Bool
    /// The context that gets the commands in place of this one: a green context's device has one for all.
    public var base: UnsafeMutablePointer<ContextState>?
    /// Owned by the layer above.
    public var details: UnsafeMutableRawPointer?

    /// A context that is not alive yet.
    public init(handle: UInt, device: Int32, worker: UnsafeMutablePointer<WorkerState>) {
        id = 0
        self.handle = handle
        self.device = device
        self.worker = worker
        stickyStatus = 0
        isAlive = false
        base = nil
        details = nil
    }
}
