import Admission
import FleetModel
import Scheduling

/// How replicas are placed.
public struct PlacementSettings: Sendable {
    /// How the scheduler decides.
    var scheduler = SchedulerSettings()
    /// How the queue is ordered.
    var admission = AdmissionPolicy()
    /// The most requests that one round tries, so that other work is never far away.
    public var roundCountMax = 256
    /// Whether more urgent work may take the place of less urgent, and projects what they are sure of.
    public var allowsEviction = true
    /// How long room is kept, as it becomes free, for a request that has waited longer than patience allows; nil keeps
    /// none. After as long again it may have its turn once more.
    var roomKeepingSpan: TimeSpan? = .minutes(30)

    /// The usual settings.
    public init() {}
}

/// Decides where replicas go: keeps the states of the scheduler and of admission equal to the resources, and walks the
/// queue of those that wait.
///
/// Used by one task at a time.
final class PlacementController {
    let settings: PlacementSettings
    let environment: any FleetEnvironment
    let scheduler: Scheduler
    var admission: AdmissionState
    /// Places that are held, by replicas that exist or that were just decided.
    var held: [PlaceID: Placement] = [:]
    /// Whose replicas they are: when one gives its place back, its workload may lack it.
    var workloadOfPlace: [PlaceID: ResourceReference] = [:]
    /// Replicas that wait, by the name of their request, and the requests of each workload.
    var waiting: [String: WaitingReplicas] = [:]
    var requestsOfWorkload: [ResourceReference: [String]] = [:]
    /// Places that are to be given back, by the request that they are for.
    var evicting: [String: Eviction] = [:]
    /// The same by place.
    var leaving: [PlaceID: String] = [:]
    /// Those of them that are free, and kept until all are: else others would take them one by one.
    var vacated = Set<PlaceID>()
    /// Room that is kept for the request that has waited too long.
    var keptRoom: KeptRoom?
    /// Until when no room is kept again for requests for which it was in vain.
    var keptInVain: [String: Timestamp] = [:]
    /// Requests for which all room is made.
    var served: [String] = []
    /// Why workloads can't be placed as they are; empty for those that were mended.
    var defects: [ResourceReference: String] = [:]
    /// Until when places are spared from eviction.
    var protectedUntil: [PlaceID: Timestamp] = [:]
    /// Workloads that may have replicas without a place, and whether the queue is to be walked again.
    private var unsettled = Set<ResourceReference>()
    var isQueueChanged = false
    /// Counts what may let in what did not fit before; what was tried since is not tried again.
    private(set) var roomEpoch = 0
    /// When something changes though nobody writes.
    var nextDeadline: Timestamp? {
        (Array(protectedUntil.values) + evicting.values.map(\.until) + [keptRoom?.until].compactMap(\.self)).min()
    }

    // What must be compared with the scheduler's state, and nodes as it has them.
    private var hosts: [String: HostDescription] = [:]
    private var nodeOfDevice: [String: String] = [:]
    private var changedNodes = Set<String>()
    private var changedPlaces = Set<PlaceID>()
    private var needsAllNodes = false
    private var needsProjects = true

    init(settings: PlacementSettings, environment: any FleetEnvironment) {
        self.settings = settings
        self.environment = environment
        scheduler = Scheduler(settings: settings.scheduler)
        var policy = settings.admission
        // What found no place is tried again when room is made, and only then.
        policy.backoff = Backoff(firstMilliseconds: 0, longestMilliseconds: 0)
        admission = AdmissionState(projects: [], capacity: .zero, policy: policy)
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
        case .quota, .project: needsProjects = true
        case .profile: unsettled.formUnion(requestsOfWorkload.keys)
        default: break
        }
    }

    // MARK: - State

    /// Makes the states of scheduler and admission what the view says.
    func synchronize(_ view: FleetView, now: Timestamp) {
        if needsProjects {
            needsProjects = false
            admission.setProjects(AdmissionTerms.projects(in: view), at: now.milliseconds)
            unsettled.formUnion(requestsOfWorkload.keys)
            isQueueChanged = true
        }
        if needsAllNodes {
            needsAllNodes = false
            changedNodes.formUnion(view.nodes.keys)
            unsettled.formUnion(view.workloads.keys)
        }
        if !changedNodes.isEmpty {
            for name in changedNodes.sorted() { synchronizeNode(name, view) }
            changedNodes = []
            let capacity = AdmissionTerms.capacity(of: view)
            if capacity != admission.capacity { admission.setCapacity(capacity, at: now.milliseconds) }
        }
        for place in changedPlaces.sorted() { synchronizePlace(place, view, now: now) }
        changedPlaces = []
        endProtections(now: now)
        for id in evicting.keys.sorted() where evicting[id].map({ $0.until <= now }) ?? false { endEviction(for: id) }
        endKeptRoom(now: now)
        for reference in unsettled.sorted() { synchronizeWaiting(reference, view) }
        unsettled = []
    }

    /// Room was made, or may be: all that waits is tried again.
    func noteRoom() {
        roomEpoch += 1
        isQueueChanged = true
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
        noteRoom()
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
        if placement == nil, let id = leaving[place] {
            admission.release(place.text, at: now.milliseconds)
            if let workload = workloadOfPlace.removeValue(forKey: place) { unsettled.insert(workload) }
            return vacate(place, for: id)
        }
        if held[place] != nil {
            _ = try? scheduler.apply(.release(workload: place.text))
            held[place] = nil
            protectedUntil[place] = nil
        }
        admission.release(place.text, at: now.milliseconds)
        guard let placement else {
            if let workload = workloadOfPlace.removeValue(forKey: place) { unsettled.insert(workload) }
            return noteRoom()
        }
        let workload = view.workload(of: vgpus[0])
        workloadOfPlace[place] = workload?.reference
        admission.book(AdmissionTerms.running(vgpus, of: workload, id: place.text), at: now.milliseconds)
        var request = SchedulingTerms.request(placed: vgpus, of: workload, id: place.text)
        protect(place, &request, workload, since: vgpus[0].status.startedAt ?? vgpus[0].metadata.createdAt, now: now)
        // A device that is gone can't be held; the vGPU's end is the agent's to tell.
        if (try? scheduler.apply(.place(request, placement))) != nil { held[place] = placement }
    }

    // MARK: - Protection

    /// Marks a replica that is spared from eviction for a while.
    func protect(
        _ place: PlaceID, _ request: inout WorkloadRequest, _ workload: Resource<WorkloadSpec>?, since: Timestamp?,
        now: Timestamp
    ) {
        guard let span = workload?.spec.evictionProtection, let since, since + span > now else { return }
        request.isEvictionProtected = true
        protectedUntil[place] = since + span
    }

    /// Lets go of what was spared for long enough.
    private func endProtections(now: Timestamp) {
        for place in protectedUntil.keys.sorted() where protectedUntil[place].map({ $0 <= now }) ?? false {
            protectedUntil[place] = nil
            guard var request = scheduler.request(of: place.text), let placement = held[place] else { continue }
            request.isEvictionProtected = false
            _ = try? scheduler.apply(.release(workload: place.text))
            _ = try? scheduler.apply(.place(request, placement))
            noteRoom()
        }
    }
}
