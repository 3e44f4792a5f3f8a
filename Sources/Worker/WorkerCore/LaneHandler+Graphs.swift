import GPUBackend
import Primitives
import Synchronization
import WireProtocol

extension LaneHandler {
    func graphInstantiate(
        _ command: GraphInstantiate, _ reply: inout GraphInstantiate.Reply, _ bulk: BulkSource
    ) throws(CommandError) {
        let context = try context()
        let byteCount = try charge(command.bulkByteCount)
        var isKept = false
        defer { if !isKept { session.graphBudget.giveBack(byteCount) } }
        let plan = try read(bulk, byteCount) { reader throws(WireError) in try GraphPlan(from: &reader) }
        let backend = try record(plan, in: context, replacing: nil)
        let graph = WorkerGraph(
            context: context, plan: plan, backend: backend, byteCount: byteCount, budget: session.graphBudget)
        isKept = true
        try session.withState { state throws(CommandError) in try state.graphs.add(graph, id: command.graph) }
    }

    func graphUpdate(_ command: GraphUpdate, _ bulk: BulkSource) throws(CommandError) {
        let graph = try graph(command.graph)
        let byteCount = try charge(command.bulkByteCount)
        defer { session.graphBudget.giveBack(byteCount) }
        let patch = try read(bulk, byteCount) { reader throws(WireError) in try GraphPatch(from: &reader) }
        try graph.state.withLock { state throws(CommandError) in
            var plan = state.plan
            try plan.apply(patch)
            state.backend = try record(plan, in: graph.context, replacing: state.backend)
            state.plan = plan
        }
    }

    func graphLaunch(_ command: GraphLaunch) throws(CommandError) {
        let graph = try graph(command.graph)
        let stream = try stream(command.stream)
        try graph.state.withLock { state throws(CommandError) in
            try translating { () throws(BackendError) in try state.backend.launch(on: stream) }
        }
    }

    func graphDestroy(_ command: GraphDestroy) throws(CommandError) {
        let removed = session.withTables { $0.graphs.remove(id: command.graph) }
        guard removed != nil else { throw .invalidHandle }
    }

    func copyToHost(_ command: CopyToHost) throws(CommandError) {
        let box = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        let stream = try stream(command.stream)
        try translating { () throws(BackendError) in try stream.copyToHost(box, token: command.token) }
    }

    func copyFromHost(_ command: CopyFromHost) throws(CommandError) {
        let box = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        let stream = try stream(command.stream)
        try translating { () throws(BackendError) in try stream.copyFromHost(box, token: command.token) }
    }

    func graphConditional(_ command: GraphConditional) throws(CommandError) {
        throw CommandError(BackendStatus.invalidValue, "a conditional exists only within a graph")
    }

    func hostBytes(_ command: HostBytes, _ bulk: BulkSource) throws(CommandError) {
        throw CommandError(BackendStatus.invalidValue, "bytes of the host are answered on the events connection")
    }

    // MARK: - Reading

    private func graph(_ id: UInt64) throws(CommandError) -> WorkerGraph {
        try session.withState { state throws(CommandError) in
            guard let graph = state.graphs[id] else { throw .invalidHandle }
            return graph
        }
    }

    private func charge(_ byteCount: UInt64) throws(CommandError) -> Int {
        guard byteCount <= UInt64(GraphPlan.byteCountMax) else {
            throw CommandError(BackendStatus.invalidValue, "the graph is larger than the worker allows")
        }
        guard session.graphBudget.take(Int(byteCount)) else {
            throw CommandError(BackendStatus.outOfMemory, "the session's graphs are larger than the worker allows")
        }
        return Int(byteCount)
    }

    private func read<Value>(
        _ bulk: BulkSource, _ byteCount: Int, _ decode: (inout WireReader) throws(WireError) -> Value
    ) throws(CommandError) -> Value {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        let failure = bytes.withUnsafeMutableBytes { buffer -> CommandError? in
            do throws(CommandError) {
                try bulk.read(into: buffer)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        let value = bytes.withUnsafeBytes { buffer -> Value? in
            var reader = WireReader(buffer)
            do throws(WireError) { return try decode(&reader) } catch { return nil }
        }
        guard let value else { throw CommandError(BackendStatus.invalidValue, "the graph's bytes are malformed") }
        return value
    }

    // MARK: - Recording

    private func record(
        _ plan: GraphPlan, in context: WorkerContext, replacing old: (any BackendGraph)?
    ) throws(CommandError) -> any BackendGraph {
        let before = (current, recorder)
        current = context
        defer { (current, recorder) = before }
        var isUsed = [Bool](repeating: false, count: plan.graphs.count)
        let values = try plan.conditionalValues
        let outermost = try translating { () throws(BackendError) in
            let made = try context.backend.makeGraphRecorder()
            if !values.isEmpty { try made.declare(values) }
            return made
        }
        try record(0, of: plan, into: outermost, &isUsed, depth: 0)
        return try translating { () throws(BackendError) in try outermost.finish(replacing: old) }
    }

    private func record(
        _ index: Int, of plan: GraphPlan, into own: any BackendGraphRecorder, _ isUsed: inout [Bool], depth: Int
    ) throws(CommandError) {
        guard index < plan.graphs.count, !isUsed[index], depth < GraphPlan.depthMax else { throw .invalidValue }
        isUsed[index] = true
        for node in plan.graphs[index] {
            try translating { () throws(BackendError) in try own.beginNode(after: node.dependencies.map { Int($0) }) }
            guard GraphPlan.isNodeCommand(node.command) else {
                throw CommandError(BackendStatus.notSupported, "a graph has a node that this worker does not know")
            }
            guard node.isEnabled, node.command != CommandID.noop else { continue }
            if node.command == CommandID.graphConditional {
                try recordConditional(node, above: index, of: plan, &isUsed, depth: depth, own)
            } else {
                recorder = own
                try perform(node)
            }
        }
    }

    private func recordConditional(
        _ node: GraphPlanNode, above index: Int, of plan: GraphPlan, _ isUsed: inout [Bool], depth: Int,
        _ own: any BackendGraphRecorder
    ) throws(CommandError) {
        guard let command = node.conditional, let kind = ConditionalNode.Kind(rawValue: command.kind) else {
            throw .invalidValue
        }
        let first = Int(command.firstGraph)
        let count = Int(command.graphCount)
        guard first > index, first <= plan.graphs.count, count <= plan.graphs.count - first else { throw .invalidValue }
        let bodies = try translating { () throws(BackendError) in
            try own.addConditional(ConditionalNode(address: command.address, kind: kind), bodyCount: count)
        }
        for (offset, body) in bodies.enumerated() {
            try record(first + offset, of: plan, into: body, &isUsed, depth: depth + 1)
        }
    }

    /// Has a node's command submit its work to the recorder.
    private func perform(_ node: GraphPlanNode) throws(CommandError) {
        let source = BulkSource { _ in false }
        let sink = BulkSink { _ in
            false
        } write: { _ in
            false
        }
        let dispatch = DispatchContext(source: source, sink: sink)
        dispatch.begin(
            CommandHeader(
                id: node.command, flags: 0, payloadByteCount: UInt32(truncatingIfNeeded: node.payload.count)))
        let isDecoded = node.payload.withUnsafeBytes { payload -> Bool in
            do throws(DispatchError) {
                try CommandDispatch.dispatch(id: node.command, payload: payload, to: self, context: dispatch)
                return true
            } catch {
                return false
            }
        }
        guard isDecoded else { throw CommandError(BackendStatus.invalidValue, "a graph has a malformed node") }
        if let failure = dispatch.failure { throw failure }
    }
}
