import Admission
import FleetModel
import Scheduling

/// Replicas that wait for places together: one, or the missing members of a gang.
struct WaitingReplicas {
    let workload: ResourceReference
    let uid: String
    let effective: EffectiveSpec
    let replicas: [Int64]
    /// The place that each will have.
    let places: [PlaceID]
    /// How many of them must be placed at once.
    let minimum: Int
    /// What each asks of the scheduler, with the first one's name.
    let request: WorkloadRequest
    /// When it was last tried, and what was found then.
    var triedEpoch: Int?
    var verdict = ""
    /// The places for which room was made.
    var targets: [Placement] = []

    var requests: [WorkloadRequest] {
        places.map { place in
            var request = request
            request.id = place.text
            return request
        }
    }

    /// Whether this is still what the workload wants.
    func isSame(as other: WaitingReplicas) -> Bool {
        var request = other.request
        request.id = self.request.id
        return uid == other.uid && replicas == other.replicas && effective == other.effective
            && minimum == other.minimum && self.request == request
    }
}

extension PlacementController {
    /// The most replicas of one workload, outside of gangs, that stand in the queue at one time.
    private static let queuedCountMax = 1024

    /// Makes the queue hold just the replicas that a workload lacks.
    func synchronizeWaiting(_ reference: ResourceReference, _ view: FleetView) {
        let before = requestsOfWorkload[reference] ?? []
        var wanted = view.workloads[reference].map { missing(of: $0, view) } ?? []
        for id in before {
            guard let known = waiting[id] else { continue }
            if let same = wanted.firstIndex(where: { $0.isSame(as: known) }) {
                wanted.remove(at: same)
            } else {
                withdraw(id)
            }
        }
        guard !wanted.isEmpty, let workload = view.workloads[reference] else { return }
        isQueueChanged = true
        for replicas in wanted {
            let id = replicas.places[0].text
            if before.isEmpty { scheduler.observe(replicas.request) }
            waiting[id] = replicas
            requestsOfWorkload[reference, default: []].append(id)
            admission.submit(
                AdmissionTerms.pending(workload, replicas.effective, id: id, replicas: replicas.replicas))
        }
    }

    /// Takes a request out of the queue.
    func withdraw(_ id: String) {
        admission.withdraw(id)
        endEviction(for: id)
        endKeptRoom(for: id)
        guard let replicas = waiting.removeValue(forKey: id) else { return }
        requestsOfWorkload[replicas.workload]?.removeAll { $0 == id }
        if requestsOfWorkload[replicas.workload]?.isEmpty == true { requestsOfWorkload[replicas.workload] = nil }
    }

    /// What a workload lacks; nothing where it can't be placed as it is, which ``problem(of:_:)`` tells.
    private func missing(of workload: Resource<WorkloadSpec>, _ view: FleetView) -> [WaitingReplicas] {
        let effective = EffectiveSpec(workload, in: view)
        if effective.problem != nil || defects[workload.reference] != nil {
            defects[workload.reference] = effective.problem ?? ""
            isQueueChanged = true
        }
        guard workload.status.phase != .failed, effective.problem == nil else { return [] }
        let count = workload.spec.replicas ?? 1
        let settled = Replica.all(of: workload, in: view).filter { !$0.live.isEmpty || $0.hasSucceeded }
        let there = Set(settled.map(\.index))
        let missing = (0..<count).filter { !there.contains($0) }
        guard !missing.isEmpty else { return [] }
        guard let gang = workload.spec.gang else {
            return missing.prefix(PlacementController.queuedCountMax).map {
                replicas([$0], of: workload, effective, minimum: 1)
            }
        }
        let minimum = max(1, Int((gang.minimum ?? count) - Int64(there.count)))
        return [replicas(missing, of: workload, effective, minimum: min(minimum, missing.count))]
    }

    private func replicas(
        _ indices: [Int64], of workload: Resource<WorkloadSpec>, _ effective: EffectiveSpec, minimum: Int
    ) -> WaitingReplicas {
        let project = workload.metadata.project ?? defaultProject
        let places = indices.map { index in
            let stem = workload.metadata.name.prefix(44)
            return PlaceID(project: project, base: "\(stem)-\(index)-\(environment.suffix())")
        }
        return WaitingReplicas(
            workload: workload.reference, uid: workload.metadata.uid ?? "", effective: effective, replicas: indices,
            places: places, minimum: minimum,
            request: SchedulingTerms.request(workload, effective, id: places[0].text))
    }
}
