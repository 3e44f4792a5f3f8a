public import FleetModel

/// Adds up what pools have, and what projects and quotas use.
public struct StatusRollup: Sendable {
    /// Nothing to set.
    public init() {}

    /// What to write about pools, projects and quotas now.
    public func decide(_ view: FleetView, now: Timestamp) -> ActionList {
        var list = ActionList()
        let held = Dictionary(grouping: view.vgpus.values.filter { $0.status.phase != .ended }) { $0.spec.pool }
        for pool in view.pools.values.sorted(by: { $0.metadata.name < $1.metadata.name }) {
            let status = status(of: pool.metadata.name, view, held: held[pool.metadata.name] ?? [])
            list.update(pool) { $0.status = status }
        }
        let usage = usageByProject(view)
        for project in view.projects.values.sorted(by: { $0.metadata.name < $1.metadata.name }) {
            list.update(project) { project in
                project.status.allocated = usage[project.metadata.name]?.requests.amounts ?? ResourceAmounts()
                project.status.pending = usage[project.metadata.name]?.pending ?? 0
            }
        }
        for quota in view.quotas.values.sorted(by: { $0.metadata.name < $1.metadata.name }) {
            let used = usage[quota.spec.project] ?? Usage()
            list.update(quota) { quota in
                quota.status.requests = used.requests.amounts
                quota.status.limits = used.limits.amounts
            }
        }
        return list
    }

    private func status(
        of pool: String, _ view: FleetView, held: [Resource<VirtualGPUSpec>]
    ) -> PoolStatus {
        var status = PoolStatus()
        var capacity = Sum()
        for node in view.nodes.values where node.status.pool == pool {
            status.nodes += 1
            guard node.status.phase == .ready else { continue }
            status.readyNodes += 1
            for device in view.devices(ofNode: node.metadata.name) where device.status.healthy {
                status.devices += 1
                capacity.add(percent: 100, memory: device.status.memory.mebibytes, count: 1)
                capacity.milliTeraflops += device.status.milliTeraflops
            }
        }
        var allocated = Sum()
        for vgpu in held { allocated.add(vgpu, .request) }
        status.capacity = capacity.amounts
        status.capacity.vgpus = nil
        status.allocated = allocated.amounts
        return status
    }

    // MARK: - Projects

    private struct Usage {
        var requests = Sum()
        var limits = Sum()
        var pending: Int64 = 0
    }

    /// What each project uses, with all below it.
    private func usageByProject(_ view: FleetView) -> [String: Usage] {
        var usage: [String: Usage] = [:]
        for vgpu in view.vgpus.values where vgpu.status.phase != .ended {
            for name in StatusRollup.path(from: vgpu.metadata.project, in: view) {
                usage[name, default: Usage()].requests.add(vgpu, .request)
                usage[name, default: Usage()].limits.add(vgpu, .limit)
            }
        }
        for workload in view.workloads.values {
            for name in StatusRollup.path(from: workload.metadata.project, in: view) {
                usage[name, default: Usage()].requests.workloads += 1
                if workload.status.waitingSince != nil { usage[name, default: Usage()].pending += 1 }
            }
        }
        return usage
    }

    /// A project and those above it. A circle of parents ends too.
    static func path(from project: String?, in view: FleetView) -> [String] {
        var path: [String] = []
        var next = project ?? defaultProject
        while !path.contains(next), path.count < 32 {
            path.append(next)
            guard let parent = view.projects[next]?.spec.parent else { break }
            next = parent
        }
        return path
    }

    private struct Sum {
        var percent: Int64 = 0
        var milliTeraflops: Int64 = 0
        var memory: Int64 = 0
        var vgpus: Int64 = 0
        var workloads: Int64 = 0

        mutating func add(percent: Int64, memory: Int64, count: Int64) {
            self.percent += percent * count
            self.memory += memory * count
            vgpus += count
        }

        mutating func add(_ vgpu: Resource<VirtualGPUSpec>, _ bound: Bound) {
            add(
                percent: bound.of(vgpu.spec.compute).value, memory: bound.of(vgpu.spec.memory).mebibytes,
                count: Int64(vgpu.spec.devices.count))
        }

        var amounts: ResourceAmounts {
            var amounts = ResourceAmounts()
            amounts.compute = Percent(percent)
            amounts.memory = MemoryQuantity(mebibytes: memory)
            amounts.vgpus = vgpus
            if milliTeraflops > 0 { amounts.speed = .milliTeraflops(milliTeraflops) }
            if workloads > 0 { amounts.workloads = workloads }
            return amounts
        }
    }

    private enum Bound {
        case request, limit

        func of<Value>(_ bounds: Bounds<Value>) -> Value { self == .request ? bounds.request : bounds.limit }
    }
}
