internal import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// The captures of this process.
///
/// A call that works on a stream asks here first whether the stream is captured; if so, it becomes a node of a graph
/// instead. `areActive` is the only cost of that while nothing is captured.
enum Captures {
    // SAFETY: only touched under `Graphs.lock`; `areActive` is a hint that is read without it.
    nonisolated(unsafe) private static var sessions: [CaptureSession] = []
    nonisolated(unsafe) private static var events: [CapturedEvent] = []
    nonisolated(unsafe) private static var lastID: UInt64 = 0
    nonisolated(unsafe) private(set) static var areActive = false

    // MARK: - Looking up; the caller holds the lock

    static func session(of stream: CaptureStream) -> CaptureSession? {
        for session in sessions where session.stream(stream) != nil { return session }
        return nil
    }

    /// Whether the legacy default stream would wait for a captured stream of its context.
    static func blockingSession(in context: UnsafeMutablePointer<ContextState>) -> CaptureSession? {
        for session in sessions where session.context == context {
            for stream in session.streams where stream.isBlocking { return session }
        }
        return nil
    }

    /// Whether a capture adds to a graph.
    static func isTarget(_ graph: Graph) -> Bool { sessions.contains { $0.graph === graph } }

    static func begin(
        _ stream: CaptureStream, mode: UInt32, graph: Graph, _ frontier: [GraphEdge], ownsGraph: Bool,
        _ target: CallTarget
    ) {
        lastID &+= 1
        let session = CaptureSession(
            id: lastID, graph: graph, mode: mode, target, origin: stream, ownsGraph: ownsGraph)
        session.streams.append(CapturedStream(stream, isBlocking: CUDADriver.isBlocking(stream.id), frontier: frontier))
        sessions.append(session)
        areActive = true
    }

    /// Ends a capture; its events can't be waited for any more.
    static func end(_ session: CaptureSession) {
        sessions.removeAll { $0 === session }
        areActive = !sessions.isEmpty
        for index in events.indices where events[index].session === session {
            events[index].session = nil
            events[index].edges = []
        }
    }

    // MARK: - What streams are told

    /// Makes a node of what a captured stream is told. Nil when the stream is not captured; an error when the call
    /// must not be made now.
    static func add(
        to stream: UInt64, _ target: CallTarget, _ work: () -> GraphWork?
    ) -> CUresult? {
        guard areActive else { return nil }
        Graphs.lock.acquire()
        defer { Graphs.lock.release() }
        let key = CaptureStream(stream, target.thread, target.context)
        guard let session = session(of: key), let captured = session.stream(key) else {
            guard stream <= StreamID.legacy, let other = blockingSession(in: target.context) else { return nil }
            other.isInvalidated = true
            return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
        }
        guard !session.isInvalidated else { return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED }
        guard let work = work() else {
            session.isInvalidated = true
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
        }
        guard let node = Graphs.add(work, to: session.graph, after: captured.frontier) else {
            return CUDA_ERROR_OUT_OF_MEMORY
        }
        captured.frontier = [GraphEdge(from: node)]
        return CUDA_SUCCESS
    }

    /// Whether what a stream is told now becomes a part of a capture, or must be refused.
    static func isCaptured(stream: UInt64, _ target: CallTarget) -> Bool {
        guard areActive else { return false }
        Graphs.lock.acquire()
        defer { Graphs.lock.release() }
        return session(of: CaptureStream(stream, target.thread, target.context)) != nil
    }

    /// Refuses what can't be captured. Nil when the stream is not captured.
    static func refuse(_ stream: UInt64, _ target: CallTarget) -> CUresult? { add(to: stream, target) { nil } }

    /// Whether the calling thread may make a call that could disturb captures: success, or why not.
    static func checkUnsafe(_ thread: UnsafeMutablePointer<ThreadState>? = ThreadState.mine) -> CUresult {
        guard areActive, let thread, thread.pointee.captureMode != CU_STREAM_CAPTURE_MODE_RELAXED.rawValue else {
            return CUDA_SUCCESS
        }
        let isGlobal = thread.pointee.captureMode == CU_STREAM_CAPTURE_MODE_GLOBAL.rawValue
        Graphs.lock.acquire()
        defer { Graphs.lock.release() }
        var result = CUDA_SUCCESS
        for session in sessions {
            let isOwn = session.thread == thread && session.mode != CU_STREAM_CAPTURE_MODE_RELAXED.rawValue
            guard isOwn || (isGlobal && session.mode == CU_STREAM_CAPTURE_MODE_GLOBAL.rawValue) else { continue }
            session.isInvalidated = true
            result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
        }
        return result
    }

