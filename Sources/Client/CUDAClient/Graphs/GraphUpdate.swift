internal import CCUDA
internal import ClientRuntime
internal import WireProtocol

/// What differs between an executable graph and a new layout, and whether it may.
struct GraphDifference {
    private(set) var result = CU_GRAPH_EXEC_UPDATE_SUCCESS
    /// The node in the new layout that is at fault.
    private(set) var errorSerial: UInt64 = 0
    private(set) var patch = GraphPatch()

    /// Compares layouts and, where they may differ, moves the new work into `old`, keeping its switches and, where they
    /// are the same, its host calls.
    init(_ old: GraphExecutable, _ new: GraphExecutable) {
        compare(old, new)
        guard result == CU_GRAPH_EXEC_UPDATE_SUCCESS else { return }
        for graph in old.graphs.indices {
            for index in old.graphs[graph].indices {
                take(&old.graphs[graph][index], new.graphs[graph][index], graph, index)
            }
        }
        old.allocates = new.allocates
        old.frees = new.frees
    }

    private mutating func fail(_ result: CUgraphExecUpdateResult, _ node: ExecutableNode? = nil) {
        guard self.result == CU_GRAPH_EXEC_UPDATE_SUCCESS else { return }
        self.result = result
        errorSerial = node?.serial ?? 0
    }

    private mutating func compare(_ old: GraphExecutable, _ new: GraphExecutable) {
        guard old.graphs.count == new.graphs.count else { return fail(CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED) }
        for (before, after) in zip(old.graphs, new.graphs) {
            guard before.count == after.count else { return fail(CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED) }
            for (one, other) in zip(before, after) { compare(one, other) }
        }
    }

    private mutating func compare(_ old: ExecutableNode, _ new: ExecutableNode) {
        guard old.work.type == new.work.type else {
            return fail(CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED, new)
        }
        guard old.plan.dependencies == new.plan.dependencies else {
            return fail(CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, new)
        }
        switch (old.work, new.work) {
        case (.kernel(let before), .kernel(let after)):
            guard before.function.pointee.context == after.function.pointee.context else {
                return fail(CU_GRAPH_EXEC_UPDATE_ERROR_UNSUPPORTED_FUNCTION_CHANGE, new)
            }
            guard before.shape.isCooperative == after.shape.isCooperative else {
                return fail(CU_GRAPH_EXEC_UPDATE_ERROR_ATTRIBUTES_CHANGED, new)
            }
        case (.copy(let before), .copy(let after)):
            guard before.context.pointee.device == after.context.pointee.device, before.isSameKind(as: after) else {
                return fail(CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED, new)
            }
        case (.allocation(let before), .allocation(let after)):
            guard before.address == after.address else { return fail(CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED, new) }
        case (.release(let before), .release(let after)):
            guard before == after else { return fail(CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED, new) }
        case (.conditional(let before), .conditional(let after)):
            guard before.handle === after.handle, before.type == after.type else {
                return fail(CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED, new)
            }
        default: break
        }
    }

    private mutating func take(_ old: inout ExecutableNode, _ new: ExecutableNode, _ graph: Int, _ index: Int) {
        var plan = new.plan
        plan.isEnabled = old.plan.isEnabled
        if let before = old.hostCall, let after = new.hostCall {
            if before.isSame(as: after) {
                // What is under way may still ask with the old token, and the new launch may as well.
                HostCalls.remove(after)
                old.work = new.work
                return
            }
            old.retiredCalls.append(before)
        }
        old.hostCall = new.hostCall
        old.work = new.work
        old.attributes = new.attributes
        if !plan.isSameWork(as: old.plan) {
            patch.entries.append(
                GraphPatch.Entry(
                    graph: UInt32(truncatingIfNeeded: graph), index: UInt32(truncatingIfNeeded: index), plan))
        }
        old.plan = plan
    }
}

extension HostCall {
    /// Whether two calls do the same.
    func isSame(as other: HostCall) -> Bool {
        switch (kind, other.kind) {
        case (.function(let one), .function(let two)):
            // C functions can't be compared in Swift but by their addresses.
            return one === two
                || (address(one.function) == address(two.function) && one.userData == two.userData)
        case (.copy(let one), .copy(let two)):
            return one === two || one.isSame(as: two)
        default: return false
        }
    }

    private func address(_ function: CUhostFn?) -> UInt {
        guard let function else { return 0 }
        // SAFETY: a C function pointer is one word.
        return unsafeBitCast(function, to: UInt.self)
    }
}

extension CopyWork {
    /// Whether arrays are at the same ends; an update can't change that.
    func isSameKind(as other: CopyWork) -> Bool {
        destination.isArray == other.destination.isArray && source.isArray == other.source.isArray
    }

    fileprivate func isSame(as other: CopyWork) -> Bool {
        destination.isSame(as: other.destination) && source.isSame(as: other.source) && box.width == other.box.width
            && box.height == other.box.height && box.depth == other.box.depth
    }
}

extension ArrayCopyEnd {
    fileprivate func isSame(as other: ArrayCopyEnd) -> Bool {
        switch (self, other) {
        case (.plane(let one), .plane(let two)): one.isSame(as: two)
        case (.array(let one), .array(let two)): one == two
        default: false
        }
    }
}

extension CopyPlane {
    fileprivate func isSame(as other: CopyPlane) -> Bool {
        guard pitch == other.pitch, slicePitch == other.slicePitch else { return false }
        switch (end, other.end) {
        case (.host(let one), .host(let two)): return one == two
        case (.device(let one), .device(let two)): return one == two
        default: return false
        }
    }
}
