internal import CCUDA
internal import CUDABinding

extension Suite {
    static let graphCases: [ConformanceCase] = [
        ConformanceCase("graph.explicit", "nodes added by hand run after what they depend on") { trial in
            let builder = try GraphBuilder(trial)
            let address = try trial.allocate(4000)
            let fill = try builder.fill(address, value: 2, count: 1000, after: [])
            let first = try builder.affine(address, count: 1000, factor: 3, summand: 1, after: [fill])
            let second = try builder.affine(address, count: 1000, factor: 5, summand: 2, after: [first])
            let copy = try trial.allocate(4000)
            _ = try builder.copy(to: copy, from: address, byteCount: 4000, after: [second])
            let graph = try builder.instantiate()
            try requireEqual(try graph.nodeCount(), 4)
            for _ in 0..<2 { try graph.launch(nil) }
            let found = try trial.download(copy, 1000)
            try requireEqual(found, [UInt32](repeating: 37, count: 1000))
            trial.record(found)
            try graph.destroy()
        },
        ConformanceCase("graph.structure", "nodes, kinds, edges and roots can be asked") { trial in
            let cuda = trial.cuda
            let builder = try GraphBuilder(trial)
            let address = try trial.allocate(4000)
            let fill = try builder.fill(address, value: 2, count: 1000, after: [])
            let first = try builder.affine(address, count: 1000, factor: 3, summand: 1, after: [fill])
            _ = try builder.affine(address, count: 1000, factor: 3, summand: 1, after: [fill, first])
            var count = 0
            try cuda.cuGraphGetEdges(builder.graph, nil, nil, &count)
            try requireEqual(count, 3)
            try cuda.cuGraphGetRootNodes(builder.graph, nil, &count)
            try requireEqual(count, 1)
            var roots: [CUgraphNode?] = [nil]
            try cuda.cuGraphGetRootNodes(builder.graph, &roots, &count)
            try requireEqual(roots, [fill])
            var kind = CU_GRAPH_NODE_TYPE_EMPTY
            try cuda.cuGraphNodeGetType(first, &kind)
            try require(kind == CU_GRAPH_NODE_TYPE_KERNEL)
            try cuda.cuGraphNodeGetType(fill, &kind)
            try require(kind == CU_GRAPH_NODE_TYPE_MEMSET)
            try cuda.cuGraphDestroy(builder.graph)
        },
        ConformanceCase("graph.set-parameters", "a node of a ready graph gets other parameters") { trial in
            let cuda = trial.cuda
            let builder = try GraphBuilder(trial)
            let address = try trial.upload([UInt32(1)])
            let node = try builder.affine(address, count: 1, factor: 3, summand: 1, after: [])
            let graph = try builder.instantiate()
            try graph.launch(nil)
            try requireEqual(try trial.download(address, 1), [4])
            let values = LaunchArguments([.address(address), .word(1), .word(10), .word(2)])
            var parameters = try builder.affineParameters(values)
            try cuda.cuGraphExecKernelNodeSetParams_v2(graph.executable, node, &parameters)
            try graph.launch(nil)
            let found = try trial.download(address, 1)
            try requireEqual(found, [42])
            trial.record(found)
            try graph.destroy()
        },
        ConformanceCase("graph.update", "a ready graph takes over another graph's parameters") { trial in
            let cuda = trial.cuda
            let address = try trial.upload([UInt32(1)])
            let first = try GraphBuilder(trial)
            _ = try first.affine(address, count: 1, factor: 3, summand: 1, after: [])
            let graph = try first.instantiate()
            let second = try GraphBuilder(trial)
            _ = try second.affine(address, count: 1, factor: 7, summand: 0, after: [])
            var outcome = CUgraphExecUpdateResultInfo()
            try cuda.cuGraphExecUpdate_v2(graph.executable, second.graph, &outcome)
            try require(outcome.result == CU_GRAPH_EXEC_UPDATE_SUCCESS)
            try graph.launch(nil)
            try requireEqual(try trial.download(address, 1), [7])
            let third = try GraphBuilder(trial)
            let node = try third.affine(address, count: 1, factor: 7, summand: 0, after: [])
            _ = try third.affine(address, count: 1, factor: 7, summand: 0, after: [node])
            try expect(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE) {
                try cuda.cuGraphExecUpdate_v2(graph.executable, third.graph, &outcome)
            }
            try require(outcome.result == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED)
            for builder in [second, third] { try cuda.cuGraphDestroy(builder.graph) }
            try graph.destroy()
        },
        ConformanceCase("graph.child", "a graph inside a graph") { trial in
            let cuda = trial.cuda
            let address = try trial.upload([UInt32(1)])
            let child = try GraphBuilder(trial)
            let node = try child.affine(address, count: 1, factor: 2, summand: 1, after: [])
            _ = try child.affine(address, count: 1, factor: 2, summand: 1, after: [node])
            let parent = try GraphBuilder(trial)
            let before = try parent.affine(address, count: 1, factor: 10, summand: 0, after: [])
            var inner: CUgraphNode?
            var dependency: CUgraphNode? = before
            try cuda.cuGraphAddChildGraphNode(&inner, parent.graph, &dependency, 1, child.graph)
            _ = try parent.affine(address, count: 1, factor: 100, summand: 0, after: [try some(inner)])
            let graph = try parent.instantiate()
            try graph.launch(nil)
            let found = try trial.download(address, 1)
            try requireEqual(found, [4300])
            trial.record(found)
            try graph.destroy()
            try cuda.cuGraphDestroy(child.graph)
        },
        ConformanceCase("graph.host-node", "a host node runs between kernels") { trial in
            let cuda = trial.cuda
            let log = HostLog()
            let address = try trial.upload([UInt32(1)])
            let builder = try GraphBuilder(trial)
            var before: CUgraphNode? = try builder.affine(address, count: 1, factor: 2, summand: 1, after: [])
            var parameters = CUDA_HOST_NODE_PARAMS(fn: HostLog.append, userData: log.pointer)
            var node: CUgraphNode?
            try cuda.cuGraphAddHostNode(&node, builder.graph, &before, 1, &parameters)
            _ = try builder.affine(address, count: 1, factor: 2, summand: 1, after: [try some(node)])
            let graph = try builder.instantiate()
            for _ in 0..<3 { try graph.launch(nil) }
            try requireEqual(try trial.download(address, 1), [127])
            try requireEqual(log.count, 3)
            try graph.destroy()
        },
        ConformanceCase("graph.events", "event nodes record and wait") { trial in
            let cuda = trial.cuda
            var event: CUevent?
            try cuda.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING.rawValue)
            let address = try trial.upload([UInt32(1)])
            let builder = try GraphBuilder(trial)
            var before: CUgraphNode? = try builder.affine(address, count: 1, factor: 2, summand: 1, after: [])
            var node: CUgraphNode?
            try cuda.cuGraphAddEventRecordNode(&node, builder.graph, &before, 1, event)
            let graph = try builder.instantiate()
            try graph.launch(nil)
            try cuda.cuEventSynchronize(event)
            try requireEqual(try trial.download(address, 1), [3])
            try graph.destroy()
            try cuda.cuEventDestroy_v2(event)
        },
        ConformanceCase("graph.clone", "a clone is a graph of its own") { trial in
            let cuda = trial.cuda
            let address = try trial.upload([UInt32(1)])
            let builder = try GraphBuilder(trial)
            _ = try builder.affine(address, count: 1, factor: 6, summand: 1, after: [])
            var clone: CUgraph?
            try cuda.cuGraphClone(&clone, builder.graph)
            try cuda.cuGraphDestroy(builder.graph)
            let graph = try ReadyGraph(cuda, try some(clone))
            try cuda.cuGraphUpload(graph.executable, nil)
            try graph.launch(nil)
            try requireEqual(try trial.download(address, 1), [7])
            try graph.destroy()
        },
        ConformanceCase("graph.disabled-node", "a node can be switched off in a ready graph") { trial in
            let cuda = trial.cuda
            let address = try trial.upload([UInt32(1)])
            let builder = try GraphBuilder(trial)
            let first = try builder.affine(address, count: 1, factor: 2, summand: 0, after: [])
            _ = try builder.affine(address, count: 1, factor: 1, summand: 5, after: [first])
            let graph = try builder.instantiate()
            try cuda.cuGraphNodeSetEnabled(graph.executable, first, 0)
            try graph.launch(nil)
            try requireEqual(try trial.download(address, 1), [6])
            try cuda.cuGraphNodeSetEnabled(graph.executable, first, 1)
            try graph.launch(nil)
            try requireEqual(try trial.download(address, 1), [17])
            try graph.destroy()
        },
        ConformanceCase("graph.memory-nodes", "memory of a graph's own") { trial in
            let cuda = trial.cuda
            let out = try trial.allocate(4)
            let builder = try GraphBuilder(trial)
            var parameters = CUDA_MEM_ALLOC_NODE_PARAMS()
            parameters.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED
            parameters.poolProps.location.type = CU_MEM_LOCATION_TYPE_DEVICE
            parameters.poolProps.location.id = trial.device
            parameters.bytesize = 4096
            var node: CUgraphNode?
            try cuda.cuGraphAddMemAllocNode(&node, builder.graph, nil, 0, &parameters)
            let fill = try builder.fill(parameters.dptr, value: 20, count: 1024, after: [try some(node)])
            let change = try builder.affine(parameters.dptr, count: 1, factor: 2, summand: 2, after: [fill])
            var copy: CUgraphNode? = try builder.copy(to: out, from: parameters.dptr, byteCount: 4, after: [change])
            try cuda.cuGraphAddMemFreeNode(&node, builder.graph, &copy, 1, parameters.dptr)
            let graph = try builder.instantiate()
            for _ in 0..<3 { try graph.launch(nil) }
            try requireEqual(try trial.download(out, 1), [42])
            try graph.destroy()
        },
        ConformanceCase("graph.conditional", "a body that runs only when its value is not 0") { trial in
            for value: UInt32 in [0, 1] { try conditional(trial, value) }
        },
    ]

    private static func conditional(_ trial: Trial, _ value: UInt32) throws {
        let cuda = trial.cuda
        let address = try trial.upload([UInt32(1)])
        let builder = try GraphBuilder(trial)
        var handle: CUgraphConditionalHandle = 0
        let assign = UInt32(CU_GRAPH_COND_ASSIGN_DEFAULT)
        try cuda.cuGraphConditionalHandleCreate(&handle, builder.graph, trial.context, value, assign)
        var parameters = CUgraphNodeParams()
        parameters.type = CU_GRAPH_NODE_TYPE_CONDITIONAL
        parameters.conditional.handle = handle
        parameters.conditional.type = CU_GRAPH_COND_TYPE_IF
        parameters.conditional.size = 1
        parameters.conditional.ctx = trial.context
        var node: CUgraphNode?
        try cuda.cuGraphAddNode_v2(&node, builder.graph, nil, nil, 0, &parameters)
        let body = try some(try some(parameters.conditional.phGraph_out)[0])
        let inner = try GraphBuilder(trial, graph: body)
        _ = try inner.affine(address, count: 1, factor: 1, summand: 41, after: [])
        let graph = try builder.instantiate()
        try graph.launch(nil)
        let found = try trial.download(address, 1)
        try requireEqual(found, [value == 0 ? 1 : 42])
        trial.record(found)
        try graph.destroy()
    }
}

