import CCUDA
import CCUDAFunctions
import CUDABinding
import GPUBackend

extension CUDAContext {
    func makeGraphRecorder() throws(BackendError) -> any BackendGraphRecorder { try CUDAGraphRecorder(context: self) }
}

/// Captures a graph from a stream of its own; before each node it tells the driver what the next work depends on.
final class CUDAGraphRecorder: BackendGraphRecorder {
    private let context: CUDAContext
    private let recording: CUDAStream
    /// Those of the outermost graph, for bodies too.
    private let resources: CapturedResources
    /// Whether the graph belongs to a conditional node, which the driver made it for.
    private let isBody: Bool
    /// For each node, the driver's nodes that its work ends with.
    private var ends: [[CUgraphNode?]] = []
    /// The graphs of conditional nodes, which are captured at the same time.
    private var bodies: [CUDAGraphRecorder] = []
    private var isFinished = false

    var stream: any BackendStream { recording }

    init(context: CUDAContext) throws(BackendError) {
        self.context = context
        resources = CapturedResources()
        isBody = false
        // Relaxed: what other threads of this process do meanwhile belongs to other clients.
        recording = try CUDAGraphRecorder.stream(of: context) { driver, stream throws(CUDAFailure) in
            try driver.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED)
        }
        recording.beginCapture(into: resources)
    }

    /// Captures a body of a conditional node.
    private init(context: CUDAContext, body: CUgraph?, resources: CapturedResources) throws(BackendError) {
        self.context = context
        self.resources = resources
        isBody = true
        recording = try CUDAGraphRecorder.stream(of: context) { driver, stream throws(CUDAFailure) in
            try driver.cuStreamBeginCaptureToGraph(stream, body, nil, nil, 0, CU_STREAM_CAPTURE_MODE_RELAXED)
        }
        recording.beginCapture(into: resources)
    }

    private static func stream(
        of context: CUDAContext, _ begin: (CUDALibrary, CUstream?) throws(CUDAFailure) -> Void
    ) throws(BackendError) -> CUDAStream {
        let handle = try context.perform { driver throws(CUDAFailure) in
            var made: CUstream?
            try driver.cuStreamCreate(&made, 1)
            do throws(CUDAFailure) {
                try begin(driver, made)
            } catch {
                try? driver.cuStreamDestroy_v2(made)
                throw error
            }
            return made
        }
        return CUDAStream(context: context, handle: handle, isOwned: false)
    }

    deinit { abandon() }

    /// Ends the capture of a graph that nobody wants.
    private func abandon() {
        guard !isFinished, let graph = endCapture(), !isBody else { return }
        _ = try? context.driver.cuGraphDestroy(graph)
    }

    func beginNode(after dependencies: [Int]) throws(BackendError) {
        try endNode()
        var nodes: [CUgraphNode?] = []
        for index in dependencies {
            guard ends.indices.contains(index) else { throw BackendError(BackendStatus.invalidValue) }
            for node in ends[index] where !nodes.contains(node) { nodes.append(node) }
        }
        ends.append(nodes)
        try setDependencies(nodes)
    }

    /// Says what the next work depends on.
    private func setDependencies(_ nodes: [CUgraphNode?]) throws(BackendError) {
        var nodes = nodes
        try context.perform { driver throws(CUDAFailure) in
            let flags = CU_STREAM_SET_CAPTURE_DEPENDENCIES.rawValue
            try driver.cuStreamUpdateCaptureDependencies(recording.handle, &nodes, nodes.count, flags)
        }
    }

    /// Notes where the present node's work ends.
    private func endNode() throws(BackendError) {
        guard !ends.isEmpty else { return }
        ends[ends.count - 1] = try captureState().nodes
    }

    /// The graph that is being captured, and the nodes that the next work depends on.
    private func captureState() throws(BackendError) -> (graph: CUgraph?, nodes: [CUgraphNode?]) {
        try context.perform { driver throws(CUDAFailure) in
            var status = CU_STREAM_CAPTURE_STATUS_NONE
            var graph: CUgraph?
            var nodes: UnsafePointer<CUgraphNode?>?
            var count = 0
            try driver.cuStreamGetCaptureInfo_v2(recording.handle, &status, nil, &graph, &nodes, &count)
            return (graph, nodes.map { Array(UnsafeBufferPointer(start: $0, count: count)) } ?? [])
        }
    }

    // MARK: - Conditionals

    func declare(_ values: [ConditionalValue]) throws(BackendError) {
        let functions = context.driver.functions
        guard functions.cuGraphConditionalHandleCreate != nil, functions.cuStreamBeginCaptureToGraph != nil,
            functions.cuGraphAddNode_v2 != nil || functions.cuGraphAddNode != nil
        else {
            throw BackendError(
                BackendStatus.notSupported, "the driver has no conditional nodes: they came with CUDA 12.4")
        }
        let graph = try captureState().graph
        for value in values {
            let handle = try context.perform { driver throws(CUDAFailure) in
                var handle: CUgraphConditionalHandle = 0
                try driver.cuGraphConditionalHandleCreate(
                    &handle, graph, context.handle, value.defaultValue ?? 0,
                    value.defaultValue == nil ? 0 : UInt32(CU_GRAPH_COND_ASSIGN_DEFAULT))
                return handle
            }
            resources.note(handle, of: value.address)
        }
    }

    func addConditional(_ conditional: ConditionalNode, bodyCount: Int) throws(BackendError)
        -> [any BackendGraphRecorder]
    {
        guard let handle = resources.handle(of: conditional.address) else {
            throw BackendError(BackendStatus.invalidValue, "a conditional node goes by a value that was not declared")
        }
        let (graph, nodes) = try captureState()
        let (node, graphs) = try context.perform { driver throws(CUDAFailure) in
            var request = CUgraphNodeParams()
            request.type = CU_GRAPH_NODE_TYPE_CONDITIONAL
            request.conditional.handle = handle
            request.conditional.type = CUgraphConditionalNodeType(rawValue: conditional.kind.rawValue)
            request.conditional.size = UInt32(bodyCount)
            request.conditional.ctx = context.handle
            var node: CUgraphNode?
            if driver.functions.cuGraphAddNode_v2 != nil {
                try driver.cuGraphAddNode_v2(&node, graph, nodes, nil, nodes.count, &request)
            } else {
                try driver.cuGraphAddNode(&node, graph, nodes, nodes.count, &request)
            }
            guard let list = request.conditional.phGraph_out else {
                throw CUDAFailure("cuGraphAddNode", CUDA_ERROR_UNKNOWN)
            }
            return (node, (0..<bodyCount).map { list[$0] })
        }
        try setDependencies([node])
        var made: [CUDAGraphRecorder] = []
        for body in graphs { made.append(try CUDAGraphRecorder(context: context, body: body, resources: resources)) }
        bodies += made
        return made
    }

    // MARK: - The end

    private func endCapture() -> CUgraph? {
        isFinished = true
        // From the inside out: a body is a part of the graph around it.
        for body in bodies { _ = body.endCapture() }
        bodies = []
        var graph: CUgraph?
        _ = try? context.driver.cuCtxSetCurrent(context.handle)
        _ = try? context.driver.cuStreamEndCapture(recording.handle, &graph)
        _ = try? context.driver.cuStreamDestroy_v2(recording.handle)
        return graph
    }

    func finish(replacing old: (any BackendGraph)?) throws(BackendError) -> any BackendGraph {
        try context.throwIfFatal()
        guard let graph = endCapture() else { throw BackendError(BackendStatus.unknown, "the capture failed") }
        defer { _ = try? context.driver.cuGraphDestroy(graph) }
        // An executable graph keeps the handles that it was made with, and kernels of the new one have others.
        let canReuse = !resources.hasConditionals
        if canReuse, let old = old as? CUDAGraph, let reused = old.update(with: graph, resources) { return reused }
        let handle = try context.perform { driver throws(CUDAFailure) in
            var made: CUgraphExec?
            try driver.cuGraphInstantiateWithFlags(&made, graph, 0)
            return made
        }
        guard let handle else { throw BackendError(BackendStatus.unknown) }
        return CUDAGraph(context: context, handle: handle, resources: resources)
    }
}

