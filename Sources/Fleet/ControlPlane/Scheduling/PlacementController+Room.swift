import Admission
import FleetModel
import Scheduling

/// Replicas that end so that a request has room.
struct Eviction {
    /// Where they are.
    var places: Set<PlaceID>
    /// Why, in one word.
    var reason: String
    /// When to wait no more: a node may be out of reach.
    var until: Timestamp
    /// Where the request goes then.
    var targets: [Placement] = []
    /// What stands in the scheduler for the free part of the room, so that nobody else takes it.
    var fillers: [String] = []
}

/// A device of a host.
private struct DevicePlace: Hashable {
    let host: String
    let device: String

    init(_ part: DeviceAllotment) {
        host = part.host
        device = part.device
    }
}

extension DeviceAllotment {
    /// Nothing of the same device.
    fileprivate var emptied: DeviceAllotment {
        DeviceAllotment(host: host, device: device, computeMilli: 0, vramMiB: 0)
    }
}

extension PlacementController {
    /// How long a request waits for what ends for it.
    private static let evictionSpan = TimeSpan.seconds(60)
    /// The most gangs that are thought away at once for one request.
    private static let reclaimCountMax = 64

    /// Evicts what lets a request in, if anything may be evicted for it.
    ///
    /// - Returns: What is done about it, in a sentence; nil where nothing is.
    func makeRoom(
        for id: String, _ replicas: WaitingReplicas, _ view: FleetView, now: Timestamp, in list: inout ActionList
    ) -> String? {
        guard settings.allowsEviction else { return nil }
        if let eviction = evicting[id] {
            return "Room is being made: \(eviction.places.count) less urgent replicas are ending."
        }
        let until = now + PlacementController.evictionSpan
        let plan = (try? scheduler.preemption(for: replicas.requests)).flatMap(\.self)
        let urgent = plan?.evictions.map(PlaceID.init(text:)) ?? []
        if !urgent.isEmpty, urgent.allSatisfy({ mayPreempt($0, for: replicas, view) }) {
            start(Eviction(places: Set(urgent), reason: "Preempted", until: until), for: id, plan?.placements ?? [])
            return tell(id, replicas, "More urgent work", view, now: now, in: &list)
        }
        guard let (gangs, targets) = reclaimable(for: id, replicas, now: now) else { return nil }
        let places = gangs.flatMap { $0.workloads.map(PlaceID.init(text:)) }
        start(Eviction(places: Set(places), reason: "Reclaimed", until: until), for: id, targets)
        return tell(id, replicas, gangs[0].reason, view, now: now, in: &list)
    }

    /// Whether urgency alone may end a replica. Where a guarantee stands between two projects, only what exceeds it is
    /// taken back, by ``reclaimable(for:_:now:)``: else both would take from each other for ever.
    private func mayPreempt(_ place: PlaceID, for replicas: WaitingReplicas, _ view: FleetView) -> Bool {
        let own = Set(StatusRollup.path(from: replicas.workload.project, in: view))
        // What is guaranteed to a project is to those above it too, unless they state less.
        let guaranteed = Set(
            view.quotas.values.filter { $0.spec.guaranteed != nil }
                .flatMap { StatusRollup.path(from: $0.spec.project, in: view) })
        return StatusRollup.path(from: place.project, in: view).allSatisfy {
            own.contains($0) || !guaranteed.contains($0)
        }
    }

    /// The gangs of projects that have too much whose leaving lets a request in; nil where none suffice.
    private func reclaimable(
        for id: String, _ replicas: WaitingReplicas, now: Timestamp
    ) -> (gangs: [ReclaimCandidate], targets: [Placement])? {
        let offer = admission.reclaimOffer(
            for: id, at: now.milliseconds, limit: PlacementController.reclaimCountMax)
        guard !offer.candidates.isEmpty else { return nil }
        var thoughtAway: [(ReclaimCandidate, [(WorkloadRequest, Placement)])] = []
        defer { for (_, places) in thoughtAway { restore(places) } }
        for candidate in offer.candidates {
            guard candidate.workloads.allSatisfy({ leaving[PlaceID(text: $0)] == nil }) else { continue }
            guard admission.mayReclaim(thoughtAway.map(\.0) + [candidate], for: id, at: now.milliseconds) else {
                continue
            }
            thoughtAway.append((candidate, take(candidate)))
            guard targets(of: replicas) != nil else { continue }
            spareSome(&thoughtAway, replicas)
            return (thoughtAway.map(\.0), targets(of: replicas) ?? [])
        }
        return nil
    }

    /// Puts back those, the first thought away first, without which the request fits too.
    private func spareSome(
        _ gangs: inout [(ReclaimCandidate, [(WorkloadRequest, Placement)])], _ replicas: WaitingReplicas
    ) {
        for index in gangs.indices.reversed().dropFirst() {
            restore(gangs[index].1)
            if targets(of: replicas) != nil {
                gangs.remove(at: index)
            } else {
                gangs[index].1 = take(gangs[index].0)
            }
        }
    }

