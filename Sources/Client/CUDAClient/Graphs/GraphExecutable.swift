internal import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// A node of an executable graph: what it does, and how that travels.
struct ExecutableNode {
    /// The node that it was made of; several have the same serial where a graph contains a graph.
    let serial: UInt64
    var work: GraphWork
    var attributes: [CUlaunchAttribute]
    var plan: GraphPlanNode
    /// What the worker asks of the client for it.
    var hostCall: HostCall?
    /// Calls of earlier launches, until the graph ends.
    var retiredCalls: [HostCall] = []
    /// For the end of a child graph, the index of its first node.
    var childStart = 0
}

/// A `CUgraphExec`.
final class GraphExecutable {
    /// Graph 0 and the bodies of conditional nodes; children are laid out in their parents.
    var graphs: [[ExecutableNode]] = []
    var defaults: [ConditionalHandle] = []
    var handle: OpaquePointer?
    /// On the wire.
    var id: UInt64 = 0
    var flags: UInt64 = 0
    let serial: UInt32
    let context: UnsafeMutablePointer<ContextState>
    var userObjects: [UserObjectReference] = []
    /// Addresses that the graph allocates and frees.
    var allocates: [UInt64] = []
    var frees: [UInt64] = []
    /// The graph that it was made of, while that exists.
    var source: Graph?
    /// The stream of the newest launch; nil before the first.
    var lastStream: UInt64?
    /// Whether a host call is on its way that releases it.
    var isEnding = false

    // SAFETY: counted under `Graphs.lock`.
    nonisolated(unsafe) private static var lastSerial: UInt32 = 0

    init(context: UnsafeMutablePointer<ContextState>) {
        GraphExecutable.lastSerial &+= 1
        serial = GraphExecutable.lastSerial
        self.context = context
    }

    var hasHostCalls: Bool {
        for nodes in graphs { for node in nodes where node.hostCall != nil { return true } }
        return false
    }

    /// The plan that a worker gets.
    var plan: GraphPlan {
        var plan = GraphPlan()
        plan.graphs = graphs.map { nodes in nodes.map { $0.plan } }
        plan.defaults = defaults.map { GraphPlanDefault(address: $0.address, value: $0.defaultValue) }
        return plan
    }

    /// Where the node with a serial is.
    func find(_ serial: UInt64) -> (graph: Int, index: Int)? {
        for (graph, nodes) in graphs.enumerated() {
            // The end of a child graph comes after its nodes and is what the child's node stands for.
            for (index, node) in nodes.enumerated() where node.serial == serial { return (graph, index) }
        }
        return nil
    }

    /// Gives up the memory of allocation nodes, in the order of the context's work.
    func releaseMemory() {
        for graph in graphs.indices {
            for index in graphs[graph].indices {
                if case .allocation = graphs[graph][index].work { graphs[graph][index].work = .empty }
            }
        }
    }

    /// Forgets what was kept for launches: nothing will launch the graph any more.
    func release() {
        for nodes in graphs {
            for node in nodes {
                if let call = node.hostCall { HostCalls.remove(call) }
                for call in node.retiredCalls { HostCalls.remove(call) }
            }
        }
        graphs = []
        defaults = []
        let objects = userObjects
        userObjects = []
        for object in objects { object.release() }
    }
}

/// Why a graph can't be made executable.
struct GraphFailure {
    var status: CUresult
    var result: CUgraphInstantiateResult
    var node: GraphNode?
}

/// Lays a graph out: children in their parents' place, bodies of conditional nodes as graphs of their own.
struct GraphLayout {
    let executable: GraphExecutable
    private(set) var failure: GraphFailure?

    init(_ graph: Graph, context: UnsafeMutablePointer<ContextState>) {
        executable = GraphExecutable(context: context)
        executable.graphs.append([])
        _ = lay(graph, into: 0, after: [])
        noteHandles(of: graph)
    }

    private mutating func fail(
        _ status: CUresult, _ result: CUgraphInstantiateResult, _ node: GraphNode? = nil
    ) {
        if failure == nil { failure = GraphFailure(status: status, result: result, node: node) }
    }

    /// Appends a graph's nodes; the indices of those that nothing follows.
    private mutating func lay(_ graph: Graph, into index: Int, after before: [UInt32]) -> [UInt32] {
        guard let order = graph.ordered() else {
            fail(CUDA_ERROR_INVALID_VALUE, CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE)
            return before
        }
        var places = [UInt32](repeating: 0, count: order.count)
        var leaves: [UInt32] = []
        for node in order where failure == nil {
            var dependencies = node.dependencies.isEmpty ? before : []
            for edge in node.dependencies { dependencies.append(places[edge.from.position]) }
            let position = node.position
            let place = lay(node, into: index, after: dependencies)
            places[position] = place
            if node.dependents.isEmpty { leaves.append(place) }
        }
        return order.isEmpty ? before : leaves
    }

