public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// Whether a stream waits for the legacy default stream.
    static func isBlocking(_ stream: UInt64) -> Bool {
        guard stream > StreamID.perThread, let handleRegion else { return true }
        return handleRegion.pointee.entry(UInt32(truncatingIfNeeded: stream)).pointee.flags & 1 == 0
    }

    /// Runs `body` with a stream's key, in its context and under the lock of graphs.
    private static func withCaptureStream(
        _ stream: CUstream?, _ body: (CaptureStream, CallTarget) -> CUresult
    ) -> CUresult {
        guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
        return routed { target in
            Graphs.lock.acquire()
            defer { Graphs.lock.release() }
            return body(CaptureStream(id, target.thread, target.context), target)
        }
    }

    // MARK: - Beginning

    /// The corresponding C function is `cuStreamBeginCapture`.
    public static func streamBeginCapture(_ stream: CUstream?) -> CUresult {
        streamBeginCaptureV2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL)
    }

    /// The corresponding C function is `cuStreamBeginCapture_v2`.
    public static func streamBeginCaptureV2(_ stream: CUstream?, _ mode: CUstreamCaptureMode) -> CUresult {
        beginCapture(stream, mode) { Graphs.make().map { ($0, []) } }
    }

    /// The corresponding C function is `cuStreamBeginCaptureToGraph`.
    public static func streamBeginCaptureToGraph(
        _ stream: CUstream?, _ handle: CUgraph?, _ dependencies: UnsafePointer<CUgraphNode?>?,
        _ data: UnsafePointer<CUgraphEdgeData>?, _ count: Int, _ mode: CUstreamCaptureMode
    ) -> CUresult {
        beginCapture(stream, mode, ownsGraph: false) {
            guard let graph = Graphs.graph(handle),
                let edges = Graphs.edges(dependencies, data, count: count, in: graph)
            else { return nil }
            return (graph, edges)
        }
    }

    private static func beginCapture(
        _ stream: CUstream?, _ mode: CUstreamCaptureMode, ownsGraph: Bool = true,
        _ graph: () -> (Graph, [GraphEdge])?
    ) -> CUresult {
        guard mode.rawValue <= CU_STREAM_CAPTURE_MODE_RELAXED.rawValue else { return CUDA_ERROR_INVALID_VALUE }
        return withCaptureStream(stream) { key, target in
            guard key.id > StreamID.legacy else { return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED }
            guard Captures.session(of: key) == nil else { return CUDA_ERROR_ILLEGAL_STATE }
            guard let (graph, edges) = graph() else {
                return ownsGraph ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE
            }
            Captures.begin(key, mode: mode.rawValue, graph: graph, edges, ownsGraph: ownsGraph, target)
            return CUDA_SUCCESS
        }
    }

    // MARK: - Ending

    /// The corresponding C function is `cuStreamEndCapture`.
    public static func streamEndCapture(_ stream: CUstream?, _ result: UnsafeMutablePointer<CUgraph?>?) -> CUresult {
        withCaptureStream(stream) { key, target in
            guard let session = Captures.session(of: key) else { return CUDA_ERROR_ILLEGAL_STATE }
            guard session.origin == key else {
                session.isInvalidated = true
                return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED
            }
            let isRelaxed = session.mode == CU_STREAM_CAPTURE_MODE_RELAXED.rawValue
            guard isRelaxed || session.thread == target.thread else { return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD }
            Captures.end(session)
            let status =
                session.isInvalidated
                ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
                : session.isJoined ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNJOINED
            result?.pointee = status == CUDA_SUCCESS ? session.graph.handle : nil
            if status != CUDA_SUCCESS || result == nil, session.ownsGraph { Graphs.destroy(session.graph) }
            return status
        }
    }

    // MARK: - Questions

    /// The corresponding C function is `cuStreamIsCapturing`.
    public static func streamIsCapturing(
        _ stream: CUstream?, _ status: UnsafeMutablePointer<CUstreamCaptureStatus>?
    ) -> CUresult {
        guard let status else { return CUDA_ERROR_INVALID_VALUE }
        return captureInfo(stream) { session, _ in
            guard let session else {
                status.pointee = CU_STREAM_CAPTURE_STATUS_NONE
                return
            }
            status.pointee =
                session.isInvalidated ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE
        }
    }

    /// Runs `body` with the capture that a stream is in, if any.
    private static func captureInfo(
        _ stream: CUstream?, _ body: (CaptureSession?, CapturedStream?) -> Void
    ) -> CUresult {
        guard Captures.areActive else {
            return withStream(stream) { _, _ in
                body(nil, nil)
                return CUDA_SUCCESS
            }
        }
        return withCaptureStream(stream) { key, target in
            let session = Captures.session(of: key)
            if key.id <= StreamID.legacy, Captures.blockingSession(in: target.context) != nil {
                return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
            }
            body(session, session?.stream(key))
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuStreamGetCaptureInfo`.
    public static func streamGetCaptureInfo(
        _ stream: CUstream?, _ status: UnsafeMutablePointer<CUstreamCaptureStatus>?,
        _ id: UnsafeMutablePointer<cuuint64_t>?
    ) -> CUresult {
        streamGetCaptureInfoV3(stream, status, id, nil, nil, nil, nil)
    }

    /// The corresponding C function is `cuStreamGetCaptureInfo_v2`.
    public static func streamGetCaptureInfoV2(
        _ stream: CUstream?, _ status: UnsafeMutablePointer<CUstreamCaptureStatus>?,
        _ id: UnsafeMutablePointer<cuuint64_t>?, _ graph: UnsafeMutablePointer<CUgraph?>?,
        _ dependencies: UnsafeMutablePointer<UnsafePointer<CUgraphNode?>?>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        streamGetCaptureInfoV3(stream, status, id, graph, dependencies, nil, count)
    }

    /// The corresponding C function is `cuStreamGetCaptureInfo_v3`.
    public static func streamGetCaptureInfoV3(
        _ stream: CUstream?, _ status: UnsafeMutablePointer<CUstreamCaptureStatus>?,
        _ id: UnsafeMutablePointer<cuuint64_t>?, _ graph: UnsafeMutablePointer<CUgraph?>?,
        _ dependencies: UnsafeMutablePointer<UnsafePointer<CUgraphNode?>?>?,
        _ edges: UnsafeMutablePointer<UnsafePointer<CUgraphEdgeData>?>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let status else { return CUDA_ERROR_INVALID_VALUE }
        return captureInfo(stream) { session, captured in
            let isActive = session.map { !$0.isInvalidated } ?? false
            status.pointee =
                session == nil
                ? CU_STREAM_CAPTURE_STATUS_NONE
                : isActive ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_INVALIDATED
            id?.pointee = isActive ? session?.id ?? 0 : 0
            graph?.pointee = isActive ? session?.graph.handle : nil
            let shown = isActive && (dependencies != nil || edges != nil) ? captured?.shown() : nil
            dependencies?.pointee = shown?.nodes
            edges?.pointee = shown?.data
            count?.pointee = isActive ? captured?.frontier.count ?? 0 : 0
        }
    }

    // MARK: - Dependencies and modes

    /// The corresponding C function is `cuStreamUpdateCaptureDependencies`.
    public static func streamUpdateCaptureDependencies(
        _ stream: CUstream?, _ dependencies: UnsafeMutablePointer<CUgraphNode?>?, _ count: Int, _ flags: UInt32
    ) -> CUresult {
        streamUpdateCaptureDependenciesV2(stream, dependencies, nil, count, flags)
    }

    /// The corresponding C function is `cuStreamUpdateCaptureDependencies_v2`.
    public static func streamUpdateCaptureDependenciesV2(
        _ stream: CUstream?, _ dependencies: UnsafeMutablePointer<CUgraphNode?>?,
        _ data: UnsafePointer<CUgraphEdgeData>?, _ count: Int, _ flags: UInt32
    ) -> CUresult {
        guard flags <= CU_STREAM_SET_CAPTURE_DEPENDENCIES.rawValue else { return CUDA_ERROR_INVALID_VALUE }
        return withCaptureStream(stream) { key, _ in
            guard let session = Captures.session(of: key), let captured = session.stream(key) else {
                return CUDA_ERROR_ILLEGAL_STATE
            }
            guard !session.isInvalidated else { return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED }
            guard let edges = Graphs.edges(UnsafePointer(dependencies), data, count: count, in: session.graph) else {
                return CUDA_ERROR_INVALID_VALUE
            }
            if flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES.rawValue { captured.frontier = [] }
            captured.join(edges)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuThreadExchangeStreamCaptureMode`.
    public static func threadExchangeStreamCaptureMode(
        _ mode: UnsafeMutablePointer<CUstreamCaptureMode>?
    ) -> CUresult {
        guard let mode, mode.pointee.rawValue <= 2 else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        let previous = thread.pointee.captureMode
        thread.pointee.captureMode = mode.pointee.rawValue
        mode.pointee = CUstreamCaptureMode(rawValue: previous)
        return CUDA_SUCCESS
    }
}

// MARK: - What generated calls do around captures

extension CUDADriver {
    static func send(_ command: EventRecord) -> CUresult {
        routed { target in
            if let captured = Captures.record(command.hEvent, command.hStream, isExternal: false, target) {
                return captured
            }
            noteRecord(command.hEvent, command.hStream, target)
            return target.send(command)
        }
    }

    /// So that a wait for the event is known to cover the stream's work.
    private static func noteRecord(_ event: UInt64, _ stream: UInt64, _ target: CallTarget) {
        if ManagedRegions.areAny { ManagedRegions.noteRecord(event, target.key(of: stream)) }
    }

    static func send(_ command: EventRecordWithFlags) -> CUresult {
        guard command.flags & ~1 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return routed { target in
            let isExternal = command.flags & 1 != 0
            if let captured = Captures.record(command.hEvent, command.hStream, isExternal: isExternal, target) {
                return captured
            }
            noteRecord(command.hEvent, command.hStream, target)
            return target.send(command)
        }
    }

    static func send(_ command: StreamWaitEvent) -> CUresult {
        guard command.Flags & ~1 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        if Session.devices.count > 1, let status = waitAcrossWorkers(command) { return status }
        return routed {
            Captures.wait(command.hStream, for: command.hEvent, isExternal: command.Flags & 1 != 0, $0)
                ?? $0.send(command)
        }
    }

    static func send(_ command: EventDestroy) -> CUresult {
        Captures.forgetEvent(command.hEvent)
        return routed { $0.send(command) }
    }

    static func send(_ command: StreamDestroy) -> CUresult {
        Captures.forget(command.hStream)
        return routed { $0.send(command) }
    }

    private static func waiting<Command: SyncCommand>(
        _ command: Command, _ kind: UInt32, on stream: UInt64
    ) -> CUresult {
        routed { target in
            if let status = Captures.refuse(stream, target) { return status }
            return finish(command, kind, stream, target)
        }
    }

    private static func waiting<Command: SyncCommand>(_ command: Command, _ kind: UInt32, for event: UInt64) -> CUresult
    {
        guard !Captures.isCaptured(event) else {
            ThreadState.mine?.pointee.route = nil
            return CUDA_ERROR_CAPTURED_EVENT
        }
        let status = Captures.checkUnsafe()
        guard status == CUDA_SUCCESS else { return status }
        return routed { finish(command, kind, event, $0) }
    }

    /// Asks nobody about a stream whose last work was a copy that the program has waited for.
    private static func finish<Command: SyncCommand>(
        _ command: Command, _ kind: UInt32, _ object: UInt64, _ target: CallTarget
    ) -> CUresult {
        if Mirrors.streamsMayWait { Mirrors.sendChanges(target) }
        let isStream = kind == Downloads.Wait.stream || kind == Downloads.Wait.streamQuery
        // Before the wait: another thread may record the event anew meanwhile.
        let coverage: WaitCoverage = isStream ? .stream(target.key(of: object)) : ManagedRegions.coverage(of: object)
        let status: CUresult
        if Downloads.areAny {
            status = Downloads.collect(kind, object, target)
        } else if kind == Downloads.Wait.stream,
            target.lane.isIdle(stream: object, context: target.context.pointee.id)
        {
            status = CUDA_SUCCESS
        } else {
            status = target.call(command)
        }
        if status == CUDA_SUCCESS { Mirrors.deviceIsIdle(target, coverage) }
        return status
    }

    static func call(_ command: StreamSynchronize) -> CUresult {
        waiting(command, Downloads.Wait.stream, on: command.hStream)
    }
    static func call(_ command: StreamQuery) -> CUresult {
        waiting(command, Downloads.Wait.streamQuery, on: command.hStream)
    }
    static func call(_ command: EventQuery) -> CUresult {
        waiting(command, Downloads.Wait.eventQuery, for: command.hEvent)
    }
    static func call(_ command: EventSynchronize) -> CUresult {
        waiting(command, Downloads.Wait.event, for: command.hEvent)
    }

    static func call(_ command: EventElapsedTime, _ reply: inout EventElapsedTime.Reply) -> CUresult {
        guard !Captures.isCaptured(command.hStart), !Captures.isCaptured(command.hEnd) else {
            ThreadState.mine?.pointee.route = nil
            return CUDA_ERROR_CAPTURED_EVENT
        }
        return routed { target in
            let status = target.call(command, &reply)
            if status == CUDA_SUCCESS { Mirrors.deviceIsIdle(target) }
            return status
        }
    }
}