/// Adds nodes to a graph.
final class GraphBuilder {
    private let trial: Trial
    let graph: CUgraph

    init(_ trial: Trial) throws {
        self.trial = trial
        var graph: CUgraph?
        try trial.cuda.cuGraphCreate(&graph, 0)
        self.graph = try some(graph)
    }

    /// Adds to a graph that is there.
    init(_ trial: Trial, graph: CUgraph) throws {
        self.trial = trial
        self.graph = graph
    }

    func affineParameters(_ values: LaunchArguments) throws -> CUDA_KERNEL_NODE_PARAMS {
        var parameters = CUDA_KERNEL_NODE_PARAMS()
        parameters.func = try trial.kernel("affine")
        (parameters.gridDimX, parameters.gridDimY, parameters.gridDimZ) = (8, 1, 1)
        (parameters.blockDimX, parameters.blockDimY, parameters.blockDimZ) = (128, 1, 1)
        parameters.kernelParams = values.pointers
        return parameters
    }

    func affine(
        _ address: CUdeviceptr, count: UInt32, factor: UInt32, summand: UInt32, after: [CUgraphNode]
    ) throws -> CUgraphNode {
        let values = LaunchArguments([.address(address), .word(count), .word(factor), .word(summand)])
        var parameters = try affineParameters(values)
        var node: CUgraphNode?
        try trial.cuda.cuGraphAddKernelNode_v2(&node, graph, after.map { $0 }, after.count, &parameters)
        return try some(node)
    }

