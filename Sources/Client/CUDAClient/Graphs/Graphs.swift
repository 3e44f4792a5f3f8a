internal import CCUDA
internal import ClientRuntime
internal import Primitives

/// The handles of graphs and their nodes.
enum Graphs {
    /// Guards all graphs, executable graphs and captures; never held while waiting for a worker.
    static let lock = Lock()

    /// Makes an empty graph with a handle; nil when there are no more handles.
    static func make(owner: GraphNode? = nil) -> Graph? {
        let graph = Graph()
        graph.owner = owner
        guard let made = CUDADriver.makeHandle(.graph, context: nil, object: nil) else { return nil }
        graph.handle = made.handle
        CUDADriver.entry(made.handle, .graph)?.pointee.object = Unmanaged.passRetained(graph).toOpaque()
        return graph
    }

    /// Adds a node with a handle; nil when there are no more handles.
    static func add(_ work: GraphWork, to graph: Graph, after dependencies: [GraphEdge]) -> GraphNode? {
        guard let made = CUDADriver.makeHandle(.graphNode, context: nil, object: nil) else { return nil }
        let node = graph.add(work, after: dependencies)
        publish(node, made.handle)
        return node
    }

    private static func publish(_ node: GraphNode, _ handle: OpaquePointer) {
        node.handle = handle
        CUDADriver.entry(handle, .graphNode)?.pointee.object = Unmanaged.passRetained(node).toOpaque()
        switch node.work {
        case .child(let child): child.owner = node
        case .conditional(let conditional): for body in conditional.bodies { body.owner = node }
        default: break
        }
    }

    /// A graph with the same nodes and edges; what nodes own is copied too.
    static func clone(_ graph: Graph) -> Graph? {
        guard let copy = make() else { return nil }
        var isComplete = true
        graph.copy(into: copy) { work in
            switch work {
            case .child(let child):
                guard let copied = clone(child) else {
                    isComplete = false
                    return .empty
                }
                return .child(copied)
            case .conditional(let old):
                let bodies = old.bodies.compactMap { clone($0) }
                if bodies.count != old.bodies.count { isComplete = false }
                return .conditional(ConditionalWork(old.handle, old.type, bodies: bodies, context: old.context))
            default: return work
            }
        }
        for node in copy.nodes {
            guard let made = CUDADriver.makeHandle(.graphNode, context: nil, object: nil) else {
                isComplete = false
                break
            }
            publish(node, made.handle)
        }
        copy.conditionals = graph.conditionals
        copy.userObjects = graph.userObjects.map { $0.retained() }
        guard isComplete else {
            destroy(copy)
            return nil
        }
        return copy
    }

    /// Ends a graph, its nodes and the graphs in them.
    static func destroy(_ graph: Graph) {
        if let object = CUDADriver.endHandle(graph.handle, .graph) { Unmanaged<Graph>.fromOpaque(object).release() }
        graph.handle = nil
        for node in graph.removeAll() { end(node) }
        let objects = graph.userObjects
        graph.userObjects = []
        graph.conditionals = []
        for object in objects { object.release() }
    }

    /// Ends a node's handle and what the node owns.
    static func end(_ node: GraphNode) {
        if let object = CUDADriver.endHandle(node.handle, .graphNode) {
            Unmanaged<GraphNode>.fromOpaque(object).release()
        }
        node.handle = nil
        switch node.work {
        case .child(let child): destroy(child)
        case .conditional(let conditional): for body in conditional.bodies { destroy(body) }
        default: break
        }
        node.work = .empty
    }

    /// The graph of a handle, or nil.
    static func graph(_ handle: CUgraph?) -> Graph? { CUDADriver.object(handle, .graph, as: Graph.self) }

    /// The node of a handle, or nil.
    static func node(_ handle: CUgraphNode?) -> GraphNode? {
        CUDADriver.object(handle, .graphNode, as: GraphNode.self)
    }

    /// Nodes of `graph` as edges; nil when one is missing, foreign or there twice.
    static func edges(
        _ nodes: UnsafePointer<CUgraphNode?>?, _ data: UnsafePointer<CUgraphEdgeData>?, count: Int, in graph: Graph
    ) -> [GraphEdge]? {
        guard count >= 0 else { return nil }
        guard count > 0 else { return [] }
        guard let nodes, count <= graph.nodes.count else { return nil }
        var edges: [GraphEdge] = []
        edges.reserveCapacity(count)
        for index in 0..<count {
            guard let node = node(nodes[index]), node.graph === graph else { return nil }
            for edge in edges where edge.from === node { return nil }
            edges.append(GraphEdge(from: node, data: data?[index] ?? CUgraphEdgeData()))
        }
        return edges
    }
}

extension Graphs {
    /// Gives up what work owns that no node got.
    @discardableResult
    static func dismiss(_ work: GraphWork) -> CUresult {
        switch work {
        case .child(let child): if !child.isMoved { destroy(child) }
        case .conditional(let conditional): for body in conditional.bodies { destroy(body) }
        default: break
        }
        return CUDA_SUCCESS
    }
}
