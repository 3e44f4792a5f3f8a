import ControlPlane
import FleetModel
import FleetStore

/// What must hold at every moment, and what when everything has come to rest.
struct Invariants {
    /// What a device may hold.
    struct Capacity {
        var compute: Int64
        var memory: Int64
    }

    let world: World
    private var vgpus: [ResourceReference: Resource<VirtualGPUSpec>] = [:]
    private var workloads: [ResourceReference: Resource<WorkloadSpec>] = [:]
    private var quotas: [String: Int64] = [:]
    private var parents: [String: String] = [:]
    private var capacities: [String: Capacity] = [:]

    init(_ world: World) {
        self.world = world
    }

    /// What a device may hold from now on.
    mutating func setCapacity(_ capacity: Capacity, of device: String) {
        capacities[device] = capacity
    }

    // MARK: - At every change

    /// Takes in a change of the store and looks at what it may have broken.
    mutating func check(_ change: StoreChange) throws {
        var isAboutVGPUs = false
        for event in change.events {
            guard let reference = ResourceReference(key: event.key.text) else { continue }
            let document: ResourceDocument? =
                if case .put(let entry) = event {
                    try ResourceDocument(stored: entry.value, revision: entry.revision.rawValue)
                } else {
                    nil
                }
            switch reference.kind {
            case .virtualGPU:
                vgpus[reference] = try document?.resource()
                isAboutVGPUs = true
            case .workload: workloads[reference] = try document?.resource()
            case .quota:
                let quota: Resource<QuotaSpec>? = try document?.resource()
                quotas[reference.name] = quota?.spec.requests?.compute?.value
            case .project:
                let project: Resource<ProjectSpec>? = try document?.resource()
                parents[reference.name] = project?.spec.parent
            default: break
            }
        }
        guard isAboutVGPUs else { return }
        try checkDevices()
        try checkOwners()
        try checkQuotas()
    }

    private func checkDevices() throws {
        try checkHeld(vgpus.values.filter { $0.status.phase != .ended }, "promised")
    }

    /// What vGPUs hold of devices, by the store or in truth, is never more than there is.
    private func checkHeld(_ vgpus: [Resource<VirtualGPUSpec>], _ how: String) throws {
        var held: [String: Capacity] = [:]
        for vgpu in vgpus {
            for device in vgpu.spec.devices {
                held["\(vgpu.spec.node).\(device)", default: Capacity(compute: 0, memory: 0)].compute +=
                    vgpu.spec.compute.request.value
                held["\(vgpu.spec.node).\(device)"]?.memory += vgpu.spec.memory.request.mebibytes
            }
        }
        for (device, sum) in held {
            guard let capacity = capacities[device] else { throw fail("\(device) is \(how), and is no device") }
            guard sum.compute <= capacity.compute, sum.memory <= capacity.memory else {
                throw fail(
                    "\(device): \(sum.compute) % and \(sum.memory) MiB are \(how) of \(capacity.compute) % and "
                        + "\(capacity.memory) MiB")
            }
        }
    }

    /// A replica has one set of vGPUs.
    private func checkOwners() throws {
        var owners: [String: String] = [:]
        for vgpu in vgpus.values where !vgpu.status.phase.isOver && vgpu.spec.stop != true {
            let replica = "\(vgpu.spec.workloadUID) \(vgpu.spec.replica) \(vgpu.spec.part ?? 0)"
            if let other = owners.updateValue(vgpu.metadata.name, forKey: replica) {
                throw fail("\(other) and \(vgpu.metadata.name) are the same replica")
            }
        }
    }

    /// Quotas are only ever raised here, so no project may exceed its own.
    private func checkQuotas() throws {
        var used: [String: Int64] = [:]
        for vgpu in vgpus.values where vgpu.status.phase != .ended {
            var project = vgpu.metadata.project
            while let name = project {
                used[name, default: 0] += vgpu.spec.compute.request.value * Int64(vgpu.spec.devices.count)
                project = parents[name]
            }
        }
        for (project, quota) in quotas where used[project] ?? 0 > quota {
            throw fail("project \(project) has \(used[project] ?? 0) % of a quota of \(quota) %")
        }
    }

    /// What workers hold in truth is never more than there is.
    func check(_ node: SimulatedNode) throws {
        try checkHeld(node.workers.values.map(\.vgpu), "in use")
    }

    // MARK: - At rest

    /// What must hold once nothing fails any more and time enough has passed.
    func checkRest(_ planes: [Plane], _ nodes: [SimulatedNode]) throws {
        for plane in planes { try checkView(plane) }
        for vgpu in vgpus.values where workloads[workload(of: vgpu)]?.metadata.uid != vgpu.spec.workloadUID {
            throw fail("\(vgpu.metadata.name) is left of a workload that is gone")
        }
        let uids = Set(vgpus.values.filter { $0.status.phase == .running }.compactMap(\.metadata.uid))
        let running = Set(nodes.flatMap { $0.workers.keys })
        guard uids == running else {
            let extra = uids.symmetricDifference(running).sorted().joined(separator: ", ")
            throw fail("the store has \(uids.count) vGPUs that run, the nodes have \(running.count): \(extra)")
        }
        for workload in workloads.values { try checkWorkload(workload) }
        try checkNothingIsLeftToDo()
    }

    private func workload(of vgpu: Resource<VirtualGPUSpec>) -> ResourceReference {
        ResourceReference(kind: .workload, project: vgpu.metadata.project, name: vgpu.spec.workload)
    }

    private func checkWorkload(_ workload: Resource<WorkloadSpec>) throws {
        let wanted = workload.spec.replicas ?? 1
        guard workload.status.placed == workload.status.ready else {
            let states = vgpus.values.filter { $0.spec.workloadUID == workload.metadata.uid }.map {
                "\($0.metadata.name) on \($0.spec.node) is \($0.status.phase), stop \($0.spec.stop ?? false)"
            }
            throw fail("\(workload.reference) is placed but not ready: \(states.sorted().joined(separator: "; "))")
        }
        if let gang = workload.spec.gang {
            let minimum = gang.minimum ?? wanted
            guard workload.status.placed == 0 || workload.status.placed >= minimum else {
                throw fail("\(workload.reference) is a gang of \(minimum) with \(workload.status.placed) placed")
            }
        }
        guard workload.status.placed == wanted || workload.status.waiting != nil else {
            throw fail("\(workload.reference) lacks replicas and does not say why")
        }
    }

    /// Every control plane's view is what the store holds.
    private func checkView(_ plane: Plane) throws {
        plane.follow()
        let documents = world.documents
        let references = Set(documents.map(\.reference))
        let seen = Set(plane.view.allReferences)
        guard references == seen else {
            throw fail("\(plane.name) sees \(seen.count) resources, the store has \(references.count)")
        }
        var view = FleetView()
        for document in documents { try view.put(document) }
        guard view.workloads == plane.view.workloads, view.vgpus == plane.view.vgpus, view.nodes == plane.view.nodes
        else { throw fail("\(plane.name) sees other resources than the store has") }
    }

    /// A control plane that starts now finds nothing that could be placed.
    private func checkNothingIsLeftToDo() throws {
        let core = FleetCore(environment: world.environment)
        for document in world.documents { core.ingest(put: document) }
        for _ in 0..<3 {
            for case .create(let document) in core.decide(now: world.environment.now())
            where document.kind == .virtualGPU {
                throw fail("\(document.metadata.name) could be placed and is not")
            }
        }
    }

    private func fail(_ what: String) -> SimulationFailure {
        SimulationFailure("after \(world.now) ms: \(what)")
    }
}
