public import FleetModel
public import FleetStore
import Foundation

/// Why a question or an order can't be answered.
public enum FleetServiceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no such resource.
    case notFound(ResourceReference)
    /// A later start of the node's agent was heard of.
    case outdatedAgent(node: String, epoch: Int64)
    /// The vGPU does not serve yet, or not any more.
    case notServing(ResourceReference, VirtualGPUStatus.Phase)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .notFound(let reference): "There is no \(reference)."
        case .outdatedAgent(let node, let epoch):
            "The agent of \(node) was started again (epoch \(epoch)); this one is a leftover and should end."
        case .notServing(let reference, let phase):
            "\(reference) is \(phase.rawValue) and does not serve; wait until it is Running."
        }
    }
}

/// What the control plane does for nodes and users beside keeping resources: the questions that need all of them.
public struct FleetService: Sendable {
    private let loop: ControlLoop
    private let store: any FleetStore
    private let digest: HeartbeatDigest
    private let environment: any FleetEnvironment

    /// Answers out of what a loop knows.
    public init(
        loop: ControlLoop, store: any FleetStore, environment: any FleetEnvironment,
        leaseSpan: TimeSpan = NodeLifecycle().leaseSpan
    ) {
        self.loop = loop
        self.store = store
        self.environment = environment
        digest = HeartbeatDigest(leaseSpan: leaseSpan)
    }

    // MARK: - Nodes

    /// Makes a node of a machine that may join; one that joins again keeps what was set for it.
    public func join(_ request: JoinRequest) async throws -> TimeSpan {
        try await loop.write { [environment] view, now in
            var list = ActionList()
            if let known = view.nodes[request.name] {
                list.update(known) { node in
                    node.metadata.labels = (request.facts.labels ?? [:])
                        .merging(node.metadata.labels ?? [:]) { _, own in own }
                    node.status.address = request.facts.address
                    node.status.version = request.facts.version
                }
                return list
            }
            var metadata = Metadata(name: request.name, labels: request.facts.labels)
            metadata.uid = environment.uid()
            metadata.generation = 1
            metadata.createdAt = now
            var node = Resource(metadata, NodeSpec())
            node.status.address = request.facts.address
            node.status.version = request.facts.version
            list.create(node)
            list.note(node.reference, .normal, "NodeJoined", "The node joined.", at: now)
            return list
        }
        return digest.leaseSpan
    }

    /// Takes in a heartbeat, and answers with what the node is to have, once that is news or the agent's patience ends.
    public func heartbeat(node: String, _ request: HeartbeatRequest) async throws -> HeartbeatAnswer {
        if let seen = request.seen, seen >= 0 { await loop.reach(seen) }
        // Before anybody learns that a vGPU serves, what opens it is here.
        try await keepSecrets(request)
        do {
            try await loop.write { [digest] view, now in
                try digest.decide(view, node: node, request, now: now)
            }
        } catch HeartbeatDigest.Refusal.unknownNode {
            throw FleetServiceError.notFound(ResourceReference(kind: .node, name: node))
        } catch HeartbeatDigest.Refusal.outdated(let epoch) {
            throw FleetServiceError.outdatedAgent(node: node, epoch: epoch)
        }
        let deadline = environment.now() + (request.wait ?? .seconds(0))
        var mayWait = true
        while true {
            let answer = digest.answer(await loop.view, node: node)
            let left = deadline - environment.now()
            guard mayWait, left > .seconds(0), !isNews(answer, to: request) else { return answer }
            mayWait = await loop.waitForChange(ofNode: node, for: left)
        }
    }

    /// Answers all heartbeats that wait for news, and lets none wait any more.
    public func endWaits() async { await loop.endWaits() }

    /// Whether the agent does not know all of an answer.
    private func isNews(_ answer: HeartbeatAnswer, to request: HeartbeatRequest) -> Bool {
        let known = Set(request.vgpus.filter { $0.status.phase != .ended }.map(\.uid))
        let named = Set(answer.vgpus.compactMap(\.metadata.uid))
        // An end that was told must be confirmed at once, so that it is not told again.
        let toldEnds = request.vgpus.contains { $0.status.phase == .ended }
        let stopping = Set(request.vgpus.filter { $0.status.phase == .stopping }.map(\.uid))
        let toStop = Set(answer.vgpus.filter { $0.spec.stop == true }.compactMap(\.metadata.uid))
        return toldEnds || known != named || !toStop.isSubset(of: stopping)
    }

    // MARK: - Secrets

    private static func secretKey(_ project: String, _ name: String) throws -> StoreKey {
        try StoreKey("/secrets/vgpus/\(project)/\(name)")
    }

    /// Keeps apart from resources what opens vGPUs.
    private func keepSecrets(_ request: HeartbeatRequest) async throws {
        for report in request.vgpus {
            let key = try FleetService.secretKey(report.project, report.name)
            let before = try await store.get(key)
            guard let connection = report.connection, report.status.phase != .ended else {
                if let before, report.status.phase == .ended {
                    _ = try? await store.delete(key, expected: before.revision)
                }
                continue
            }
            let value = Array(try JSONValue(encoding: connection).encoded())
            guard value != before?.value else { continue }
            if let before {
                _ = try? await store.replace(key, value, expected: before.revision)
            } else {
                _ = try? await store.create(key, value)
            }
        }
    }

    /// How a program reaches a vGPU.
    public func connection(to vgpu: Resource<VirtualGPUSpec>) async throws -> VirtualGPUConnection {
        let key = try FleetService.secretKey(vgpu.metadata.project ?? defaultProject, vgpu.metadata.name)
        guard vgpu.status.phase == .running, let entry = try await store.get(key) else {
            throw FleetServiceError.notServing(vgpu.reference, vgpu.status.phase)
        }
        return try JSONDecoder().decode(VirtualGPUConnection.self, from: Data(entry.value))
    }

    // MARK: - Questions

    /// Why a workload is placed as it is, or waits.
    public func explain(_ workload: ResourceReference) async throws -> Explanation {
        guard let explanation = await loop.explain(workload) else { throw FleetServiceError.notFound(workload) }
        return explanation
    }

    /// Where workloads would go and what they would cost; nothing is done.
    public func plan(_ workloads: [Resource<WorkloadSpec>]) async throws -> Plan {
        await loop.plan(workloads)
    }

    /// Keeps a held workload alive.
    public func hold(_ workload: ResourceReference) async throws {
        try await loop.write { view, now in
            guard let held = view.workloads[workload] else { throw FleetServiceError.notFound(workload) }
            var list = ActionList()
            list.update(held) { $0.status.heldAt = now }
            return list
        }
    }
}

extension ControlLoop {
    func explain(_ workload: ResourceReference) -> Explanation? {
        core.placement.explain(workload, core.view, now: environment.now())
    }

    func plan(_ workloads: [Resource<WorkloadSpec>]) -> Plan {
        core.placement.plan(workloads, core.view, now: environment.now())
    }
}