    /// Refuses to wait for a context that has a captured stream.
    static func checkWaiting(for context: UnsafeMutablePointer<ContextState>) -> CUresult {
        guard areActive else { return CUDA_SUCCESS }
        Graphs.lock.acquire()
        defer { Graphs.lock.release() }
        var result = CUDA_SUCCESS
        for session in sessions where session.context == context {
            session.isInvalidated = true
            result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
        }
        return result
    }

    /// A stream's handle ends. It leaves its capture; without the origin, a capture is void.
    static func forget(_ stream: UInt64) {
        guard areActive else { return }
        Graphs.lock.acquire()
        defer { Graphs.lock.release() }
        for session in sessions {
            if session.origin.id == stream { session.isInvalidated = true }
        }
    }

    // MARK: - Events

    /// `cuEventRecord`: in a captured stream, the event names the stream's frontier. Nil when it must be sent.
    static func record(_ event: UInt64, _ stream: UInt64, isExternal: Bool, _ target: CallTarget) -> CUresult? {
        let entry = CUDADriver.handleRegion?.pointee.entry(UInt32(truncatingIfNeeded: event))
        if isExternal, areActive, let handle = handle(of: event) {
            if let status = add(to: stream, target, { .eventRecord(EventWork(handle, id: event)) }) {
                // The event is now one of launches, not of the capture.
                forgetEvent(event)
                entry?.pointee.flags &= ~CapturedEvent.flag
                return status
            }
        }
        let wasCaptured = (entry?.pointee.flags ?? 0) & CapturedEvent.flag != 0
        guard areActive || wasCaptured else { return nil }
        Graphs.lock.acquire()
        defer { Graphs.lock.release() }
        let key = CaptureStream(stream, target.thread, target.context)
        if let session = session(of: key), let captured = session.stream(key) {
            guard !session.isInvalidated else { return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED }
            events.removeAll { $0.id == event }
            events.append(CapturedEvent(id: event, session: session, edges: captured.frontier))
            entry?.pointee.flags |= CapturedEvent.flag
            return CUDA_SUCCESS
        }
        if stream <= StreamID.legacy, let other = blockingSession(in: target.context) {
            other.isInvalidated = true
            return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
        }
        if wasCaptured {
            events.removeAll { $0.id == event }
            entry?.pointee.flags &= ~CapturedEvent.flag
        }
        return nil
    }

    /// `cuStreamWaitEvent`: a captured event pulls the stream into its capture. Nil when it must be sent.
    static func wait(_ stream: UInt64, for event: UInt64, isExternal: Bool, _ target: CallTarget) -> CUresult? {
        let isCaptured = isCaptured(event)
        guard areActive || isCaptured else { return nil }
        if isExternal, let handle = handle(of: event), !isCaptured {
            return add(to: stream, target) { .eventWait(EventWork(handle, id: event)) }
        }
        let isBlocking = CUDADriver.isBlocking(stream)
        Graphs.lock.acquire()
        defer { Graphs.lock.release() }
        let key = CaptureStream(stream, target.thread, target.context)
        let own = session(of: key)
        if let own, own.isInvalidated { return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED }
        guard isCaptured, let found = events.first(where: { $0.id == event }), let session = found.session else {
            if let own {
                own.isInvalidated = true
                return CUDA_ERROR_STREAM_CAPTURE_ISOLATION
            }
            if isCaptured { return CUDA_ERROR_CAPTURED_EVENT }
            guard stream <= StreamID.legacy, let other = blockingSession(in: target.context) else { return nil }
            other.isInvalidated = true
            return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
        }
        guard !session.isInvalidated else { return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED }
        if let own {
            guard own === session else {
                own.isInvalidated = true
                session.isInvalidated = true
                return CUDA_ERROR_STREAM_CAPTURE_MERGE
            }
            own.stream(key)?.join(found.edges)
            return CUDA_SUCCESS
        }
        guard stream > StreamID.legacy else {
            session.isInvalidated = true
            return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
        }
        session.streams.append(CapturedStream(key, isBlocking: isBlocking, frontier: found.edges))
        return CUDA_SUCCESS
    }

    /// Whether an event was last recorded in a captured stream.
    static func isCaptured(_ event: UInt64) -> Bool {
        let entry = CUDADriver.handleRegion?.pointee.entry(UInt32(truncatingIfNeeded: event))
        return (entry?.pointee.flags ?? 0) & CapturedEvent.flag != 0
    }

    /// An event's handle ends.
    static func forgetEvent(_ event: UInt64) {
        guard isCaptured(event) else { return }
        Graphs.lock.withLock { events.removeAll { $0.id == event } }
    }

    private static func handle(of id: UInt64) -> CUevent? {
        guard let region = CUDADriver.handleRegion else { return nil }
        return OpaquePointer(bitPattern: region.pointee.handle(UInt32(truncatingIfNeeded: id)))
    }
}
