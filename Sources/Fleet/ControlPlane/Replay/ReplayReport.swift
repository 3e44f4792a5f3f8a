public import FleetModel
import Scheduling

/// What a replay comes to, beside what was recorded.
public struct ReplayReport: Sendable, Hashable, Codable {
    /// A fleet in numbers.
    public struct Totals: Sendable, Hashable, Codable {
        /// Healthy devices of ready nodes.
        public var devices: Int64 = 0
        /// The part of their compute and memory that is promised, in percent.
        public var allocatedCompute = 0.0
        public var allocatedMemory = 0.0
        /// Idle compute that typical requests cannot use, in devices.
        public var fragmentation = 0.0
        /// Replicas with a place, and those that wait.
        public var placed: Int64 = 0
        public var pending: Int64 = 0
    }

    /// A workload whose replicas wait.
    public struct Pending: Sendable, Hashable, Codable {
        public var workload: ResourceReference
        /// How many of its replicas wait.
        public var replicas: Int64
        /// Why, in a sentence.
        public var reason: String
    }

    /// A replica whose place is another. Without `before` it has only now found one; without `after` it lost it.
    public struct Move: Sendable, Hashable, Codable {
        public var workload: ResourceReference
        public var replica: Int64
        /// The devices, as `node/device`.
        public var before: [String]
        public var after: [String]
    }

    /// A node's devices.
    public struct Node: Sendable, Hashable, Codable {
        public var name: String
        public var devices: Int64
        /// What is promised: compute in percent of a device, memory in MiB, and how many vGPUs that are.
        public var before: Load
        public var after: Load
    }

    /// What is promised of a node.
    public struct Load: Sendable, Hashable, Codable {
        public var compute: Int64 = 0
        public var memory: Int64 = 0
        public var vgpus: Int64 = 0
    }

    /// By which rule places were chosen.
    public var policy: String
    public var before: Totals
    public var after: Totals
    /// By workload.
    public var pending: [Pending]
    /// By workload and replica.
    public var moves: [Move]
    /// By name.
    public var nodes: [Node]

    init(before: FleetView, after: FleetView, _ core: FleetCore, policy: String, now: Timestamp) {
        self.policy = policy
        let typical = after.workloads.values.sorted { $0.reference < $1.reference }
        self.before = before.totals(typical: typical)
        self.after = after.totals(typical: typical)
        pending = typical.compactMap { workload in
            let waiting = after.waitingCount(of: workload)
            guard waiting > 0 else { return nil }
            let verdict = core.placement.explain(workload.reference, after, now: now)?.verdict
            return Pending(workload: workload.reference, replicas: waiting, reason: verdict ?? "")
        }
        moves = ReplayReport.moves(before: before.places, after: after.places)
        let names = Set(before.nodes.keys).union(after.nodes.keys)
        nodes = names.sorted().map { name in
            let view = after.nodes[name] == nil ? before : after
            return Node(
                name: name, devices: Int64(view.devices(ofNode: name).count), before: before.load(ofNode: name),
                after: after.load(ofNode: name))
        }
    }

    private static func moves(before: [ReplicaName: [String]], after: [ReplicaName: [String]]) -> [Move] {
        Set(before.keys).union(after.keys).sorted().compactMap { name in
            let (old, new) = (before[name] ?? [], after[name] ?? [])
            guard old != new else { return nil }
            return Move(workload: name.workload, replica: name.replica, before: old, after: new)
        }
    }
}

/// A replica of a workload.
private struct ReplicaName: Hashable, Comparable {
    let workload: ResourceReference
    let replica: Int64

    static func < (left: ReplicaName, right: ReplicaName) -> Bool {
        (left.workload, left.replica) < (right.workload, right.replica)
    }
}

extension FleetView {
    private var liveVGPUs: [Resource<VirtualGPUSpec>] {
        vgpus.values.filter { !$0.status.phase.isOver && $0.spec.stop != true }
    }

    /// The devices of each replica that has its place.
    fileprivate var places: [ReplicaName: [String]] {
        var places: [ReplicaName: [String]] = [:]
        for vgpu in liveVGPUs {
            let project = vgpu.metadata.project
            let workload = ResourceReference(kind: .workload, project: project, name: vgpu.spec.workload)
            places[ReplicaName(workload: workload, replica: vgpu.spec.replica), default: []] +=
                vgpu.spec.devices.map { "\(vgpu.spec.node)/\($0)" }
        }
        return places.mapValues { $0.sorted() }
    }

    /// How many replicas of a workload are to have a place and have none.
    fileprivate func waitingCount(of workload: Resource<WorkloadSpec>) -> Int64 {
        guard workload.status.phase != .failed else { return 0 }
        let wanted = workload.spec.replicas ?? 1
        let settled = Replica.all(of: workload, in: self).count { replica in
            replica.index < wanted && (replica.isPlaced || replica.hasSucceeded)
        }
        return wanted - Int64(settled)
    }

    fileprivate func load(ofNode name: String) -> ReplayReport.Load {
        var load = ReplayReport.Load()
        for vgpu in vgpus(ofNode: name) where !vgpu.status.phase.isOver && vgpu.spec.stop != true {
            let count = Int64(vgpu.spec.devices.count)
            load.compute += vgpu.spec.compute.request.value * count
            load.memory += vgpu.spec.memory.request.mebibytes * count
            load.vgpus += 1
        }
        return load
    }

    fileprivate func totals(typical: [Resource<WorkloadSpec>]) -> ReplayReport.Totals {
        var totals = ReplayReport.Totals()
        var (compute, memory, capacity) = (Int64(0), Int64(0), Int64(0))
        for (name, node) in nodes where node.status.phase == .ready {
            for device in devices(ofNode: name) where device.status.healthy {
                totals.devices += 1
                capacity += device.status.memory.mebibytes
            }
            let load = load(ofNode: name)
            compute += load.compute
            memory += load.memory
        }
        if totals.devices > 0 { totals.allocatedCompute = Double(compute) / Double(totals.devices) }
        if capacity > 0 { totals.allocatedMemory = Double(memory) * 100 / Double(capacity) }
        totals.fragmentation = Double(fragmentationMilli(typical: typical)) / 1000
        for workload in workloads.values {
            totals.pending += waitingCount(of: workload)
            totals.placed += Int64(Replica.all(of: workload, in: self).count(where: \.isPlaced))
        }
        return totals
    }

    /// The fragmentation against the sizes of some workloads.
    private func fragmentationMilli(typical: [Resource<WorkloadSpec>]) -> Int {
        let scheduler = Scheduler()
        for node in nodes.values.sorted(by: { $0.reference < $1.reference }) {
            _ = try? scheduler.apply(.addHost(SchedulingTerms.host(node, in: self)))
        }
        scheduler.learnPopularity(
            from: typical.flatMap { workload in
                let request = SchedulingTerms.request(workload, EffectiveSpec(workload, in: self), id: "typical")
                return Array(repeating: request, count: Int(clamping: min(workload.spec.replicas ?? 1, 1000)))
            })
        for vgpu in liveVGPUs.sorted(by: { $0.reference < $1.reference }) {
            let id = vgpu.reference.key
            let request = SchedulingTerms.request(placed: [vgpu], of: workload(of: vgpu), id: id)
            _ = try? scheduler.apply(.place(request, SchedulingTerms.placement([vgpu], id: id)))
        }
        return scheduler.fragmentationMilli
    }
}
