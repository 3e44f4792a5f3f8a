public import CCUDA
internal import ClientRuntime
internal import WireProtocol

extension CUDADriver {
    /// Tells the worker what changed.
    private static func send(_ patch: GraphPatch, _ executable: GraphExecutable) -> CUresult {
        guard !patch.entries.isEmpty, let thread = ThreadState.mine else { return CUDA_SUCCESS }
        return with(executable.context, thread) { target in
            if executable.hasHostCalls {
                guard HostFunctions.connect(Worker(state: target.context.pointee.worker)) else {
                    return CUDA_ERROR_DEVICE_UNAVAILABLE
                }
            }
            var bytes: [UInt8] = []
            patch.encode(into: &bytes)
            return bytes.withUnsafeBytes { bulk in
                target.send(GraphUpdate(bulkByteCount: UInt64(bulk.count), graph: executable.id), bulk: bulk)
            }
        }
    }

    // MARK: - A whole graph

    /// The corresponding C function is `cuGraphExecUpdate_v2`.
    public static func graphExecUpdateV2(
        _ handle: CUgraphExec?, _ graph: CUgraph?, _ answer: UnsafeMutablePointer<CUgraphExecUpdateResultInfo>?
    ) -> CUresult {
        guard let answer else { return CUDA_ERROR_INVALID_VALUE }
        answer.pointee = CUgraphExecUpdateResultInfo()
        answer.pointee.result = CU_GRAPH_EXEC_UPDATE_ERROR
        var patch = GraphPatch()
        var found: GraphExecutable?
        let status = withExecutable(handle) { executable in
            guard let graph = Graphs.graph(graph), !Captures.isTarget(graph) else { return CUDA_ERROR_INVALID_VALUE }
            let layout = GraphLayout(graph, context: executable.context)
            guard layout.failure == nil else {
                layout.executable.release()
                return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE
            }
            let difference = GraphDifference(executable, layout.executable)
            answer.pointee.result = difference.result
            guard difference.result == CU_GRAPH_EXEC_UPDATE_SUCCESS else {
                answer.pointee.errorNode = graph.node(withSerial: difference.errorSerial)?.handle
                layout.executable.release()
                return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE
            }
            patch = difference.patch
            found = executable
            return CUDA_SUCCESS
        }
        guard status == CUDA_SUCCESS, let found else { return status }
        return send(patch, found)
    }

    /// The corresponding C function is `cuGraphExecUpdate`.
    public static func graphExecUpdate(
        _ handle: CUgraphExec?, _ graph: CUgraph?, _ node: UnsafeMutablePointer<CUgraphNode?>?,
        _ result: UnsafeMutablePointer<CUgraphExecUpdateResult>?
    ) -> CUresult {
        var answer = CUgraphExecUpdateResultInfo()
        let status = graphExecUpdateV2(handle, graph, &answer)
        node?.pointee = answer.errorNode
        result?.pointee = answer.result
        return status
    }

    // MARK: - One node

    /// Changes one node of an executable graph.
    private static func change(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ body: (inout ExecutableNode, GraphExecutable) -> CUresult
    ) -> CUresult {
        var patch = GraphPatch()
        var found: GraphExecutable?
        let status = withExecutable(handle) { executable in
            guard let node = Graphs.node(node), let place = executable.find(node.serial) else {
                return CUDA_ERROR_INVALID_VALUE
            }
            let before = executable.graphs[place.graph][place.index].plan
            let status = body(&executable.graphs[place.graph][place.index], executable)
            guard status == CUDA_SUCCESS else { return status }
            let after = executable.graphs[place.graph][place.index].plan
            guard !after.isSameWork(as: before) else { return CUDA_SUCCESS }
            patch.entries.append(
                GraphPatch.Entry(
                    graph: UInt32(truncatingIfNeeded: place.graph), index: UInt32(truncatingIfNeeded: place.index),
                    after))
            found = executable
            return CUDA_SUCCESS
        }
        guard status == CUDA_SUCCESS, let found else { return status }
        return send(patch, found)
    }

