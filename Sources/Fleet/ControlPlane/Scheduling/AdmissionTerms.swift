import Admission
import FleetModel

/// Says in admission's terms what resources say in users'.
enum AdmissionTerms {
    /// The tree of projects with their quotas. Projects that workloads use without having been made are at the top.
    static func projects(in view: FleetView) -> [Project] {
        var projects = view.projects.values.map { resource in
            var project = Project(
                resource.metadata.name, parent: resource.spec.parent, weight: resource.spec.weight ?? 1)
            let quotas = view.quotas.values.filter { $0.spec.project == project.name }
                .sorted { $0.metadata.name < $1.metadata.name }
            for quota in quotas { apply(quota.spec, to: &project) }
            return project
        }
        if view.projects[defaultProject] == nil {
            var project = Project(defaultProject)
            for quota in view.quotas.values where quota.spec.project == defaultProject {
                apply(quota.spec, to: &project)
            }
            projects.append(project)
        }
        return projects.sorted { $0.name < $1.name }
    }

    private static func apply(_ quota: QuotaSpec, to project: inout Project) {
        if let guaranteed = quota.guaranteed { project.guaranteed = vector(guaranteed, else: 0) }
        if let requests = quota.requests { project.requestCap = vector(requests, else: .max) }
        if let limits = quota.limits { project.limitCap = vector(limits, else: .max) }
        if let bounds = quota.perWorkload {
            project.bounds.devices = bounds.devices
            project.bounds.mebibytes = bounds.memory?.mebibytes
            project.bounds.replicas = bounds.replicas
            switch bounds.compute {
            case .percent(let percent): project.bounds.milliDevices = percent * 10
            case .milliTeraflops(let amount): project.bounds.milliTeraflops = amount
            case nil: break
            }
        }
        project.alertThousandths = (quota.alertAt?.value ?? 95) * 10
    }

    private static func vector(_ amounts: ResourceAmounts, else missing: Int64) -> ResourceVector {
        var speed = missing
        if case .milliTeraflops(let amount) = amounts.speed { speed = amount }
        return ResourceVector(
            milliDevices: amounts.compute.map { $0.value * 10 } ?? missing, milliTeraflops: speed,
            mebibytes: amounts.memory?.mebibytes ?? missing, vgpus: amounts.vgpus ?? missing,
            workloads: amounts.workloads ?? missing)
    }

    /// What all healthy devices of ready nodes have together, as far as their pools let it be promised.
    static func capacity(of view: FleetView) -> ResourceVector {
        var sum = ResourceVector(vgpus: .max, workloads: .max)
        var knowsAllSpeeds = true
        for node in view.nodes.values where node.status.phase == .ready {
            let oversell = node.status.pool.flatMap { view.pools[$0]?.spec.oversell }
            for device in view.devices(ofNode: node.metadata.name) where device.status.healthy {
                sum.milliDevices += (oversell?.compute?.value ?? 100) * 10
                sum.mebibytes += device.status.memory.mebibytes * (oversell?.memory?.value ?? 100) / 100
                sum.milliTeraflops += device.status.milliTeraflops
                if device.status.milliTeraflops == 0 { knowsAllSpeeds = false }
            }
        }
        if !knowsAllSpeeds { sum.milliTeraflops = .max }
        return sum
    }

    /// What one replica asks of devices. A whole device's memory is not known before it is chosen, and counts as none.
    static func shape(_ effective: EffectiveSpec, replicas: Int64) -> WorkloadShape {
        func share(_ compute: ComputeQuantity, _ memory: MemoryQuantity?) -> DeviceShare {
            var share = DeviceShare(mebibytes: memory?.mebibytes ?? 0)
            switch compute {
            case .percent(let percent): share.milliDevices = percent * 10
            case .milliTeraflops(let amount): share.milliTeraflops = amount
            }
            return share
        }
        return WorkloadShape(
            devices: effective.devices, replicas: replicas,
            request: share(effective.compute.request, effective.memory?.request),
            limit: share(effective.compute.limit, effective.memory?.limit))
    }

    /// Replicas that wait together; the first replica of a workload counts as the workload.
    static func pending(
        _ workload: Resource<WorkloadSpec>, _ effective: EffectiveSpec, id: String, replicas: [Int64]
    ) -> PendingRequest {
        let shape = shape(effective, replicas: Int64(replicas.count))
        let isFirst = replicas.first == 0
        var request = PendingRequest(
            id: id, project: workload.metadata.project ?? defaultProject, priority: effective.priority,
            arrival: workload.metadata.createdAt?.milliseconds ?? 0,
            requests: shape.requests(countingWorkload: isFirst), limits: shape.limits(countingWorkload: isFirst))
        request.shape = AdmissionTerms.shape(effective, replicas: workload.spec.replicas ?? 1)
        request.isPreemptible = effective.isPreemptible
        request.protectionMilliseconds = workload.spec.evictionProtection?.milliseconds ?? 0
        request.gang = workload.spec.gang == nil ? nil : workload.metadata.uid
        return request
    }

    /// A replica that has its place.
    static func running(
        _ vgpus: [Resource<VirtualGPUSpec>], of workload: Resource<WorkloadSpec>?, id: String
    ) -> RunningWorkload {
        func sum(_ bound: (VirtualGPUSpec) -> (Percent, MemoryQuantity)) -> ResourceVector {
            vgpus.reduce(into: ResourceVector(workloads: vgpus[0].spec.replica == 0 ? 1 : 0)) { sum, vgpu in
                let count = Int64(vgpu.spec.devices.count)
                let (compute, memory) = bound(vgpu.spec)
                sum += ResourceVector(
                    milliDevices: compute.value * 10 * count, mebibytes: memory.mebibytes * count, vgpus: count)
            }
        }
        let started = vgpus[0].metadata.createdAt?.milliseconds ?? 0
        var request = PendingRequest(
            id: id, project: vgpus[0].metadata.project ?? defaultProject, priority: vgpus[0].spec.priority,
            arrival: started, requests: sum { ($0.compute.request, $0.memory.request) },
            limits: sum { ($0.compute.limit, $0.memory.limit) })
        request.isPreemptible = workload?.spec.preemptible ?? (vgpus[0].spec.qos != .critical)
        request.protectionMilliseconds = workload?.spec.evictionProtection?.milliseconds ?? 0
        request.gang = workload?.spec.gang == nil ? nil : workload?.metadata.uid
        return RunningWorkload(request, startedAt: started)
    }
}
