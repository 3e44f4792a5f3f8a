import GPUBackend
import Synchronization
import WireProtocol

/// An executable graph of a session: its plan, to make it anew from after a change, and what the backend made of it.
final class WorkerGraph: Sendable {
    struct State {
        var plan: GraphPlan
        var backend: any BackendGraph
    }

    let context: WorkerContext
    private let byteCount: Int
    private let budget: ImageBudget
    let state: Mutex<State>

    /// The plan's bytes were taken from the budget before.
    init(
        context: WorkerContext, plan: GraphPlan, backend: any BackendGraph, byteCount: Int, budget: ImageBudget
    ) {
        self.context = context
        self.byteCount = byteCount
        self.budget = budget
        state = Mutex(State(plan: plan, backend: backend))
    }

    deinit {
        state.withLock { $0.backend.destroy() }
        budget.giveBack(byteCount)
    }
}

/// The rules that a plan must keep beside those of its encoding.
extension GraphPlan {
    /// The commands that a node may be.
    static func isNodeCommand(_ id: UInt16) -> Bool {
        switch id {
        case CommandID.noop, CommandID.launch, CommandID.fill, CommandID.copyDeviceToDevice3D, CommandID.hostFunction,
            CommandID.copyArrayToArray, CommandID.copyArrayToDevice, CommandID.copyDeviceToArray,
            CommandID.arrayToHost, CommandID.arrayFromHost, CommandID.copyToHost, CommandID.copyFromHost,
            CommandID.graphConditional, CommandID.eventRecord, CommandID.eventRecordWithFlags,
            CommandID.streamWaitEvent, CommandID.streamMemoryOperations:
            true
        default: false
        }
    }

    /// The values that the conditional nodes go by, each once.
    var conditionalValues: [ConditionalValue] {
        get throws(CommandError) {
            var values = defaults.map { ConditionalValue(address: $0.address, defaultValue: $0.value) }
            var known = Set(values.map(\.address))
            for nodes in graphs {
                for node in nodes where node.command == CommandID.graphConditional {
                    guard let command = node.conditional else { throw .invalidValue }
                    guard known.insert(command.address).inserted else { continue }
                    values.append(ConditionalValue(address: command.address, defaultValue: nil))
                }
            }
            return values
        }
    }

    /// The depth to which conditional nodes may contain each other.
    static let depthMax = 64

    /// Replaces nodes; throws `INVALID_VALUE` for a node that does not exist or would become another kind of node.
    mutating func apply(_ patch: GraphPatch) throws(CommandError) {
        for entry in patch.entries {
            let graph = Int(entry.graph)
            let index = Int(entry.index)
            guard graph < graphs.count, index < graphs[graph].count else { throw .invalidValue }
            let isConditional = graphs[graph][index].command == CommandID.graphConditional
            guard GraphPlan.isNodeCommand(entry.command),
                isConditional == (entry.command == CommandID.graphConditional),
                !isConditional || entry.payload == graphs[graph][index].payload
            else { throw .invalidValue }
            graphs[graph][index].command = entry.command
            graphs[graph][index].isEnabled = entry.isEnabled
            graphs[graph][index].payload = entry.payload
        }
    }
}

extension GraphPlanNode {
    /// The command of a conditional node; nil when its bytes are none.
    var conditional: GraphConditional? {
        payload.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            do throws(WireError) { return try GraphConditional(from: &reader) } catch { return nil }
        }
    }
}
