public import FleetModel

/// Decides what a node's heartbeat changes in the store, and what its agent is told.
public struct HeartbeatDigest: Sendable {
    /// A heartbeat that changes nothing else is written once in this time, so that nodes cost few writes.
    public var writeSpan: TimeSpan
    /// How long a node counts as ready after a heartbeat.
    public var leaseSpan: TimeSpan

    /// Writes often enough that one lost heartbeat does not end the lease.
    public init(leaseSpan: TimeSpan) {
        self.leaseSpan = leaseSpan
        writeSpan = TimeSpan(milliseconds: min(3000, leaseSpan.milliseconds / 3))
    }

    /// Why a heartbeat is refused.
    public enum Refusal: Error, Sendable, Hashable {
        /// The node never joined, or was deleted.
        case unknownNode
        /// A later start of the node's agent was heard of: this one is a leftover.
        case outdated(epoch: Int64)
    }

    /// What to write for a heartbeat.
    ///
    /// - Throws: ``Refusal``.
    public func decide(
        _ view: FleetView, node name: String, _ heartbeat: HeartbeatRequest, now: Timestamp
    ) throws(Refusal) -> ActionList {
        guard let node = view.nodes[name] else { throw .unknownNode }
        if let epoch = node.status.epoch, epoch > heartbeat.epoch { throw .outdated(epoch: epoch) }
        var list = ActionList()
        updateNode(node, heartbeat, now: now, in: &list)
        updateDevices(name, view, heartbeat, in: &list)
        updateVGPUs(name, view, heartbeat, now: now, in: &list)
        return list
    }

    /// What the agent is to have.
    public func answer(_ view: FleetView, node name: String) -> HeartbeatAnswer {
        let vgpus = view.vgpus(ofNode: name).filter { !$0.status.phase.isOver }
        var programs: [String: WorkloadSpec.Program] = [:]
        for vgpu in vgpus where vgpu.spec.part ?? 0 == 0 {
            guard let program = view.workload(of: vgpu)?.spec.program else { continue }
            programs["\(vgpu.metadata.project ?? defaultProject)/\(vgpu.metadata.name)"] = program
        }
        var answer = HeartbeatAnswer(lease: leaseSpan, vgpus: vgpus, revision: view.revision)
        answer.programs = programs.isEmpty ? nil : programs
        return answer
    }

    // MARK: - Node and devices

    private func updateNode(
        _ node: Resource<NodeSpec>, _ heartbeat: HeartbeatRequest, now: Timestamp, in list: inout ActionList
    ) {
        let isDue = node.status.heartbeatAt.map { now - $0 >= writeSpan } ?? true
        list.update(node) { node in
            node.status.epoch = heartbeat.epoch
            node.status.address = heartbeat.facts.address
            node.status.version = heartbeat.facts.version
            node.status.milliProcessors = heartbeat.facts.milliProcessors
            node.status.memory = heartbeat.facts.memory
            if isDue || node.status.phase != .ready { node.status.heartbeatAt = now }
        }
    }

    private func updateDevices(
        _ name: String, _ view: FleetView, _ heartbeat: HeartbeatRequest, in list: inout ActionList
    ) {
        var told = Set<String>()
        for device in heartbeat.devices where Names.objection("\(name).\(device.id)") == nil {
            let resourceName = "\(name).\(device.id)"
            guard told.insert(resourceName).inserted else { continue }
            guard let known = view.devices[resourceName] else {
                var status = DeviceStatus()
                HeartbeatDigest.copy(device, to: &status)
                let spec = DeviceSpec(node: name, id: device.id)
                list.create(Resource(Metadata(name: resourceName), spec, status: status))
                continue
            }
            list.update(known) { HeartbeatDigest.copy(device, to: &$0.status) }
        }
        for known in view.devices(ofNode: name) where !told.contains(known.metadata.name) {
            // A device that vanished while vGPUs are on it stays, so that its users learn why.
            if view.vgpus(ofNode: name).contains(where: { $0.spec.devices.contains(known.spec.id) }) {
                list.update(known) { known in
                    known.status.healthy = false
                    known.status.message = "The node does not have it any more."
                }
            } else {
                list.delete(known)
            }
        }
    }

    /// What a device does at the moment is left out: it is measured, not kept.
    private static func copy(_ device: DeviceReport, to status: inout DeviceStatus) {
        status.vendor = device.vendor
        status.model = device.model
        status.uuid = device.uuid
        status.memory = device.memory
        status.milliTeraflops = device.milliTeraflops
        status.healthy = device.healthy
        status.message = device.message
    }

    // MARK: - vGPUs

    private func updateVGPUs(
        _ name: String, _ view: FleetView, _ heartbeat: HeartbeatRequest, now: Timestamp, in list: inout ActionList
    ) {
        let told = Dictionary(heartbeat.vgpus.map { ("\($0.project)/\($0.name)/\($0.uid)", $0) }) { _, last in last }
        for vgpu in view.vgpus(ofNode: name) where vgpu.status.phase != .ended {
            let metadata = vgpu.metadata
            let key = "\(metadata.project ?? defaultProject)/\(metadata.name)/\(metadata.uid ?? "")"
            if let report = told[key] {
                list.update(vgpu) { HeartbeatDigest.copy(report, to: &$0, epoch: heartbeat.epoch, now: now) }
            } else if isForgotten(vgpu, heartbeat) {
                list.update(vgpu) { vgpu in
                    vgpu.status.phase = .ended
                    vgpu.status.endedAt = vgpu.status.endedAt ?? now
                    vgpu.status.message = vgpu.status.message ?? "The node's agent does not have it any more."
                }
            }
        }
    }

    /// Whether the agent would name a vGPU if it had it: it has been told of it as it is now. Heartbeats overtake each
    /// other, so one that was sent before says nothing. One that was only placed it may still be about to take up.
    private func isForgotten(_ vgpu: Resource<VirtualGPUSpec>, _ heartbeat: HeartbeatRequest) -> Bool {
        guard heartbeat.seen ?? -1 >= vgpu.metadata.revision ?? .max else { return false }
        return vgpu.status.phase != .placed || vgpu.spec.stop == true
    }

    private static func copy(
        _ report: VirtualGPUReport, to vgpu: inout Resource<VirtualGPUSpec>, epoch: Int64, now: Timestamp
    ) {
        let told = report.status
        // What was given up stays given up; only its end is news, since its devices are free then.
        if vgpu.status.phase == .lost, told.phase != .ended { return }
        if told.phase == .running, vgpu.status.phase != .running { vgpu.status.startedAt = now }
        if told.phase == .ended { vgpu.status.endedAt = vgpu.status.endedAt ?? now }
        vgpu.status.phase = told.phase
        vgpu.status.epoch = epoch
        vgpu.status.endpoints = told.endpoints
        vgpu.status.uuids = told.uuids
        vgpu.status.exitStatus = told.exitStatus
        vgpu.status.message = told.message
    }
}