    func fill(_ address: CUdeviceptr, value: UInt32, count: Int, after: [CUgraphNode]) throws -> CUgraphNode {
        var parameters = CUDA_MEMSET_NODE_PARAMS()
        parameters.dst = address
        parameters.value = value
        parameters.elementSize = 4
        parameters.width = count
        parameters.height = 1
        var node: CUgraphNode?
        try trial.cuda.cuGraphAddMemsetNode(
            &node, graph, after.map { $0 }, after.count, &parameters, trial.context)
        return try some(node)
    }

    func copy(to: CUdeviceptr, from: CUdeviceptr, byteCount: Int, after: [CUgraphNode]) throws -> CUgraphNode {
        var copy = CUDA_MEMCPY3D()
        copy.srcMemoryType = CU_MEMORYTYPE_DEVICE
        copy.srcDevice = from
        copy.dstMemoryType = CU_MEMORYTYPE_DEVICE
        copy.dstDevice = to
        copy.WidthInBytes = byteCount
        copy.Height = 1
        copy.Depth = 1
        var node: CUgraphNode?
        try trial.cuda.cuGraphAddMemcpyNode(&node, graph, after.map { $0 }, after.count, &copy, trial.context)
        return try some(node)
    }

    func instantiate() throws -> ReadyGraph {
        try ReadyGraph(trial.cuda, graph)
    }
}
