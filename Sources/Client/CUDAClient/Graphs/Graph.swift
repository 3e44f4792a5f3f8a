internal import CCUDA

/// What a node waits for.
struct GraphEdge {
    let from: GraphNode
    var data = CUgraphEdgeData()
}

/// A piece of work in a graph, and what it waits for.
final class GraphNode {
    /// Never the same for two nodes of a process.
    let serial: UInt64
    /// The serial of the node that this one is a copy of; 0 if of none.
    let origin: UInt64
    var work: GraphWork
    /// Nil once the node was removed.
    fileprivate(set) var graph: Graph?
    var handle: OpaquePointer?
    fileprivate(set) var dependencies: [GraphEdge] = []
    fileprivate(set) var dependents: [GraphNode] = []
    /// The launch attributes that the program set.
    var attributes: [CUlaunchAttribute] = []
    /// For the walk that is under way.
    fileprivate var mark = 0

    // SAFETY: counted under `Graphs.lock`, as everything about graphs.
    nonisolated(unsafe) private static var lastSerial: UInt64 = 0

    fileprivate init(_ work: GraphWork, origin: UInt64) {
        GraphNode.lastSerial &+= 1
        serial = GraphNode.lastSerial
        self.work = work
        self.origin = origin
    }

    /// The index in the newest ``Graph/ordered()``.
    var position: Int { mark }
}

/// Nodes and edges, as a program builds them. It knows no driver: what nodes do is for others.
final class Graph {
    var handle: OpaquePointer?
    let serial: UInt32
    /// In the order of their creation.
    private(set) var nodes: [GraphNode] = []
    /// The node whose child or body this graph is.
    var owner: GraphNode?
    var userObjects: [UserObjectReference] = []
    var conditionals: [ConditionalHandle] = []
    /// Whether the program made it and then gave it to a node.
    var isMoved = false
    /// How many executable graphs of it exist.
    var executableCount = 0

    // SAFETY: counted under `Graphs.lock`.
    nonisolated(unsafe) private static var lastSerial: UInt32 = 0

    init() {
        Graph.lastSerial &+= 1
        serial = Graph.lastSerial
    }

    /// Appends a node. The dependencies must be nodes of this graph.
    func add(_ work: GraphWork, after dependencies: [GraphEdge] = [], origin: UInt64 = 0) -> GraphNode {
        let node = GraphNode(work, origin: origin)
        node.graph = self
        nodes.append(node)
        for edge in dependencies { connect(edge, to: node) }
        return node
    }

    private func connect(_ edge: GraphEdge, to node: GraphNode) {
        node.dependencies.append(edge)
        edge.from.dependents.append(node)
    }

    /// Whether an edge exists.
    func hasEdge(from: GraphNode, to: GraphNode) -> Bool { to.dependencies.contains { $0.from === from } }

    /// Adds an edge. False when it exists, or when it would lead a node to itself.
    func addEdge(_ edge: GraphEdge, to node: GraphNode) -> Bool {
        guard edge.from !== node, edge.from.graph === self, node.graph === self, !hasEdge(from: edge.from, to: node)
        else { return false }
        connect(edge, to: node)
        return true
    }

    /// Removes an edge; false when there is none.
    func removeEdge(from: GraphNode, to: GraphNode) -> Bool {
        guard let index = to.dependencies.firstIndex(where: { $0.from === from }) else { return false }
        to.dependencies.remove(at: index)
        if let index = from.dependents.firstIndex(where: { $0 === to }) { from.dependents.remove(at: index) }
        return true
    }

    /// Removes a node and its edges.
    func remove(_ node: GraphNode) {
        for edge in node.dependencies { edge.from.dependents.removeAll { $0 === node } }
        for dependent in node.dependents { dependent.dependencies.removeAll { $0.from === node } }
        node.dependencies = []
        node.dependents = []
        node.graph = nil
        nodes.removeAll { $0 === node }
    }

    /// Takes all nodes out, and with them the cycles of references.
    func removeAll() -> [GraphNode] {
        let old = nodes
        nodes = []
        for node in old {
            node.dependencies = []
            node.dependents = []
            node.graph = nil
        }
        owner = nil
        return old
    }

    /// The nodes so that each comes after what it waits for; nil when they wait in a circle.
    func ordered() -> [GraphNode]? {
        for node in nodes { node.mark = node.dependencies.count }
        var order: [GraphNode] = []
        order.reserveCapacity(nodes.count)
        for node in nodes where node.mark == 0 { order.append(node) }
        var next = 0
        while next < order.count {
            for dependent in order[next].dependents {
                dependent.mark &-= 1
                if dependent.mark == 0 { order.append(dependent) }
            }
            next &+= 1
        }
        guard order.count == nodes.count else { return nil }
        for (index, node) in order.enumerated() { node.mark = index }
        return order
    }

    /// Whether every node of `nodes` comes before, or is, one of `ends`.
    func allReach(_ nodes: [GraphEdge], _ ends: [GraphEdge]) -> Bool {
        for node in self.nodes { node.mark = 0 }
        var open: [GraphNode] = []
        for end in ends where end.from.mark == 0 {
            end.from.mark = 1
            open.append(end.from)
        }
        while let node = open.popLast() {
            for edge in node.dependencies where edge.from.mark == 0 {
                edge.from.mark = 1
                open.append(edge.from)
            }
        }
        for node in nodes where node.from.mark == 0 { return false }
        return true
    }

    /// Copies nodes and edges into an empty graph; `copyWork` copies what nodes own.
    func copy(into copy: Graph, _ copyWork: (GraphWork) -> GraphWork) {
        for (index, node) in nodes.enumerated() { node.mark = index }
        for node in nodes {
            let made = copy.add(copyWork(node.work), origin: node.serial)
            made.attributes = node.attributes
        }
        for (index, node) in nodes.enumerated() {
            for edge in node.dependencies {
                copy.connect(GraphEdge(from: copy.nodes[edge.from.mark], data: edge.data), to: copy.nodes[index])
            }
        }
    }
}
