import Admission
import FleetModel
import Scheduling

extension PlacementController {
    /// The most gangs that are thought away at once for one request.
    private static let reclaimCountMax = 64

    /// Evicts what lets a request in, if anything may be evicted for it.
    ///
    /// - Returns: What is done about it, in a sentence; nil where nothing is.
    func makeRoom(
        for id: String, _ replicas: WaitingReplicas, _ view: FleetView, now: Timestamp, in list: inout ActionList
    ) -> String? {
        guard settings.allowsEviction else { return nil }
        if let places = evicting[id] { return "Room is being made: \(places.count) less urgent replicas are ending." }
        let plan = (try? scheduler.preemption(for: replicas.requests)).flatMap(\.self)
        let urgent = plan?.evictions.map(PlaceID.init(text:)) ?? []
        if !urgent.isEmpty, urgent.allSatisfy({ mayPreempt($0, for: replicas, view) }) {
            return evict(urgent, for: id, replicas, "Preempted", "More urgent work", view, now: now, in: &list)
        }
        guard let gangs = reclaimable(for: id, replicas, now: now) else { return nil }
        let places = gangs.flatMap { $0.workloads.map(PlaceID.init(text:)) }
        return evict(places, for: id, replicas, "Reclaimed", gangs[0].reason, view, now: now, in: &list)
    }

    /// Whether urgency alone may end a replica. Where a guarantee stands between two projects, only what exceeds it is
    /// taken back, by ``reclaimable(for:_:now:)``: else both would take from each other for ever.
    private func mayPreempt(_ place: PlaceID, for replicas: WaitingReplicas, _ view: FleetView) -> Bool {
        let own = Set(StatusRollup.path(from: replicas.workload.project, in: view))
        let guaranteed = Set(view.quotas.values.filter { $0.spec.guaranteed != nil }.map(\.spec.project))
        return StatusRollup.path(from: place.project, in: view).allSatisfy {
            own.contains($0) || !guaranteed.contains($0)
        }
    }

    /// The gangs of projects that have too much whose leaving lets a request in; nil where none suffice.
    private func reclaimable(for id: String, _ replicas: WaitingReplicas, now: Timestamp) -> [ReclaimCandidate]? {
        let offer = admission.reclaimOffer(for: id, at: now.milliseconds)
        guard !offer.candidates.isEmpty else { return nil }
        var thoughtAway: [(ReclaimCandidate, [(WorkloadRequest, Placement)])] = []
        defer { for (_, places) in thoughtAway { restore(places) } }
        for candidate in offer.candidates.prefix(PlacementController.reclaimCountMax) {
            guard candidate.workloads.allSatisfy({ leaving[PlaceID(text: $0)] == nil }) else { continue }
            guard admission.mayReclaim(thoughtAway.map(\.0) + [candidate], for: id, at: now.milliseconds) else {
                continue
            }
            thoughtAway.append((candidate, take(candidate)))
            guard fits(replicas) else { continue }
            spareSome(&thoughtAway, replicas)
            return thoughtAway.map(\.0)
        }
        return nil
    }

    /// Puts back those, the first thought away first, without which the request fits too.
    private func spareSome(
        _ gangs: inout [(ReclaimCandidate, [(WorkloadRequest, Placement)])], _ replicas: WaitingReplicas
    ) {
        for index in gangs.indices.reversed().dropFirst() {
            restore(gangs[index].1)
            if fits(replicas) {
                gangs.remove(at: index)
            } else {
                gangs[index].1 = take(gangs[index].0)
            }
        }
    }

    private func fits(_ replicas: WaitingReplicas) -> Bool {
        guard replicas.places.count > 1 else {
            return (try? scheduler.placement(for: replicas.requests[0])).flatMap(\.self) != nil
        }
        let gang = GangRequest(members: replicas.requests, minimumMembers: replicas.minimum)
        return (try? scheduler.placements(for: gang)).flatMap(\.self) != nil
    }

    private func take(_ gang: ReclaimCandidate) -> [(WorkloadRequest, Placement)] {
        gang.workloads.compactMap { id in
            guard let request = scheduler.request(of: id), let placement = scheduler.placement(of: id) else {
                return nil
            }
            guard (try? scheduler.apply(.release(workload: id))) != nil else { return nil }
            return (request, placement)
        }
    }

    private func restore(_ places: [(WorkloadRequest, Placement)]) {
        for (request, placement) in places { _ = try? scheduler.apply(.place(request, placement)) }
    }

    private func evict(
        _ places: [PlaceID], for id: String, _ replicas: WaitingReplicas, _ reason: String, _ why: String,
        _ view: FleetView, now: Timestamp, in list: inout ActionList
    ) -> String {
        evicting[id] = Set(places)
        for place in places {
            leaving[place] = id
            keepFromOthers(place)
            for vgpu in place.vgpus(in: view) where vgpu.spec.stop != true {
                list.update(vgpu) { vgpu in
                    vgpu.spec.stop = true
                    vgpu.spec.stopReason = reason
                }
            }
            guard let workload = place.vgpus(in: view).first.flatMap(view.workload(of:)) else { continue }
            list.note(
                workload.reference, .warning, reason,
                "\(place.base) gives its place to \(replicas.workload.name) of \(replicas.workload.project ?? ""): \(why).",
                at: now)
        }
        return "Room is being made: \(places.count) less urgent replicas are ending."
    }

    // MARK: - Keeping the room

    /// Who ends for one request can't end for another as well.
    private func keepFromOthers(_ place: PlaceID) {
        guard var request = scheduler.request(of: place.text), let placement = scheduler.placement(of: place.text) else {
            return
        }
        request.isPreemptible = false
        _ = try? scheduler.apply(.release(workload: place.text))
        _ = try? scheduler.apply(.place(request, placement))
    }

    /// Takes note that nothing is left of a replica that ends for a request. Its place stays taken until all that the
    /// request needs are free.
    func vacate(_ place: PlaceID, for id: String) {
        vacated.insert(place)
        guard let places = evicting[id], places.isSubset(of: vacated) else { return }
        endEviction(for: id)
        served.append(id)
    }

    /// Gives free what was kept for a request.
    func endEviction(for id: String) {
        guard let places = evicting.removeValue(forKey: id) else { return }
        for place in places {
            leaving[place] = nil
            guard vacated.remove(place) != nil else { continue }
            _ = try? scheduler.apply(.release(workload: place.text))
            held[place] = nil
        }
        noteRoom()
    }
}
