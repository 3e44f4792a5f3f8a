import CCUDA
import CUDABinding
import GPUBackend

extension CUDAContext {
    func makeGraphRecorder() throws(BackendError) -> any BackendGraphRecorder { try CUDAGraphRecorder(context: self) }
}

/// Captures a graph from a stream of its own; before each node it tells the driver what the next work depends on.
final class CUDAGraphRecorder: BackendGraphRecorder {
    private let context: CUDAContext
    private let recording: CUDAStream
    private let resources = CapturedResources()
    /// For each node, the driver's nodes that its work ends with.
    private var ends: [[CUgraphNode?]] = []
    /// What the present node waits for.
    private var dependencies: [CUgraphNode?] = []
    private var isFinished = false

    var stream: any BackendStream { recording }

    init(context: CUDAContext) throws(BackendError) {
        self.context = context
        let handle = try context.perform { driver throws(CUDAFailure) in
            var made: CUstream?
            try driver.cuStreamCreate(&made, 1)
            // Relaxed: what other threads of this process do meanwhile belongs to other clients.
            try driver.cuStreamBeginCapture_v2(made, CU_STREAM_CAPTURE_MODE_RELAXED)
            return made
        }
        recording = CUDAStream(context: context, handle: handle, isOwned: false)
        recording.beginCapture(into: resources)
    }

    deinit {
        if !isFinished, let graph = endCapture() { _ = try? context.driver.cuGraphDestroy(graph) }
    }

    func beginNode(after dependencies: [Int]) throws(BackendError) {
        try endNode()
        var nodes: [CUgraphNode?] = []
        for index in dependencies {
            guard ends.indices.contains(index) else { throw BackendError(BackendStatus.invalidValue) }
            for node in ends[index] where !nodes.contains(node) { nodes.append(node) }
        }
        self.dependencies = nodes
        ends.append(nodes)
        try context.perform { driver throws(CUDAFailure) in
            let flags = CU_STREAM_SET_CAPTURE_DEPENDENCIES.rawValue
            try driver.cuStreamUpdateCaptureDependencies(recording.handle, &nodes, nodes.count, flags)
        }
    }

    /// Notes where the present node's work ends.
    private func endNode() throws(BackendError) {
        guard !ends.isEmpty else { return }
        ends[ends.count - 1] = try context.perform { driver throws(CUDAFailure) in
            var status = CU_STREAM_CAPTURE_STATUS_NONE
            var nodes: UnsafePointer<CUgraphNode?>?
            var count = 0
            try driver.cuStreamGetCaptureInfo_v2(recording.handle, &status, nil, nil, &nodes, &count)
            return nodes.map { Array(UnsafeBufferPointer(start: $0, count: count)) } ?? []
        }
    }

    func addConditional(_ conditional: ConditionalNode, bodies: [any BackendGraphRecorder]) throws(BackendError) {
        throw BackendError(
            BackendStatus.notSupported, "a driver's own conditional handles can't be chosen by the client")
    }

    func addDefault(address: UInt64, value: UInt32) throws(BackendError) {
        throw BackendError(BackendStatus.notSupported)
    }

    private func endCapture() -> CUgraph? {
        isFinished = true
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
        if let old = old as? CUDAGraph, let reused = old.update(with: graph, resources) { return reused }
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