    /// Appends a node; its index.
    private mutating func lay(_ node: GraphNode, into index: Int, after dependencies: [UInt32]) -> UInt32 {
        var dependencies = dependencies
        let start = executable.graphs[index].count
        var encoded: (command: UInt16, payload: [UInt8]) = (CommandID.noop, [])
        var call: HostCall?
        switch node.work {
        case .child(let child):
            dependencies = lay(child, into: index, after: dependencies)
        case .conditional(let conditional):
            encoded = lay(conditional)
        case .allocation(let allocation): executable.allocates.append(allocation.address)
        case .release(let address): executable.frees.append(address)
        default:
            let other = node.work.context
            if let other, other.pointee.worker != executable.context.pointee.worker {
                fail(CUDA_ERROR_NOT_SUPPORTED, CUDA_GRAPH_INSTANTIATE_MULTIPLE_CTXS_NOT_SUPPORTED, node)
            }
            call = node.work.hostCall(in: executable.context)
            if let call { HostCalls.add(call) }
            encoded = node.work.encoded(token: call?.token ?? 0)
        }
        let plan = GraphPlanNode(command: encoded.command, dependencies: dependencies, payload: encoded.payload)
        executable.graphs[index].append(
            ExecutableNode(
                serial: node.serial, work: node.work, attributes: node.attributes, plan: plan, hostCall: call,
                childStart: start))
        return UInt32(truncatingIfNeeded: executable.graphs[index].count &- 1)
    }

    private mutating func lay(_ conditional: ConditionalWork) -> (command: UInt16, payload: [UInt8]) {
        let first = executable.graphs.count
        for _ in conditional.bodies { executable.graphs.append([]) }
        for (offset, body) in conditional.bodies.enumerated() { _ = lay(body, into: first &+ offset, after: []) }
        let command = GraphConditional(
            address: conditional.handle.address, kind: conditional.type.rawValue,
            firstGraph: UInt32(truncatingIfNeeded: first),
            graphCount: UInt32(truncatingIfNeeded: conditional.bodies.count))
        return (GraphConditional.id, WireBytes.of(command))
    }

    /// Every conditional handle must have a node, and its default must be set before a launch if it wants that.
    private mutating func noteHandles(of graph: Graph) {
        var used: [ConditionalHandle] = []
        for nodes in executable.graphs {
            for node in nodes { if case .conditional(let work) = node.work { used.append(work.handle) } }
        }
        for handle in used where handle.assignsDefault { executable.defaults.append(handle) }
        for handle in graph.conditionals where !used.contains(where: { $0 === handle }) {
            fail(CUDA_ERROR_INVALID_VALUE, CUDA_GRAPH_INSTANTIATE_CONDITIONAL_HANDLE_UNUSED)
        }
    }
}

extension GraphWork {
    /// The context that the work was made for, if that matters.
    var context: UnsafeMutablePointer<ContextState>? {
        switch self {
        case .kernel(let work): work.function.pointee.context
        case .copy(let work): work.context
        case .fill(let work): work.context
        case .memoryOperations(let work): work.context
        default: nil
        }
    }

    /// What the worker will ask of the client, if anything.
    func hostCall(in context: UnsafeMutablePointer<ContextState>) -> HostCall? {
        switch self {
        case .host(let work): return HostCall(.function(work), context: context)
        case .copy(let work):
            if work.destination.hostPlane == nil, work.source.hostPlane == nil { return nil }
            return HostCall(.copy(work), context: context)
        default: return nil
        }
    }

    /// The command that does it. Its stream is of no importance.
    func encoded(token: UInt64) -> (command: UInt16, payload: [UInt8]) {
        switch self {
        case .kernel(let work):
            let shape = work.shape
            let command = Launch(
                function: work.function.pointee.id, gridX: shape.gridX, gridY: shape.gridY, gridZ: shape.gridZ,
                blockX: shape.blockX, blockY: shape.blockY, blockZ: shape.blockZ,
                sharedByteCount: shape.sharedByteCount, flags: shape.isCooperative ? 1 : 0, stream: 0,
                parameters: work.parameters)
            return (Launch.id, WireBytes.of(command))
        case .copy(let work): return work.encoded(token: token)
        case .fill(let work):
            let request = work.request
            let row = UInt64(request.width) &* UInt64(request.elementSize)
            let command = Fill(
                address: request.dst, pitch: request.height <= 1 ? row : UInt64(request.pitch),
                elementByteCount: request.elementSize, value: request.value, width: UInt64(request.width),
                height: UInt64(max(1, request.height)), stream: 0)
            return (Fill.id, WireBytes.of(command))
        case .host: return (HostFunction.id, WireBytes.of(HostFunction(stream: 0, token: token)))
        case .eventRecord(let work):
            return (EventRecord.id, WireBytes.of(EventRecord(hEvent: work.id, hStream: 0)))
        case .eventWait(let work):
            return (StreamWaitEvent.id, WireBytes.of(StreamWaitEvent(hStream: 0, hEvent: work.id, Flags: 0)))
        case .memoryOperations(let work):
            return work.bytes.withUnsafeBytes { bytes in
                (StreamMemoryOperations.id, WireBytes.of(StreamMemoryOperations(stream: 0, operations: bytes)))
            }
        case .command(let work): return (work.id, work.payload)
        case .child, .empty, .allocation, .release, .conditional: return (CommandID.noop, [])
        }
    }
}