// SAFETY: the handle never changes and may be used by any thread; `destroy` and `update` come last.
/// A graph of a driver, ready to run.
final class CUDAGraph: BackendGraph, @unchecked Sendable {
    private let context: CUDAContext
    private let handle: CUgraphExec
    private let resources: CapturedResources
    private var isOwner = true

    init(context: CUDAContext, handle: CUgraphExec, resources: CapturedResources) {
        self.context = context
        self.handle = handle
        self.resources = resources
    }

    deinit { destroy() }

    /// Gives the executable to a new graph with other arguments; nil when its shape differs after all.
    func update(with graph: CUgraph, _ resources: CapturedResources) -> CUDAGraph? {
        guard isOwner else { return nil }
        do throws(BackendError) {
            try context.perform { driver throws(CUDAFailure) in
                var result = CUgraphExecUpdateResultInfo()
                try driver.cuGraphExecUpdate_v2(handle, graph, &result)
            }
        } catch {
            return nil
        }
        isOwner = false
        // Launches of the old arguments may be under way.
        context.session.retire(self.resources)
        return CUDAGraph(context: context, handle: handle, resources: resources)
    }

    func launch(on stream: any BackendStream) throws(BackendError) {
        guard let stream = stream as? CUDAStream else { throw BackendError(BackendStatus.invalidHandle) }
        try stream.submit { driver throws(CUDAFailure) in try driver.cuGraphLaunch(handle, stream.handle) }
    }

    func destroy() {
        guard isOwner else { return }
        isOwner = false
        guard context.isAlive else { return }
        _ = try? context.driver.cuCtxSetCurrent(context.handle)
        _ = try? context.driver.cuGraphExecDestroy(handle)
        context.session.retire(resources)
    }
}
