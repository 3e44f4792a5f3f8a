import FleetModel
import Scheduling

/// How replicas are placed.
public struct PlacementSettings: Sendable {
    /// How the scheduler decides.
    var scheduler = SchedulerSettings()
    /// The most replicas that one round places, so that other work is never far away.
    public var roundCountMax = 256
    /// Whether more urgent work may take the place of less urgent.
    public var allowsPreemption = true

    /// The usual settings.
    public init() {}
}

/// Decides where replicas go: keeps the scheduler's state equal to the resources, and asks it for those that wait.
///
/// Used by one task at a time.
final class PlacementController {
    let settings: PlacementSettings
    let environment: any FleetEnvironment
    let scheduler: Scheduler
    /// Nodes as the scheduler has them.
    private var hosts: [String: HostDescription] = [:]
    /// What must be compared with the scheduler's state.
    private var changedNodes = Set<String>()
    private var changedPlaces = Set<PlaceID>()
    private var needsAllNodes = false
    private var nodeOfDevice: [String: String] = [:]
    /// Places that the scheduler holds.
    var held: [PlaceID: Placement] = [:]
    /// Workloads that may have replicas without a place.
    var unsettled = Set<ResourceReference>()
    /// Counts what may let a request fit that did not fit before.
    var capacityEpoch = 0
    var nextDeadline: Timestamp?
    var waiting: [ResourceReference: WaitingWorkload] = [:]

    init(settings: PlacementSettings, environment: any FleetEnvironment) {
        self.settings = settings
        self.environment = environment
        scheduler = Scheduler(settings: settings.scheduler)
    }

    /// Takes note of a change that is in the view.
    func noteChange(_ reference: ResourceReference, in view: FleetView) {
        switch reference.kind {
        case .node: changedNodes.insert(reference.name)
        case .device:
            // A deleted device names its node no more, and names of nodes may have dots.
            if let node = view.devices[reference.name]?.spec.node { nodeOfDevice[reference.name] = node }
            if let node = nodeOfDevice[reference.name] { changedNodes.insert(node) }
            if view.devices[reference.name] == nil { nodeOfDevice[reference.name] = nil }
        case .pool: needsAllNodes = true
        case .virtualGPU:
            changedPlaces.insert(PlaceID(vgpu: reference))
            if let workload = view.vgpus[reference].flatMap(view.workload(of:)) { unsettled.insert(workload.reference) }
        case .workload: unsettled.insert(reference)
        case .quota, .project, .profile: unsettled.formUnion(waiting.keys)
        default: break
        }
    }

    // MARK: - The scheduler's state

    /// Makes the scheduler's state what the view says.
    func synchronize(_ view: FleetView, now: Timestamp) {
        if needsAllNodes {
            changedNodes.formUnion(view.nodes.keys)
            unsettled.formUnion(view.workloads.keys)
            needsAllNodes = false
        }
        for name in changedNodes.sorted() { synchronizeNode(name, view) }
        changedNodes = []
        for place in changedPlaces.sorted() { synchronizePlace(place, view, now: now) }
        changedPlaces = []
    }

    private func synchronizeNode(_ name: String, _ view: FleetView) {
        let before = hosts[name]
        guard let node = view.nodes[name] else {
            guard before != nil else { return }
            hosts[name] = nil
            forget((try? scheduler.apply(.removeHost(name: name))) ?? [])
            return
        }
        let host = SchedulingTerms.host(node, in: view)
        guard host != before else { return }
        hosts[name] = host
        capacityEpoch += 1
        let change: FleetChange = before == nil ? .addHost(host) : .updateHost(host)
        forget((try? scheduler.apply(change)) ?? [])
        // What stands here in the view may have waited for the node to be known.
        for vgpu in view.vgpus(ofNode: name) { changedPlaces.insert(PlaceID(vgpu: vgpu.reference)) }
    }

    private func forget(_ places: [String]) {
        for place in places { held[PlaceID(text: place)] = nil }
    }

    private func synchronizePlace(_ place: PlaceID, _ view: FleetView, now: Timestamp) {
        let vgpus = place.vgpus(in: view).filter { $0.status.phase != .ended }
        let placement = vgpus.isEmpty ? nil : SchedulingTerms.placement(vgpus, id: place.text)
        guard placement != held[place] else { return }
        if held[place] != nil {
            _ = try? scheduler.apply(.release(workload: place.text))
            held[place] = nil
            capacityEpoch += 1
        }
        guard let placement else { return }
        let workload = view.workload(of: vgpus[0])
        let request = SchedulingTerms.request(
            placed: vgpus, of: workload, id: place.text,
            isProtected: PlacementController.isProtected(vgpus[0], workload, now: now))
        // A device that is gone can't be held; the vGPU's end is the agent's to tell.
        if (try? scheduler.apply(.place(request, placement))) != nil { held[place] = placement }
    }

    /// Whether a replica is spared from eviction now.
    static func isProtected(
        _ vgpu: Resource<VirtualGPUSpec>, _ workload: Resource<WorkloadSpec>?, now: Timestamp
    ) -> Bool {
        guard let span = workload?.spec.evictionProtection else { return false }
        guard let started = vgpu.status.startedAt ?? vgpu.metadata.createdAt else { return true }
        return now - started < span
    }
}

/// The name of a replica's place in the scheduler: the project and the name that its vGPUs share.
struct PlaceID: Hashable, Comparable {
    let project: String
    /// The name of the first vGPU; those on further nodes have `.p1`, `.p2` behind it.
    let base: String

    init(project: String, base: String) {
        self.project = project
        self.base = base
    }

    init(vgpu reference: ResourceReference) {
        project = reference.project ?? defaultProject
        base = PlaceID.base(of: reference.name)
    }

    init(text: String) {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        project = parts.first ?? ""
        base = parts.last ?? ""
    }

    var text: String { "\(project)/\(base)" }

    /// The name of a part's vGPU.
    func vgpuName(part: Int) -> String { part == 0 ? base : "\(base).p\(part)" }

    /// The vGPUs that are there, in the order of the parts.
    func vgpus(in view: FleetView) -> [Resource<VirtualGPUSpec>] {
        func vgpu(_ part: Int) -> Resource<VirtualGPUSpec>? {
            view.vgpus[ResourceReference(kind: .virtualGPU, project: project, name: vgpuName(part: part))]
        }
        guard let first = vgpu(0) else {
            // Parts end one by one; the first may be gone before the others.
            return (1..<128).lazy.compactMap(vgpu).prefix(128).map(\.self)
        }
        return (0..<Int(first.spec.parts ?? 1)).compactMap(vgpu)
    }

    private static func base(of name: String) -> String {
        guard let dot = name.lastIndex(of: "."), name[name.index(after: dot)...].first == "p",
            Int(name[dot...].dropFirst(2)) != nil
        else { return name }
        return String(name[..<dot])
    }

    static func < (left: PlaceID, right: PlaceID) -> Bool { left.text < right.text }
}
