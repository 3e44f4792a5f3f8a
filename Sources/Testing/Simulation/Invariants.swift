import ControlPlane
import FleetModel
import FleetStore

/// What must hold at every moment, and what when everything has come to rest.
///
/// After each change what it touches is looked at, by sums that are kept up to date. Now and then, and at the end, all
/// sums are made anew.
struct Invariants {
    /// After so many changes everything is looked at.
    private static let fullCheckPeriod = 64

    let world: World
    private var vgpus: [ResourceReference: Resource<VirtualGPUSpec>] = [:]
    private var workloads: [ResourceReference: Resource<WorkloadSpec>] = [:]
    private var quotas: [String: Int64] = [:]
    private var parents: [String: String] = [:]
    private var capacities: [Promises.Device: Promises.Amount] = [:]
    private var promises = Promises()
    private var changeCount = 0

    init(_ world: World) {
        self.world = world
    }

    /// What a device may hold from now on.
    mutating func setCapacity(_ capacity: Promises.Amount, of device: Promises.Device) {
        capacities[device] = capacity
    }

    // MARK: - At every change

    /// Takes in a change of the store and looks at what it may have broken.
    mutating func check(_ change: StoreChange) throws {
        var touched: [Resource<VirtualGPUSpec>] = []
        for event in change.events {
            guard let reference = ResourceReference(key: event.key.text) else { continue }
            var document: ResourceDocument?
            if case .put(let entry) = event {
                document = world.document(entry)
                guard document?.reference == reference else { throw fail("\(reference) can't be read in the store") }
            }
            switch reference.kind {
            case .virtualGPU:
                if let before = vgpus[reference] { promises.remove(before) }
                let vgpu: Resource<VirtualGPUSpec>? = try document?.resource()
                vgpus[reference] = vgpu
                guard let vgpu else { continue }
                promises.add(vgpu)
                touched.append(vgpu)
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
        for vgpu in touched {
            for device in vgpu.devices { try check(promises.held[device] ?? .init(), of: device, "promised") }
            try checkOwners(of: vgpu.part)
            try checkQuotas(from: vgpu.metadata.project ?? defaultProject)
        }
        changeCount += 1
        if changeCount % Invariants.fullCheckPeriod == 0 { try checkAll() }
    }

    /// Looks at everything, by sums made anew.
    private func checkAll() throws {
        guard promises == Promises(vgpus.values) else { throw fail("the sums of what is promised are not kept right") }
        for (device, amount) in promises.held { try check(amount, of: device, "promised") }
        for part in promises.owners.keys { try checkOwners(of: part) }
        for project in promises.used.keys { try checkQuotas(from: project) }
    }

    /// What vGPUs hold of a device, by the store or in truth, is never more than there is.
    private func check(_ amount: Promises.Amount, of device: Promises.Device, _ how: String) throws {
        guard let capacity = capacities[device] else {
            guard amount == .init() else { throw fail("\(device.node).\(device.name) is \(how), and is no device") }
            return
        }
        guard amount.compute <= capacity.compute, amount.memory <= capacity.memory else {
            throw fail(
                "\(device.node).\(device.name): \(amount.compute) % and \(amount.memory) MiB are \(how) of "
                    + "\(capacity.compute) % and \(capacity.memory) MiB")
        }
    }

    /// A replica has one set of vGPUs.
    private func checkOwners(of part: Promises.Part) throws {
        guard let owners = promises.owners[part], owners.count > 1 else { return }
        throw fail("\(owners.map(\.name).sorted().joined(separator: " and ")) are the same replica")
    }

    /// Quotas are only ever raised here, so no project may exceed its own, nor may those above it.
    private func checkQuotas(from project: String) throws {
        var next: String? = project
        while let name = next {
            if let quota = quotas[name] {
                let used = promises.used.filter { isInside($0.key, name) }.reduce(0) { $0 + $1.value }
                guard used <= quota else { throw fail("project \(name) has \(used) % of a quota of \(quota) %") }
            }
            next = parents[name]
        }
    }

    /// Whether a project is another or below it.
    private func isInside(_ project: String, _ other: String) -> Bool {
        var next: String? = project
        while let name = next {
            if name == other { return true }
            next = parents[name]
        }
        return false
    }

    /// What workers hold in truth is never more than there is.
    func check(_ node: SimulatedNode) throws {
        let sums = Promises(
            node.workers.values.lazy.map(\.vgpu).map { vgpu in
                // By the node itself: what the store says of the phase does not count.
                var vgpu = vgpu
                vgpu.status.phase = .running
                return vgpu
            })
        for (device, amount) in sums.held { try check(amount, of: device, "in use") }
    }

    // MARK: - At rest

    /// What must hold once nothing fails any more and time enough has passed.
    func checkRest(_ planes: [Plane], _ nodes: [SimulatedNode]) throws {
        try checkAll()
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
        // Not what was read once for all, but the bytes themselves.
        let documents = try world.entries().map {
            try ResourceDocument(stored: $0.value, revision: $0.revision.rawValue)
        }
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
