public import FleetModel

/// Decides what becomes of nodes that are not heard of, and to which pool each belongs.
public struct NodeLifecycle: Sendable {
    /// How long after its last heartbeat a node counts as not ready.
    public var leaseSpan = TimeSpan.seconds(10)
    /// How long after its last heartbeat a node counts as lost, so that its work goes elsewhere.
    public var lossSpan = TimeSpan.seconds(60)
    /// The release of this control plane.
    public var release = ReleaseVersion.current

    /// Keeps the usual spans.
    public init() {}

    /// What to write about nodes now.
    public func decide(_ view: FleetView, now: Timestamp) -> ActionList {
        var list = ActionList()
        for node in view.nodes.values.sorted(by: { $0.metadata.name < $1.metadata.name }) {
            let pool = NodeLifecycle.pool(of: node, in: view)
            let phase = phase(of: node, now: now)
            let support = support(of: node, now: now)
            list.update(node) { node in
                node.status.pool = pool
                if let support { node.status.conditions = (node.status.conditions ?? []).with(support) }
                guard node.status.phase != phase else { return }
                node.status.phase = phase
                let readiness = readiness(phase, since: node.status.heartbeatAt, now: now)
                node.status.conditions = (node.status.conditions ?? []).with(readiness)
            }
            if phase != node.status.phase { note(node, phase, now: now, in: &list) }
            if let support, support.status == .no {
                list.note(node.reference, .warning, support.reason, support.message, at: now)
            }
            if phase == .lost { giveUpVGPUs(of: node, view, now: now, in: &list) }
        }
        return list
    }

    /// The pool that a node names, else the first whose labels it has, else the default pool.
    public static func pool(of node: Resource<NodeSpec>, in view: FleetView) -> String? {
        if let named = node.spec.pool { return view.pools[named] == nil ? nil : named }
        let pools = view.pools.values.sorted { $0.metadata.name < $1.metadata.name }
        let labels = node.metadata.labels ?? [:]
        let selected = pools.first { pool in
            guard let selector = pool.spec.nodeSelector, !selector.isEmpty else { return false }
            return selector.allSatisfy { labels[$0.key] == $0.value }
        }
        let open = pools.filter { $0.spec.nodeSelector?.isEmpty ?? true }
        return (selected ?? open.first { $0.spec.isDefault == true } ?? open.first)?.metadata.name
    }

    private func phase(of node: Resource<NodeSpec>, now: Timestamp) -> NodeStatus.Phase {
        guard let heartbeat = node.status.heartbeatAt else { return .joining }
        let silence = now - heartbeat
        if silence < leaseSpan { return .ready }
        return silence < lossSpan ? .notReady : .lost
    }

    private func readiness(_ phase: NodeStatus.Phase, since heartbeat: Timestamp?, now: Timestamp) -> Condition {
        switch phase {
        case .ready:
            return Condition("Ready", .yes, reason: "Heartbeat", message: "The agent is heard of.", since: now)
        case .joining:
            return Condition("Ready", .unknown, reason: "Joining", message: "No heartbeat yet.", since: now)
        case .notReady, .lost:
            let last = heartbeat.map { " since \($0)" } ?? ""
            return Condition(
                "Ready", .no, reason: phase == .lost ? "Lost" : "Silent", message: "No heartbeat\(last).", since: now)
        }
    }

    /// Whether the agent's release goes with the control plane's; nil where that is known already.
    private func support(of node: Resource<NodeSpec>, now: Timestamp) -> Condition? {
        guard let version = node.status.version else { return nil }
        let type = NodeStatus.supportCondition
        let condition: Condition
        switch ReleaseVersion(version).map(release.skew) {
        case nil:
            condition = Condition(
                type, .unknown, reason: "VersionUnknown", message: "The agent's release is \(version).", since: now)
        case .compatible?:
            condition = Condition(
                type, .yes, reason: "VersionSupported", message: "The agent's release is \(version).", since: now)
        case .tooOld?:
            let message =
                "The agent's release \(version) is too old for the control plane's, \(release); nothing new is placed "
                + "here until Roost is upgraded on this node."
            condition = Condition(type, .no, reason: "VersionSkew", message: message, since: now)
        case .tooNew?:
            let message =
                "The agent's release \(version) is newer than the control plane's, \(release); nothing new is placed "
                + "here until the servers are upgraded, which go first."
            condition = Condition(type, .no, reason: "VersionSkew", message: message, since: now)
        }
        let known = node.status.conditions?.of(type: type)
        return known?.status == condition.status && known?.message == condition.message ? nil : condition
    }

    private func note(
        _ node: Resource<NodeSpec>, _ phase: NodeStatus.Phase, now: Timestamp, in list: inout ActionList
    ) {
        switch phase {
        case .ready: list.note(node.reference, .normal, "NodeReady", "The node is ready.", at: now)
        case .notReady:
            list.note(
                node.reference, .warning, "NodeNotReady",
                "No heartbeat for \(leaseSpan); nothing new is placed here. Its work goes elsewhere after \(lossSpan).",
                at: now)
        case .lost:
            list.note(
                node.reference, .warning, "NodeLost", "No heartbeat for \(lossSpan); its vGPUs are given up.", at: now)
        case .joining: break
        }
    }

    /// What a lost node had is lost: its replicas are placed anew. Should the node come back, its agent ends them.
    private func giveUpVGPUs(
        of node: Resource<NodeSpec>, _ view: FleetView, now: Timestamp, in list: inout ActionList
    ) {
        for vgpu in view.vgpus(ofNode: node.metadata.name) where !vgpu.status.phase.isOver {
            list.update(vgpu) { vgpu in
                vgpu.status.phase = .lost
                vgpu.status.endedAt = now
                vgpu.status.message = "The node \(node.metadata.name) was lost."
            }
        }
    }
}

extension VirtualGPUStatus.Phase {
    /// Whether nothing of it is left on devices, as far as anybody knows.
    public var isOver: Bool { self == .ended || self == .lost }
}
