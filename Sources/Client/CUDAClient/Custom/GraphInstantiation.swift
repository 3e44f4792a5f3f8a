public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// Runs `body` with an executable graph, under the lock of graphs.
    static func withExecutable(_ handle: CUgraphExec?, _ body: (GraphExecutable) -> CUresult) -> CUresult {
        withGraphs {
            guard let executable = executable(handle) else { return CUDA_ERROR_INVALID_VALUE }
            return body(executable)
        }
    }

    static func executable(_ handle: CUgraphExec?) -> GraphExecutable? {
        object(handle, .graphExec, as: GraphExecutable.self)
    }

    // MARK: - Instantiation

    /// The corresponding C function is `cuGraphInstantiate`.
    public static func graphInstantiate(
        _ result: UnsafeMutablePointer<CUgraphExec?>?, _ graph: CUgraph?, _ node: UnsafeMutablePointer<CUgraphNode?>?,
        _ log: UnsafeMutablePointer<CChar>?, _ byteCount: Int
    ) -> CUresult {
        if let log, byteCount > 0 { log[0] = 0 }
        let made = instantiate(result, graph, flags: 0)
        node?.pointee = made.node
        return made.status
    }

    /// The corresponding C function is `cuGraphInstantiate_v2`.
    public static func graphInstantiateV2(
        _ result: UnsafeMutablePointer<CUgraphExec?>?, _ graph: CUgraph?, _ node: UnsafeMutablePointer<CUgraphNode?>?,
        _ log: UnsafeMutablePointer<CChar>?, _ byteCount: Int
    ) -> CUresult {
        graphInstantiate(result, graph, node, log, byteCount)
    }

    /// The corresponding C function is `cuGraphInstantiateWithFlags`.
    public static func graphInstantiateWithFlags(
        _ result: UnsafeMutablePointer<CUgraphExec?>?, _ graph: CUgraph?, _ flags: UInt64
    ) -> CUresult {
        instantiate(result, graph, flags: flags).status
    }

    /// The corresponding C function is `cuGraphInstantiateWithParams`.
    public static func graphInstantiateWithParams(
        _ result: UnsafeMutablePointer<CUgraphExec?>?, _ graph: CUgraph?,
        _ request: UnsafeMutablePointer<CUDA_GRAPH_INSTANTIATE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        let made = instantiate(result, graph, flags: request.pointee.flags)
        request.pointee.result_out = made.result
        request.pointee.hErrNode_out = made.node
        return made.status
    }

    private typealias Instantiation = (status: CUresult, result: CUgraphInstantiateResult, node: CUgraphNode?)

    private static func instantiate(
        _ result: UnsafeMutablePointer<CUgraphExec?>?, _ graph: CUgraph?, flags: UInt64
    ) -> Instantiation {
        var answer: Instantiation = (CUDA_ERROR_INVALID_VALUE, CUDA_GRAPH_INSTANTIATE_ERROR, nil)
        guard let result, flags <= 15 else { return answer }
        guard flags & UInt64(CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH.rawValue) == 0 else {
            ClientLog.line("graphs that kernels launch are not supported: a launch must pass through the worker")
            return (CUDA_ERROR_NOT_SUPPORTED, CUDA_GRAPH_INSTANTIATE_NODE_OPERATION_NOT_SUPPORTED, nil)
        }
        guard let thread = ThreadState.mine else { return (CUDA_ERROR_OUT_OF_MEMORY, answer.result, nil) }
        var made: GraphExecutable?
        answer.status = withGraph(graph) { graph in
            guard let context = graph.context ?? thread.pointee.current else { return CUDA_ERROR_INVALID_CONTEXT }
            guard !Captures.isTarget(graph) else { return CUDA_ERROR_INVALID_VALUE }
            let layout = GraphLayout(graph, context: context)
            if layout.executable.allocates.count > 0, graph.executableCount > 0 {
                return CUDA_ERROR_NOT_SUPPORTED
            }
            if let failure = layout.failure {
                answer.result = failure.result
                answer.node = failure.node?.handle
                layout.executable.release()
                return failure.status
            }
            layout.executable.flags = flags
            layout.executable.source = graph
            layout.executable.userObjects = graph.userObjects.map { $0.retained() }
            graph.executableCount &+= 1
            made = layout.executable
            return CUDA_SUCCESS
        }
        guard answer.status == CUDA_SUCCESS, let executable = made else { return answer }
        answer.status = with(executable.context, thread) { send(executable, result, $0) }
        if answer.status == CUDA_SUCCESS {
            answer.result = CUDA_GRAPH_INSTANTIATE_SUCCESS
        } else {
            withGraphs { forget(executable) }
        }
        return answer
    }

    /// Has the worker make the graph.
    private static func send(
        _ executable: GraphExecutable, _ result: UnsafeMutablePointer<CUgraphExec?>, _ target: CallTarget
    ) -> CUresult {
        if executable.hasHostCalls || !executable.userObjects.isEmpty {
            guard HostFunctions.connect(Worker(state: target.context.pointee.worker)) else {
                return CUDA_ERROR_DEVICE_UNAVAILABLE
            }
        }
        var bytes: [UInt8] = []
        executable.plan.encode(into: &bytes)
        guard bytes.count <= GraphPlan.byteCountMax else { return CUDA_ERROR_OUT_OF_MEMORY }
        let kept = Unmanaged.passRetained(executable)
        guard let made = makeHandle(.graphExec, context: target.context, object: kept.toOpaque()) else {
            kept.release()
            return CUDA_ERROR_OUT_OF_MEMORY
        }
        executable.handle = made.handle
        executable.id = made.id
        var reply = GraphInstantiate.Reply()
        let status = bytes.withUnsafeBytes { bulk in
            target.call(
                GraphInstantiate(bulkByteCount: UInt64(bulk.count), graph: made.id), &reply, bulk: bulk)
        }
        guard status == CUDA_SUCCESS else {
            if let object = endHandle(made.handle, .graphExec) {
                Unmanaged<GraphExecutable>.fromOpaque(object).release()
            }
            return status
        }
        result.pointee = made.handle
        return CUDA_SUCCESS
    }

    /// Ends what belongs to an executable graph; the caller holds the lock.
    @discardableResult
    private static func forget(_ executable: GraphExecutable) -> CUresult {
        executable.source?.executableCount &-= 1
        executable.source = nil
        executable.release()
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuGraphExecDestroy`.
    public static func graphExecDestroy(_ handle: CUgraphExec?) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let thread = ThreadState.mine, let executable = executable(handle),
            let object = endHandle(handle, .graphExec)
        else { return CUDA_ERROR_INVALID_VALUE }
        Unmanaged<GraphExecutable>.fromOpaque(object).release()
        let stream = executable.lastStream
        let status = with(executable.context, thread) { target in
            _ = target.send(GraphDestroy(graph: executable.id))
            guard let stream, executable.hasHostCalls || !executable.userObjects.isEmpty else { return CUDA_SUCCESS }
            // A launch may be under way: the end comes after it, in its stream.
            let end = HostCall(.end(executable), context: target.context)
            HostCalls.add(end)
            executable.isEnding = true
            let place = isStream(stream) ? stream : StreamID.legacyDefault
            return target.send(HostFunction(stream: place, token: end.token))
        }
        withGraphs {
            executable.source?.executableCount &-= 1
            executable.source = nil
            if executable.isEnding { executable.releaseMemory() } else { executable.release() }
            return CUDA_SUCCESS
        }
        return executable.context.pointee.isAlive ? status : CUDA_SUCCESS
    }

    private static func isStream(_ id: UInt64) -> Bool {
        guard id > StreamID.perThread else { return true }
        guard let handleRegion else { return false }
        let slot = UInt32(truncatingIfNeeded: id)
        return handleRegion.pointee.id(slot) == id
            && handleRegion.pointee.entry(slot).pointee.kind == HandleKind.stream.rawValue
    }

    // MARK: - Launching

    /// The corresponding C function is `cuGraphUpload`. The worker has everything since the instantiation.
    public static func graphUpload(_ handle: CUgraphExec?, _ stream: CUstream?) -> CUresult {
        guard streamID(stream) != nil else { return CUDA_ERROR_INVALID_HANDLE }
        ThreadState.mine?.pointee.route = nil
        return withExecutable(handle) { _ in CUDA_SUCCESS }
    }

    /// The corresponding C function is `cuGraphLaunch`.
    public static func graphLaunch(_ handle: CUgraphExec?, _ stream: CUstream?) -> CUresult {
        guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
        return routed { target in
            guard let executable = executable(handle) else { return CUDA_ERROR_INVALID_VALUE }
            guard executable.context.pointee.worker == target.context.pointee.worker else {
                return CUDA_ERROR_INVALID_VALUE
            }
            let captured = Captures.add(to: id, target) { executable.copied().map { .child($0) } }
            if let captured { return captured }
            if !executable.allocates.isEmpty || !executable.frees.isEmpty {
                let freesFirst =
                    executable.flags & UInt64(CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH.rawValue) != 0
                let status = GraphMemory.launch(
                    allocates: executable.allocates, frees: executable.frees, freesFirst: freesFirst)
                guard status == CUDA_SUCCESS else { return status }
            }
            if Mirrors.areNeeded {
                for nodes in executable.graphs { mirrorPointers(of: nodes, target) }
                Mirrors.sendChanges(target, stream: id)
                ManagedRegions.forgetRecords()
            }
            if Downloads.areAny, executable.hasHostCalls { collectDownloads(inStream: id, target) }
            executable.lastStream = id
            return target.send(GraphLaunch(graph: executable.id, stream: id))
        }
    }

    /// Lets the device see the pinned memory that kernels have pointers to.
    private static func mirrorPointers(of nodes: [ExecutableNode], _ target: CallTarget) {
        for node in nodes {
            if case .kernel(let work) = node.work { Mirrors.mirrorPointers(in: work.parameters, target) }
        }
    }

    // MARK: - Questions

    /// The corresponding C function is `cuGraphExecGetFlags`.
    public static func graphExecGetFlags(
        _ handle: CUgraphExec?, _ flags: UnsafeMutablePointer<cuuint64_t>?
    ) -> CUresult {
        guard let flags else { return CUDA_ERROR_INVALID_VALUE }
        return withExecutable(handle) { executable in
            flags.pointee = executable.flags & ~UInt64(CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD.rawValue)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphExecGetId`.
    public static func graphExecGetId(_ handle: CUgraphExec?, _ id: UnsafeMutablePointer<UInt32>?) -> CUresult {
        guard let id else { return CUDA_ERROR_INVALID_VALUE }
        return withExecutable(handle) { executable in
            id.pointee = executable.serial
            return CUDA_SUCCESS
        }
    }
}

extension Graph {
    /// The context of the first node that has one.
    var context: UnsafeMutablePointer<ContextState>? {
        for node in nodes {
            switch node.work {
            case .child(let child): if let context = child.context { return context }
            case .conditional(let work):
                if let context = work.context { return context }
            default: if let context = node.work.context { return context }
            }
        }
        return nil
    }
}

extension GraphExecutable {
    /// The nodes as a graph, for a capture; nil when it can't be one.
    func copied() -> Graph? {
        guard allocates.isEmpty, frees.isEmpty, graphs.count == 1, let nodes = graphs.first,
            let graph = Graphs.make()
        else { return nil }
        var made: [GraphNode] = []
        for node in nodes {
            let edges = node.plan.dependencies.map { GraphEdge(from: made[Int($0)]) }
            var work = node.work
            if case .child = work { work = .empty }
            if !node.plan.isEnabled { work = .empty }
            guard let copy = Graphs.add(work, to: graph, after: edges) else {
                Graphs.destroy(graph)
                return nil
            }
            copy.attributes = node.attributes
            made.append(copy)
        }
        return graph
    }
}
