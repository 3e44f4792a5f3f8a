import FleetModel
import FleetStore
import Synchronization

@testable import ControlAPI

/// A control loop that answers what it is told to.
final class MockOperations: FleetOperations {
    private let joinProblem = Mutex<Problem?>(nil)

    /// Where nodes that join are made; nil where none are.
    private let store: (any FleetStore)?

    init(store: (any FleetStore)? = nil) { self.store = store }

    func refuseJoin(_ problem: Problem?) { joinProblem.withLock { $0 = problem } }

    func explain(_ workload: ResourceReference) async throws -> Explanation {
        var explanation = Explanation(workload: workload, phase: .pending, verdict: "no device has 80GiB")
        explanation.reasons = [.init(reason: "Memory", message: "too little memory", devices: 12)]
        explanation.remedies = ["ask for 40GiB"]
        return explanation
    }

    func plan(_ workloads: [Resource<WorkloadSpec>]) async throws -> Plan {
        var plan = Plan()
        plan.placements = workloads.map { Plan.PlannedReplica(workload: $0.reference, replica: 0) }
        plan.pricePerHour = 1.5
        plan.currency = "USD"
        return plan
    }

    func connection(to vgpu: Resource<VirtualGPUSpec>) async throws -> VirtualGPUConnection {
        VirtualGPUConnection(endpoints: ["tcp://10.0.0.1:7070"], token: "worker-secret", uuids: ["GPU-1"])
    }

    func join(_ request: JoinRequest) async throws -> TimeSpan {
        if let problem = joinProblem.withLock({ $0 }) { throw problem }
        if let store {
            var metadata = Metadata(name: request.name)
            metadata.uid = "uid-\(request.name)"
            var node = Resource(metadata, NodeSpec())
            node.status.address = request.facts.address
            let bytes = try ResourceDocument(node).storedBytes()
            let key = try node.reference.storeKey()
            if try await store.get(key) == nil { _ = try await store.create(key, bytes) }
        }
        return .seconds(10)
    }

    func heartbeat(node: String, _ request: HeartbeatRequest) async throws -> HeartbeatAnswer {
        HeartbeatAnswer(lease: .seconds(10), vgpus: [], revision: 0)
    }
}
