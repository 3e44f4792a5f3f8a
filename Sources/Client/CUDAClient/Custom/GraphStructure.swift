public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

extension CUDADriver {
    /// Runs `body` under the lock of graphs.
    @discardableResult
    static func withGraphs(_ body: () -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        Graphs.lock.acquire()
        defer { Graphs.lock.release() }
        return body()
    }

    /// Runs `body` with a graph.
    static func withGraph(_ handle: CUgraph?, _ body: (Graph) -> CUresult) -> CUresult {
        withGraphs {
            guard let graph = Graphs.graph(handle) else { return CUDA_ERROR_INVALID_VALUE }
            return body(graph)
        }
    }

    /// Runs `body` with a node of a graph.
    static func withNode(_ handle: CUgraphNode?, _ body: (GraphNode) -> CUresult) -> CUresult {
        withGraphs {
            guard let node = Graphs.node(handle) else { return CUDA_ERROR_INVALID_VALUE }
            return body(node)
        }
    }

    // MARK: - Graphs

    /// The corresponding C function is `cuGraphCreate`.
    public static func graphCreate(_ result: UnsafeMutablePointer<CUgraph?>?, _ flags: UInt32) -> CUresult {
        guard let result, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return withGraphs {
            guard let graph = Graphs.make() else { return CUDA_ERROR_OUT_OF_MEMORY }
            result.pointee = graph.handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphDestroy`.
    public static func graphDestroy(_ handle: CUgraph?) -> CUresult {
        withGraph(handle) { graph in
            guard graph.owner == nil, !Captures.isTarget(graph) else { return CUDA_ERROR_INVALID_VALUE }
            Graphs.destroy(graph)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphClone`.
    public static func graphClone(_ result: UnsafeMutablePointer<CUgraph?>?, _ handle: CUgraph?) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withGraph(handle) { graph in
            guard !graph.hasMemoryNodes else { return CUDA_ERROR_NOT_SUPPORTED }
            guard let copy = Graphs.clone(graph) else { return CUDA_ERROR_OUT_OF_MEMORY }
            result.pointee = copy.handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphNodeFindInClone`.
    public static func graphNodeFindInClone(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ original: CUgraphNode?, _ clone: CUgraph?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withGraph(clone) { graph in
            guard let original = Graphs.node(original) else { return CUDA_ERROR_INVALID_VALUE }
            for node in graph.nodes where node.origin == original.serial {
                result.pointee = node.handle
                return CUDA_SUCCESS
            }
            return CUDA_ERROR_INVALID_VALUE
        }
    }

    /// The corresponding C function is `cuGraphGetId`.
    public static func graphGetId(_ handle: CUgraph?, _ id: UnsafeMutablePointer<UInt32>?) -> CUresult {
        guard let id else { return CUDA_ERROR_INVALID_VALUE }
        return withGraph(handle) { graph in
            id.pointee = graph.serial
            return CUDA_SUCCESS
        }
    }

    // MARK: - Nodes

    /// The corresponding C function is `cuGraphNodeGetType`.
    public static func graphNodeGetType(
        _ handle: CUgraphNode?, _ type: UnsafeMutablePointer<CUgraphNodeType>?
    ) -> CUresult {
        guard let type else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(handle) { node in
            type.pointee = node.work.type
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphNodeGetContainingGraph`.
    public static func graphNodeGetContainingGraph(
        _ handle: CUgraphNode?, _ graph: UnsafeMutablePointer<CUgraph?>?
    ) -> CUresult {
        guard let graph else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(handle) { node in
            graph.pointee = node.graph?.handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphNodeGetLocalId`.
    public static func graphNodeGetLocalId(_ handle: CUgraphNode?, _ id: UnsafeMutablePointer<UInt32>?) -> CUresult {
        guard let id else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(handle) { node in
            let index = node.graph?.nodes.firstIndex { $0 === node } ?? 0
            id.pointee = UInt32(truncatingIfNeeded: index)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphNodeGetToolsId`.
    public static func graphNodeGetToolsId(_ handle: CUgraphNode?, _ id: UnsafeMutablePointer<UInt64>?) -> CUresult {
        guard let id else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(handle) { node in
            id.pointee = node.serial
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphDestroyNode`.
    public static func graphDestroyNode(_ handle: CUgraphNode?) -> CUresult {
        withNode(handle) { node in
            guard let graph = node.graph, !graph.hasMemoryNodes else { return CUDA_ERROR_NOT_SUPPORTED }
            guard !Captures.isTarget(graph) else { return CUDA_ERROR_INVALID_VALUE }
            graph.remove(node)
            Graphs.end(node)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphGetNodes`.
    public static func graphGetNodes(
        _ handle: CUgraph?, _ nodes: UnsafeMutablePointer<CUgraphNode?>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        withGraph(handle) { list($0.nodes.map { GraphEdge(from: $0) }, nodes, nil, count) }
    }

    /// The corresponding C function is `cuGraphGetRootNodes`.
    public static func graphGetRootNodes(
        _ handle: CUgraph?, _ nodes: UnsafeMutablePointer<CUgraphNode?>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        withGraph(handle) { graph in
            list(graph.nodes.filter { $0.dependencies.isEmpty }.map { GraphEdge(from: $0) }, nodes, nil, count)
        }
    }

    /// Writes nodes, or only how many there are, as all such queries do.
    private static func list(
        _ edges: [GraphEdge], _ nodes: UnsafeMutablePointer<CUgraphNode?>?,
        _ data: UnsafeMutablePointer<CUgraphEdgeData>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let count else { return CUDA_ERROR_INVALID_VALUE }
        guard let nodes else {
            guard data == nil else { return CUDA_ERROR_INVALID_VALUE }
            count.pointee = edges.count
            return CUDA_SUCCESS
        }
        let capacity = max(0, count.pointee)
        for index in 0..<capacity where index >= edges.count { nodes[index] = nil }
        for index in 0..<min(capacity, edges.count) {
            guard data != nil || edges[index].data.isPlain else { return CUDA_ERROR_LOSSY_QUERY }
            nodes[index] = edges[index].from.handle
            data?[index] = edges[index].data
        }
        count.pointee = min(capacity, edges.count)
        return CUDA_SUCCESS
    }

    // MARK: - Edges

    /// The corresponding C function is `cuGraphGetEdges`.
    public static func graphGetEdges(
        _ handle: CUgraph?, _ from: UnsafeMutablePointer<CUgraphNode?>?, _ to: UnsafeMutablePointer<CUgraphNode?>?,
        _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        graphGetEdgesV2(handle, from, to, nil, count)
    }

    /// The corresponding C function is `cuGraphGetEdges_v2`.
    public static func graphGetEdgesV2(
        _ handle: CUgraph?, _ from: UnsafeMutablePointer<CUgraphNode?>?, _ to: UnsafeMutablePointer<CUgraphNode?>?,
        _ data: UnsafeMutablePointer<CUgraphEdgeData>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        guard let count, (from == nil) == (to == nil) else { return CUDA_ERROR_INVALID_VALUE }
        return withGraph(handle) { graph in
            let capacity = from == nil ? 0 : max(0, count.pointee)
            var index = 0
            for node in graph.nodes {
                for edge in node.dependencies where index < capacity {
                    guard data != nil || edge.data.isPlain else { return CUDA_ERROR_LOSSY_QUERY }
                    from?[index] = edge.from.handle
                    to?[index] = node.handle
                    data?[index] = edge.data
                    index &+= 1
                }
            }
            let all = graph.nodes.reduce(0) { $0 &+ $1.dependencies.count }
            for rest in index..<max(index, capacity) {
                from?[rest] = nil
                to?[rest] = nil
            }
            count.pointee = from == nil ? all : index
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphNodeGetDependencies`.
    public static func graphNodeGetDependencies(
        _ handle: CUgraphNode?, _ nodes: UnsafeMutablePointer<CUgraphNode?>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        graphNodeGetDependenciesV2(handle, nodes, nil, count)
    }

    /// The corresponding C function is `cuGraphNodeGetDependencies_v2`.
    public static func graphNodeGetDependenciesV2(
        _ handle: CUgraphNode?, _ nodes: UnsafeMutablePointer<CUgraphNode?>?,
        _ data: UnsafeMutablePointer<CUgraphEdgeData>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        withNode(handle) { list($0.dependencies, nodes, data, count) }
    }

    /// The corresponding C function is `cuGraphNodeGetDependentNodes`.
    public static func graphNodeGetDependentNodes(
        _ handle: CUgraphNode?, _ nodes: UnsafeMutablePointer<CUgraphNode?>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        graphNodeGetDependentNodesV2(handle, nodes, nil, count)
    }

    /// The corresponding C function is `cuGraphNodeGetDependentNodes_v2`.
    public static func graphNodeGetDependentNodesV2(
        _ handle: CUgraphNode?, _ nodes: UnsafeMutablePointer<CUgraphNode?>?,
        _ data: UnsafeMutablePointer<CUgraphEdgeData>?, _ count: UnsafeMutablePointer<Int>?
    ) -> CUresult {
        withNode(handle) { node in
            let edges = node.dependents.map { dependent -> GraphEdge in
                let edge = dependent.dependencies.first { $0.from === node }
                return GraphEdge(from: dependent, data: edge?.data ?? CUgraphEdgeData())
            }
            return list(edges, nodes, data, count)
        }
    }

    /// The corresponding C function is `cuGraphAddDependencies`.
    public static func graphAddDependencies(
        _ handle: CUgraph?, _ from: UnsafePointer<CUgraphNode?>?, _ to: UnsafePointer<CUgraphNode?>?, _ count: Int
    ) -> CUresult {
        graphAddDependenciesV2(handle, from, to, nil, count)
    }

    /// The corresponding C function is `cuGraphAddDependencies_v2`.
    public static func graphAddDependenciesV2(
        _ handle: CUgraph?, _ from: UnsafePointer<CUgraphNode?>?, _ to: UnsafePointer<CUgraphNode?>?,
        _ data: UnsafePointer<CUgraphEdgeData>?, _ count: Int
    ) -> CUresult {
        eachEdge(handle, from, to, count) { graph, from, to, index in
            graph.addEdge(GraphEdge(from: from, data: data?[index] ?? CUgraphEdgeData()), to: to)
        }
    }

    /// The corresponding C function is `cuGraphRemoveDependencies`.
    public static func graphRemoveDependencies(
        _ handle: CUgraph?, _ from: UnsafePointer<CUgraphNode?>?, _ to: UnsafePointer<CUgraphNode?>?, _ count: Int
    ) -> CUresult {
        graphRemoveDependenciesV2(handle, from, to, nil, count)
    }

    /// The corresponding C function is `cuGraphRemoveDependencies_v2`.
    public static func graphRemoveDependenciesV2(
        _ handle: CUgraph?, _ from: UnsafePointer<CUgraphNode?>?, _ to: UnsafePointer<CUgraphNode?>?,
        _ data: UnsafePointer<CUgraphEdgeData>?, _ count: Int
    ) -> CUresult {
        eachEdge(handle, from, to, count) { graph, from, to, _ in
            guard !graph.hasMemoryNodes else { return false }
            return graph.removeEdge(from: from, to: to)
        }
    }

    private static func eachEdge(
        _ handle: CUgraph?, _ from: UnsafePointer<CUgraphNode?>?, _ to: UnsafePointer<CUgraphNode?>?, _ count: Int,
        _ body: (Graph, GraphNode, GraphNode, Int) -> Bool
    ) -> CUresult {
        withGraph(handle) { graph in
            guard count != 0 else { return CUDA_SUCCESS }
            guard count > 0, let from, let to else { return CUDA_ERROR_INVALID_VALUE }
            for index in 0..<count {
                guard let first = Graphs.node(from[index]), let second = Graphs.node(to[index]),
                    first.graph === graph, second.graph === graph, body(graph, first, second, index)
                else { return CUDA_ERROR_INVALID_VALUE }
            }
            return CUDA_SUCCESS
        }
    }
}

extension CUgraphEdgeData {
    /// Whether it says no more than that the edge exists.
    var isPlain: Bool { from_port == 0 && to_port == 0 && type == 0 }
}

extension Graph {
    /// Whether a node allocates or frees; such a graph can't be copied or made smaller.
    var hasMemoryNodes: Bool {
        for node in nodes {
            switch node.work {
            case .allocation, .release: return true
            default: break
            }
        }
        return false
    }
}