    /// Where replicas would go now; nil where too few of them fit.
    private func targets(of replicas: WaitingReplicas) -> [Placement]? {
        guard replicas.places.count > 1 else {
            return (try? scheduler.placement(for: replicas.requests[0])).flatMap(\.self).map { [$0] }
        }
        let gang = GangRequest(members: replicas.requests, minimumMembers: replicas.minimum)
        return (try? scheduler.placements(for: gang)).flatMap(\.self)
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

    // MARK: - Evicting

    /// Takes note of an eviction, and keeps all of the room that it makes.
    private func start(_ eviction: Eviction, for id: String, _ targets: [Placement]) {
        var eviction = eviction
        eviction.targets = targets
        eviction.fillers = fill(targets, beside: eviction.places, for: id)
        for place in eviction.places.sorted() {
            leaving[place] = id
            keepFromOthers(place)
        }
        evicting[id] = eviction
    }

    /// Takes the part of devices that a request will have and that is free already.
    private func fill(_ targets: [Placement], beside leaving: Set<PlaceID>, for id: String) -> [String] {
        // Several members of a gang may go to one device: what leaves it counts once for all of them.
        var given: [DevicePlace: DeviceAllotment] = [:]
        for part in leaving.compactMap({ scheduler.placement(of: $0.text) }).flatMap(\.devices) {
            given[DevicePlace(part), default: part.emptied].computeMilli += part.computeMilli
            given[DevicePlace(part), default: part.emptied].vramMiB += part.vramMiB
        }
        var fillers: [String] = []
        for (index, wanted) in targets.flatMap(\.devices).enumerated() {
            let back = given[DevicePlace(wanted)] ?? wanted.emptied
            let compute = max(0, wanted.computeMilli - back.computeMilli)
            let memory = max(0, wanted.vramMiB - back.vramMiB)
            given[DevicePlace(wanted)]?.computeMilli = max(0, back.computeMilli - wanted.computeMilli)
            given[DevicePlace(wanted)]?.vramMiB = max(0, back.vramMiB - wanted.vramMiB)
            guard compute > 0 || memory > 0 else { continue }
            let part = DeviceAllotment(
                host: wanted.host, device: wanted.device, computeMilli: compute, vramMiB: memory)
            if let filler = fill(part, index, for: id) { fillers.append(filler) }
        }
        return fillers
    }

    /// Takes a part of a device so that nobody else does; answers with the name that it is taken under.
    func fill(_ part: DeviceAllotment, _ index: Int, for id: String) -> String? {
        let name = "room/\(id)/\(index)"
        let demand = DeviceDemand(count: 1, compute: .milli(part.computeMilli), vramMiB: part.vramMiB)
        var request = WorkloadRequest(id: name, devices: demand)
        request.keepsRoom = true
        request.remote = RemoteAccess(isAllowed: true)
        let placement = Placement(workload: name, homeHost: part.host, devices: [part])
        return (try? scheduler.apply(.place(request, placement))) == nil ? nil : name
    }

    /// Says to whom it happens what is happening.
    private func tell(
        _ id: String, _ replicas: WaitingReplicas, _ why: String, _ view: FleetView, now: Timestamp,
        in list: inout ActionList
    ) -> String {
        guard let eviction = evicting[id] else { return "" }
        let taker = "\(replicas.workload.name) of \(replicas.workload.project ?? "")"
        for place in eviction.places.sorted() {
            stop(place, eviction.reason, view, in: &list)
            guard let workload = place.vgpus(in: view).first.flatMap(view.workload(of:)) else { continue }
            list.note(
                workload.reference, .warning, eviction.reason,
                "\(place.base) gives its place to \(taker): \(why).", at: now)
        }
        return "Room is being made: \(eviction.places.count) less urgent replicas are ending."
    }

    private func stop(_ place: PlaceID, _ reason: String, _ view: FleetView, in list: inout ActionList) {
        for vgpu in place.vgpus(in: view) where vgpu.spec.stop != true && !vgpu.status.phase.isOver {
            list.update(vgpu) { vgpu in
                vgpu.spec.stop = true
                vgpu.spec.stopReason = reason
            }
        }
    }

    /// Stops again what was to be stopped and is not: somebody else was faster to write.
    func stopAgain(_ view: FleetView, in list: inout ActionList) {
        for (_, eviction) in evicting.sorted(by: { $0.key < $1.key }) {
            for place in eviction.places.sorted() { stop(place, eviction.reason, view, in: &list) }
        }
    }

    // MARK: - Keeping the room

    /// Who ends for one request can't end for another as well.
    private func keepFromOthers(_ place: PlaceID) {
        guard var request = scheduler.request(of: place.text), let placement = scheduler.placement(of: place.text)
        else {
            return
        }
        request.keepsRoom = true
        _ = try? scheduler.apply(.release(workload: place.text))
        _ = try? scheduler.apply(.place(request, placement))
    }

    /// Takes note that nothing is left of a replica that ends for a request. Its place stays taken until all that the
    /// request needs are free.
    func vacate(_ place: PlaceID, for id: String) {
        vacated.insert(place)
        guard let eviction = evicting[id], eviction.places.isSubset(of: vacated) else { return }
        endEviction(for: id)
        waiting[id]?.targets = eviction.targets
        served.append(id)
    }

    /// Gives free what was kept for a request.
    func endEviction(for id: String) {
        guard let eviction = evicting.removeValue(forKey: id) else { return }
        for filler in eviction.fillers { _ = try? scheduler.apply(.release(workload: filler)) }
        for place in eviction.places.sorted() {
            leaving[place] = nil
            guard vacated.remove(place) != nil else { continue }
            _ = try? scheduler.apply(.release(workload: place.text))
            held[place] = nil
        }
        noteRoom()
    }
}