    /// Gives one node other work of the same type.
    static func setWork(_ handle: CUgraphExec?, _ node: CUgraphNode?, _ made: MadeWork) -> CUresult {
        guard let work = made.work else { return made.status }
        return change(handle, node) { node, executable in
            guard node.work.type == work.type else { return CUDA_ERROR_INVALID_VALUE }
            if let context = work.context, context.pointee.worker != executable.context.pointee.worker {
                return CUDA_ERROR_INVALID_VALUE
            }
            if case .copy(let before) = node.work, case .copy(let after) = work, !before.isSameKind(as: after) {
                return CUDA_ERROR_INVALID_VALUE
            }
            var work = work
            if case .kernel(let before) = node.work, case .kernel(let after) = work {
                guard before.function.pointee.context == after.function.pointee.context else {
                    return CUDA_ERROR_INVALID_VALUE
                }
                // Whether a node is cooperative can't change.
                work = .kernel(after.with(isCooperative: before.shape.isCooperative))
            }
            if let call = node.hostCall { node.retiredCalls.append(call) }
            node.hostCall = work.hostCall(in: executable.context)
            if let call = node.hostCall { HostCalls.add(call) }
            node.work = work
            (node.plan.command, node.plan.payload) = work.encoded(token: node.hostCall?.token ?? 0)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphExecKernelNodeSetParams_v2`.
    public static func graphExecKernelNodeSetParamsV2(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_KERNEL_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return setWork(handle, node, kernelWork(request.pointee))
    }

    /// The corresponding C function is `cuGraphExecKernelNodeSetParams`.
    public static func graphExecKernelNodeSetParams(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_KERNEL_NODE_PARAMS_v1>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return setWork(handle, node, kernelWork(CUDA_KERNEL_NODE_PARAMS(request.pointee)))
    }

    /// The corresponding C function is `cuGraphExecMemcpyNodeSetParams`.
    public static func graphExecMemcpyNodeSetParams(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_MEMCPY3D>?, _ context: CUcontext?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return setWork(handle, node, copyWork(request.pointee, context))
    }

    /// The corresponding C function is `cuGraphExecMemsetNodeSetParams`.
    public static func graphExecMemsetNodeSetParams(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_MEMSET_NODE_PARAMS>?,
        _ context: CUcontext?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return setWork(handle, node, fillWork(request.pointee, context))
    }

    /// The corresponding C function is `cuGraphExecHostNodeSetParams`.
    public static func graphExecHostNodeSetParams(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_HOST_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return setWork(handle, node, hostWork(request.pointee.fn, request.pointee.userData))
    }

    /// The corresponding C function is `cuGraphExecEventRecordNodeSetEvent`.
    public static func graphExecEventRecordNodeSetEvent(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ event: CUevent?
    ) -> CUresult {
        setWork(handle, node, eventWork(event, isRecord: true))
    }

    /// The corresponding C function is `cuGraphExecEventWaitNodeSetEvent`.
    public static func graphExecEventWaitNodeSetEvent(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ event: CUevent?
    ) -> CUresult {
        setWork(handle, node, eventWork(event, isRecord: false))
    }

    /// The corresponding C function is `cuGraphExecBatchMemOpNodeSetParams`.
    public static func graphExecBatchMemOpNodeSetParams(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_BATCH_MEM_OP_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return setWork(handle, node, memoryOperationsWork(request.pointee))
    }

    /// The corresponding C function is `cuGraphExecNodeSetParams`.
    public static func graphExecNodeSetParams(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUgraphNodeParams>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        if request.pointee.type == CU_GRAPH_NODE_TYPE_GRAPH {
            return graphExecChildGraphNodeSetParams(handle, node, request.pointee.graph.graph)
        }
        guard isSettable(request.pointee.type) else { return CUDA_ERROR_NOT_SUPPORTED }
        return setWork(handle, node, genericWork(request, graph: nil))
    }

    // MARK: - Children and switches

    /// The corresponding C function is `cuGraphExecChildGraphNodeSetParams`.
    public static func graphExecChildGraphNodeSetParams(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ child: CUgraph?
    ) -> CUresult {
        var patch = GraphPatch()
        var found: GraphExecutable?
        let status = withExecutable(handle) { executable in
            guard let node = Graphs.node(node), let child = Graphs.graph(child), !Captures.isTarget(child),
                let place = executable.find(node.serial), case .child = node.work
            else { return CUDA_ERROR_INVALID_VALUE }
            let layout = GraphLayout(child, context: executable.context)
            guard layout.failure == nil, layout.executable.graphs.count == 1 else {
                layout.executable.release()
                return CUDA_ERROR_NOT_SUPPORTED
            }
            let start = executable.graphs[place.graph][place.index].childStart
            let part = GraphExecutable(part: executable, graph: place.graph, start..<place.index)
            let difference = GraphDifference(part, layout.executable)
            guard difference.result == CU_GRAPH_EXEC_UPDATE_SUCCESS else {
                layout.executable.release()
                return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE
            }
            patch = executable.replace(part, graph: place.graph, from: start, difference.patch)
            found = executable
            return CUDA_SUCCESS
        }
        guard status == CUDA_SUCCESS, let found else { return status }
        return send(patch, found)
    }

    /// The corresponding C function is `cuGraphNodeSetEnabled`.
    public static func graphNodeSetEnabled(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ isEnabled: UInt32
    ) -> CUresult {
        change(handle, node) { node, _ in
            switch node.work {
            case .kernel, .copy, .fill: break
            default: return CUDA_ERROR_INVALID_VALUE
            }
            node.plan.isEnabled = isEnabled != 0
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphNodeGetEnabled`.
    public static func graphNodeGetEnabled(
        _ handle: CUgraphExec?, _ node: CUgraphNode?, _ isEnabled: UnsafeMutablePointer<UInt32>?
    ) -> CUresult {
        guard let isEnabled else { return CUDA_ERROR_INVALID_VALUE }
        return withExecutable(handle) { executable in
            guard let node = Graphs.node(node), let place = executable.find(node.serial) else {
                return CUDA_ERROR_INVALID_VALUE
            }
            isEnabled.pointee = executable.graphs[place.graph][place.index].plan.isEnabled ? 1 : 0
            return CUDA_SUCCESS
        }
    }
}

extension Graph {
    /// The node with a serial, in this graph or one in it.
    func node(withSerial serial: UInt64) -> GraphNode? {
        for node in nodes {
            if node.serial == serial { return node }
            switch node.work {
            case .child(let child): if let found = child.node(withSerial: serial) { return found }
            case .conditional(let work):
                for body in work.bodies { if let found = body.node(withSerial: serial) { return found } }
            default: break
            }
        }
        return nil
    }
}

extension GraphExecutable {
    /// A run of nodes as a graph of their own, for a comparison.
    convenience init(part whole: GraphExecutable, graph: Int, _ range: Range<Int>) {
        self.init(context: whole.context)
        var nodes: [ExecutableNode] = []
        for index in range {
            var node = whole.graphs[graph][index]
            node.plan.dependencies = node.plan.dependencies.compactMap {
                Int($0) >= range.lowerBound ? $0 &- UInt32(truncatingIfNeeded: range.lowerBound) : nil
            }
            nodes.append(node)
        }
        graphs = [nodes]
    }

    /// Takes a changed part over; the patch, in terms of the whole.
    func replace(_ part: GraphExecutable, graph: Int, from start: Int, _ patch: GraphPatch) -> GraphPatch {
        for (offset, node) in (part.graphs.first ?? []).enumerated() {
            let dependencies = graphs[graph][start &+ offset].plan.dependencies
            graphs[graph][start &+ offset] = node
            graphs[graph][start &+ offset].plan.dependencies = dependencies
        }
        var moved = patch
        for index in moved.entries.indices {
            moved.entries[index].graph = UInt32(truncatingIfNeeded: graph)
            moved.entries[index].index &+= UInt32(truncatingIfNeeded: start)
        }
        return moved
    }
}
