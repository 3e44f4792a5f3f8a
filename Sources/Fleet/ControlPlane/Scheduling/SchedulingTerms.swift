import FleetModel
import Scheduling

/// Says in the scheduler's terms what resources say in users'.
enum SchedulingTerms {
    /// Labels that the scheduler gets beside the users' own, so that requests select nodes and pools by them.
    enum Label {
        static let node = "roost/node"
        static let pool = "roost/pool"
        /// The labels that say where a node stands.
        static let zone = "topology.roost/zone"
        static let rack = "topology.roost/rack"
    }

    /// A node with its devices. Devices are in the order of their names, so that the order is the same after a restart.
    static func host(_ node: Resource<NodeSpec>, in view: FleetView) -> HostDescription {
        var labels = node.metadata.labels ?? [:]
        labels[Label.node] = node.metadata.name
        labels[Label.pool] = node.status.pool ?? ""
        let pool = node.status.pool.flatMap { view.pools[$0]?.spec }
        var host = HostDescription(
            name: node.metadata.name, cpuMilli: Int(clamping: node.status.milliProcessors ?? 0),
            memoryMiB: Int(clamping: node.status.memory?.mebibytes ?? 0), labels: labels,
            topology: TopologyPath(zone: labels[Label.zone] ?? "", rack: labels[Label.rack] ?? ""),
            devices: view.devices(ofNode: node.metadata.name).map { device($0, pool: pool) })
        host.isReady = node.status.phase == .ready && node.status.pool != nil
        let support = node.status.conditions?.of(type: NodeStatus.supportCondition)
        host.isCordoned = node.spec.unschedulable == true || node.spec.drain == true || support?.status == .no
        return host
    }

    private static func device(_ device: Resource<DeviceSpec>, pool: PoolSpec?) -> DeviceDescription {
        var description = DeviceDescription(
            id: device.spec.id, vendor: device.status.vendor.lowercased(), model: device.status.model.lowercased(),
            vramMiB: Int(clamping: device.status.memory.mebibytes),
            milliTFLOPS: Int(clamping: device.status.milliTeraflops))
        description.computeCapacityMilli = Int(clamping: (pool?.oversell?.compute?.value ?? 100) * 10)
        description.vramOversellMilli = Int(clamping: (pool?.oversell?.memory?.value ?? 100) * 10)
        description.isHealthy = device.status.healthy
        return description
    }

    /// A replica that wants a place.
    static func request(
        _ workload: Resource<WorkloadSpec>, _ effective: EffectiveSpec, id: String
    ) -> WorkloadRequest {
        var demand = DeviceDemand(
            count: Int(effective.devices), compute: amount(effective.compute.request),
            vramMiB: Int(clamping: effective.memory?.request.mebibytes ?? 0))
        demand.computeLimit = amount(effective.compute.limit)
        demand.vramLimitMiB = effective.memory.map { Int(clamping: $0.limit.mebibytes) }
        demand.vendors = effective.selector.vendor.map { [$0.lowercased()] } ?? []
        demand.models = (effective.selector.models ?? []).map { $0.lowercased() }
        demand.isolation = mode(effective.isolation)
        var request = WorkloadRequest(
            id: id, cpuMilli: Int(((workload.spec.host?.processors ?? 0) * 1000).rounded(.up)),
            memoryMiB: Int(clamping: workload.spec.host?.memory?.mebibytes ?? 0), devices: demand)
        request.labels = workload.metadata.labels ?? [:]
        request.hosts = hosts(effective)
        request.affinity = affinity(workload.spec.affinity)
        request.topology = topology(workload.spec.topology)
        request.priority = Int(clamping: effective.priority)
        request.isPreemptible = effective.isPreemptible
        request.gang = workload.spec.gang == nil ? nil : workload.metadata.uid
        request.remote = RemoteAccess(isAllowed: effective.allowsRemote)
        return request
    }

    /// A replica that has its place: what its vGPUs hold.
    static func request(
        placed vgpus: [Resource<VirtualGPUSpec>], of workload: Resource<WorkloadSpec>?, id: String
    ) -> WorkloadRequest {
        let first = vgpus[0].spec
        var demand = DeviceDemand(
            count: vgpus.reduce(0) { $0 + $1.spec.devices.count }, compute: .percent(Int(first.compute.request.value)),
            vramMiB: Int(clamping: first.memory.request.mebibytes))
        demand.isolation = mode(first.isolation)
        var request = WorkloadRequest(id: id, devices: demand)
        request.labels = workload?.metadata.labels ?? [:]
        request.priority = Int(clamping: first.priority)
        request.isPreemptible = workload?.spec.preemptible ?? (first.qos != .critical)
        request.gang = workload?.spec.gang == nil ? nil : workload?.metadata.uid
        request.remote = RemoteAccess(isAllowed: true)
        if let host = workload?.spec.host {
            request.cpuMilli = Int(((host.processors ?? 0) * 1000).rounded(.up))
            request.memoryMiB = Int(clamping: host.memory?.mebibytes ?? 0)
        }
        return request
    }

    /// Where a replica's vGPUs are.
    static func placement(_ vgpus: [Resource<VirtualGPUSpec>], id: String) -> Placement {
        let devices = vgpus.flatMap { vgpu in
            vgpu.spec.devices.map { device in
                DeviceAllotment(
                    host: vgpu.spec.node, device: device, computeMilli: Int(vgpu.spec.compute.request.value * 10),
                    vramMiB: Int(clamping: vgpu.spec.memory.request.mebibytes))
            }
        }
        return Placement(workload: id, homeHost: vgpus[0].spec.programNode ?? vgpus[0].spec.node, devices: devices)
    }

    private static func amount(_ quantity: ComputeQuantity) -> ComputeAmount {
        switch quantity {
        case .percent(let value): .percent(Int(clamping: value))
        case .milliTeraflops(let value): .milliTFLOPS(Int(clamping: value))
        }
    }

    private static func mode(_ isolation: Isolation) -> IsolationMode {
        isolation == .exclusive ? .exclusive : .shared
    }

    private static func hosts(_ effective: EffectiveSpec) -> LabelSelector {
        var requirements = LabelSelector(equal: effective.selector.nodeLabels ?? [:]).requirements
        if let pool = effective.pool {
            requirements.append(.init(key: Label.pool, comparison: .isIn, values: [pool]))
        }
        if let nodes = effective.selector.nodes, !nodes.isEmpty {
            requirements.append(.init(key: Label.node, comparison: .isIn, values: nodes))
        }
        return LabelSelector(requirements)
    }

    private static func affinity(_ affinity: WorkloadSpec.Affinity?) -> [AffinityTerm] {
        guard let affinity else { return [] }
        let level = level(affinity.domain)
        var terms: [AffinityTerm] = []
        if let near = affinity.near {
            terms.append(AffinityTerm(.near, workloads: LabelSelector(equal: near), level: level))
        }
        if let apart = affinity.apart {
            terms.append(AffinityTerm(.apart, workloads: LabelSelector(equal: apart), level: level))
        }
        return terms
    }

    /// Without a word all devices of a replica are on one node, as programs expect of GPUs.
    private static func topology(_ topology: WorkloadSpec.Topology?) -> TopologyConstraint {
        TopologyConstraint(level: level(topology?.level), isHard: topology?.required ?? true)
    }

    private static func level(_ name: String?) -> TopologyLevel {
        switch name {
        case "rack", Label.rack: .rack
        case "zone", Label.zone: .zone
        default: .host
        }
    }
}
