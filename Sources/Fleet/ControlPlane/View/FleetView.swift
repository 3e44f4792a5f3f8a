public import FleetModel

/// All resources, read and indexed, as of one revision of the store. What every controller decides upon.
public struct FleetView: Sendable {
    /// The store's revision up to which all changes are in. Own writes are in before that: they don't move it, since
    /// others' before them may not have come yet.
    public private(set) var revision: Int64 = 0
    public private(set) var projects: [String: Resource<ProjectSpec>] = [:]
    public private(set) var quotas: [String: Resource<QuotaSpec>] = [:]
    public private(set) var pools: [String: Resource<PoolSpec>] = [:]
    public private(set) var nodes: [String: Resource<NodeSpec>] = [:]
    public private(set) var devices: [String: Resource<DeviceSpec>] = [:]
    public private(set) var profiles: [ResourceReference: Resource<ProfileSpec>] = [:]
    public private(set) var workloads: [ResourceReference: Resource<WorkloadSpec>] = [:]
    public private(set) var vgpus: [ResourceReference: Resource<VirtualGPUSpec>] = [:]
    public private(set) var priceLists: [String: Resource<PriceListSpec>] = [:]
    public private(set) var alertRules: [String: Resource<AlertRuleSpec>] = [:]
    public private(set) var events: [ResourceReference: Resource<EventSpec>] = [:]

    /// The vGPUs of a workload, by its uid; of a node, by its name.
    private var vgpusOfWorkload: [String: Set<ResourceReference>] = [:]
    private var vgpusOfNode: [String: Set<ResourceReference>] = [:]
    private var devicesOfNode: [String: Set<String>] = [:]
    /// The revision of the last change of each resource, deleted ones included until they are compacted: an echo of an
    /// own write must not undo a later one.
    private var revisions: [ResourceReference: Int64] = [:]

    /// Nothing.
    public init() {}

    // MARK: - Looking up

    /// The vGPUs of a workload, in the order of replicas and parts.
    public func vgpus(ofWorkload uid: String?) -> [Resource<VirtualGPUSpec>] {
        guard let uid else { return [] }
        return (vgpusOfWorkload[uid] ?? []).compactMap { vgpus[$0] }.sorted {
            ($0.spec.replica, $0.spec.part ?? 0) < ($1.spec.replica, $1.spec.part ?? 0)
        }
    }

    /// The vGPUs of a node, in the order of their names.
    public func vgpus(ofNode name: String) -> [Resource<VirtualGPUSpec>] {
        (vgpusOfNode[name] ?? []).sorted().compactMap { vgpus[$0] }
    }

    /// The devices of a node, in the order of their names.
    public func devices(ofNode name: String) -> [Resource<DeviceSpec>] {
        (devicesOfNode[name] ?? []).sorted().compactMap { devices[$0] }
    }

    /// The workload of a vGPU, unless it is gone or another one has its name now.
    public func workload(of vgpu: Resource<VirtualGPUSpec>) -> Resource<WorkloadSpec>? {
        let reference = ResourceReference(
            kind: .workload, project: vgpu.metadata.project, name: vgpu.spec.workload)
        guard let workload = workloads[reference], workload.metadata.uid == vgpu.spec.workloadUID else { return nil }
        return workload
    }

    /// Whether a resource's change at a revision, or a later one, was taken in.
    public func hasSeen(_ reference: ResourceReference, at revision: Int64) -> Bool {
        revisions[reference].map { revision <= $0 } ?? false
    }

    /// Every resource that is there.
    public var allReferences: [ResourceReference] {
        func named(_ kind: ResourceKind, _ names: some Sequence<String>) -> [ResourceReference] {
            names.map { ResourceReference(kind: kind, name: $0) }
        }
        return named(.project, projects.keys) + named(.quota, quotas.keys) + named(.pool, pools.keys)
            + named(.node, nodes.keys) + named(.device, devices.keys) + named(.priceList, priceLists.keys)
            + named(.alertRule, alertRules.keys) + profiles.keys + workloads.keys + vgpus.keys + events.keys
    }

    // MARK: - Changing

    /// Takes in a resource as the store has it.
    ///
    /// - Returns: Whether it is news.
    /// - Throws: ``ManifestError`` or a decoding error where the store holds what this version can't read.
    @discardableResult
    public mutating func put(_ document: ResourceDocument) throws -> Bool {
        let reference = document.reference
        let revision = document.metadata.revision ?? 0
        guard revision > revisions[reference] ?? -1 else { return false }
        switch document.kind {
        case .project: projects[reference.name] = try document.resource()
        case .quota: quotas[reference.name] = try document.resource()
        case .pool: pools[reference.name] = try document.resource()
        case .node: nodes[reference.name] = try document.resource()
        case .device: try putDevice(document)
        case .profile: profiles[reference] = try document.resource()
        case .workload: workloads[reference] = try document.resource()
        case .virtualGPU: try putVGPU(document)
        case .priceList: priceLists[reference.name] = try document.resource()
        case .alertRule: alertRules[reference.name] = try document.resource()
        case .event: events[reference] = try document.resource()
        }
        revisions[reference] = revision
        return true
    }

    /// Takes out a resource that was deleted at a revision.
    ///
    /// - Returns: Whether it is news.
    @discardableResult
    public mutating func remove(_ reference: ResourceReference, revision: Int64) -> Bool {
        guard revision > revisions[reference] ?? -1 else { return false }
        revisions[reference] = revision
        switch reference.kind {
        case .project: projects[reference.name] = nil
        case .quota: quotas[reference.name] = nil
        case .pool: pools[reference.name] = nil
        case .node: nodes[reference.name] = nil
        case .device:
            if let device = devices.removeValue(forKey: reference.name) {
                devicesOfNode[device.spec.node]?.remove(reference.name)
            }
        case .profile: profiles[reference] = nil
        case .workload: workloads[reference] = nil
        case .virtualGPU: if let vgpu = vgpus.removeValue(forKey: reference) { unindex(vgpu) }
        case .priceList: priceLists[reference.name] = nil
        case .alertRule: alertRules[reference.name] = nil
        case .event: events[reference] = nil
        }
        return true
    }

    /// Takes note that every change up to a revision was taken in.
    public mutating func advance(to revision: Int64) {
        self.revision = max(self.revision, revision)
    }

    private mutating func putDevice(_ document: ResourceDocument) throws {
        let device: Resource<DeviceSpec> = try document.resource()
        devices[device.metadata.name] = device
        devicesOfNode[device.spec.node, default: []].insert(device.metadata.name)
    }

    private mutating func putVGPU(_ document: ResourceDocument) throws {
        let vgpu: Resource<VirtualGPUSpec> = try document.resource()
        if let before = vgpus[vgpu.reference] { unindex(before) }
        vgpus[vgpu.reference] = vgpu
        vgpusOfWorkload[vgpu.spec.workloadUID, default: []].insert(vgpu.reference)
        vgpusOfNode[vgpu.spec.node, default: []].insert(vgpu.reference)
    }

    private mutating func unindex(_ vgpu: Resource<VirtualGPUSpec>) {
        vgpusOfWorkload[vgpu.spec.workloadUID]?.remove(vgpu.reference)
        if vgpusOfWorkload[vgpu.spec.workloadUID]?.isEmpty == true { vgpusOfWorkload[vgpu.spec.workloadUID] = nil }
        vgpusOfNode[vgpu.spec.node]?.remove(vgpu.reference)
    }
}
