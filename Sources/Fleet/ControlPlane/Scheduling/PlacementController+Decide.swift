import Admission
import FleetModel
import Scheduling

extension PlacementController {
    /// What to write to place replicas that wait, and to make room for them.
    func decide(_ view: FleetView, now: Timestamp) -> ActionList {
        synchronize(view, now: now)
        var list = ActionList()
        stopAgain(view, in: &list)
        guard isQueueChanged else { return list }
        isQueueChanged = false
        liftKeptRoom()
        var sentences: [ResourceReference: (text: String, position: Int64?)] = [:]
        for (reference, defect) in defects {
            if defect.isEmpty { defects[reference] = nil } else { sentences[reference] = (defect, nil) }
        }
        for id in served {
            defer { waiting[id]?.targets = [] }
            guard let replicas = waiting[id], let workload = view.workloads[replicas.workload],
                let request = admission.request(id), admission.refusal(of: request) == nil
            else { continue }
            _ = attempt(replicas, workload, view, isOverdue: false, now: now, in: &list)
        }
        served = []
        var tried = 0
        for entry in admission.order(at: now.milliseconds).entries {
            guard let replicas = waiting[entry.id], let workload = view.workloads[replicas.workload] else { continue }
            var sentence = entry.explanation(at: now.milliseconds)
            if entry.standing == .ready {
                if replicas.triedEpoch != roomEpoch {
                    guard tried < settings.roundCountMax else {
                        isQueueChanged = true
                        break
                    }
                    tried += 1
                    let isOverdue = entry.isOverdue
                    guard !attempt(replicas, workload, view, isOverdue: isOverdue, now: now, in: &list) else {
                        continue
                    }
                }
                sentence = waiting[entry.id]?.verdict ?? sentence
            }
            if sentences[replicas.workload] == nil { sentences[replicas.workload] = (sentence, Int64(entry.position)) }
        }
        explain(sentences, view, now: now, in: &list)
        return list
    }

    /// Places replicas if they fit; else makes room for them or notes why there is none.
    ///
    /// - Returns: Whether they are placed.
    private func attempt(
        _ replicas: WaitingReplicas, _ workload: Resource<WorkloadSpec>, _ view: FleetView, isOverdue: Bool,
        now: Timestamp, in list: inout ActionList
    ) -> Bool {
        if let placements = find(replicas) {
            place(replicas, placements, of: workload, view, now: now, in: &list)
            return true
        }
        let id = replicas.places[0].text
        waiting[id]?.triedEpoch = roomEpoch
        waiting[id]?.verdict =
            makeRoom(for: id, replicas, view, now: now, in: &list)
            ?? (isOverdue ? keepRoom(for: id, replicas, now: now, in: &list) : nil) ?? summary(of: replicas)
        return false
    }

    /// Places for replicas, taken in the scheduler's state; nil where too few of them fit.
    private func find(_ replicas: WaitingReplicas) -> [Placement]? {
        var found: [Placement]?
        if replicas.places.count == 1 {
            found = (try? scheduler.placement(for: replicas.requests[0])).flatMap(\.self).map { [$0] }
        } else {
            let gang = GangRequest(members: replicas.requests, minimumMembers: replicas.minimum)
            found = (try? scheduler.placements(for: gang)).flatMap(\.self)
        }
        // What was found when room was made may not be found again, since gangs are placed otherwise where nobody has
        // to go: without the places that were meant, room would be made for ever.
        if found == nil, scheduler.accepts(replicas.targets, for: replicas.requests) { found = replicas.targets }
        guard let found, !found.isEmpty else { return nil }
        let requests = Dictionary(replicas.requests.map { ($0.id, $0) }) { first, _ in first }
        for placement in found {
            guard let request = requests[placement.workload] else { continue }
            _ = try? scheduler.apply(.place(request, placement))
        }
        return found
    }

    // MARK: - Writing

    private func place(
        _ replicas: WaitingReplicas, _ placements: [Placement], of workload: Resource<WorkloadSpec>,
        _ view: FleetView, now: Timestamp, in list: inout ActionList
    ) {
        withdraw(replicas.places[0].text)
        for placement in placements {
            let place = PlaceID(text: placement.workload)
            guard let at = replicas.places.firstIndex(of: place) else { continue }
            let vgpus = vgpus(workload, replicas.effective, replicas.replicas[at], placement, view, now: now)
            // What is held is what the vGPUs will say, so that their coming back from the store changes nothing.
            let written = SchedulingTerms.placement(vgpus, id: place.text)
            var request = replicas.request
            request.id = place.text
            protect(place, &request, workload, since: now, now: now)
            if written != placement || request.isEvictionProtected {
                _ = try? scheduler.apply(.release(workload: place.text))
                _ = try? scheduler.apply(.place(request, written))
            }
            held[place] = written
            workloadOfPlace[place] = workload.reference
            admission.book(AdmissionTerms.running(vgpus, of: workload, id: place.text), at: now.milliseconds)
            for vgpu in vgpus { list.create(vgpu) }
            let nodes = vgpus.map(\.spec.node).joined(separator: ", ")
            list.note(
                workload.reference, .normal, "Placed", "Replica \(replicas.replicas[at]) is placed on \(nodes).",
                at: now)
        }
    }

    private func vgpus(
        _ workload: Resource<WorkloadSpec>, _ effective: EffectiveSpec, _ replica: Int64, _ placement: Placement,
        _ view: FleetView, now: Timestamp
    ) -> [Resource<VirtualGPUSpec>] {
        let place = PlaceID(text: placement.workload)
        var hosts: [String] = []
        for device in placement.devices where !hosts.contains(device.host) { hosts.append(device.host) }
        return hosts.enumerated().map { part, host in
            let devices = placement.devices.filter { $0.host == host }
            var spec = VirtualGPUSpec(
                workload: workload.reference, uid: workload.metadata.uid ?? "", replica: replica,
                pool: effective.pool ?? "", node: host, devices: devices.map(\.device))
            if hosts.count > 1 {
                spec.part = Int64(part)
                spec.parts = Int64(hosts.count)
            }
            fill(&spec, effective, view)
            if placement.homeHost != host || workload.spec.program != nil { spec.programNode = placement.homeHost }
            var metadata = Metadata(
                name: place.vgpuName(part: part), project: place.project, labels: workload.metadata.labels)
            metadata.uid = environment.uid()
            metadata.generation = 1
            metadata.createdAt = now
            return Resource(metadata, spec)
        }
    }

    private func fill(_ spec: inout VirtualGPUSpec, _ effective: EffectiveSpec, _ view: FleetView) {
        let device = view.devices["\(spec.node).\(spec.devices[0])"]?.status ?? DeviceStatus()
        func percent(_ amount: ComputeQuantity) -> Percent {
            let milli = amount.milliDevices(deviceMilliTeraflops: device.milliTeraflops) ?? 1000
            return Percent(min(max((milli + 9) / 10, 1), 100))
        }
        spec.compute = Bounds(request: percent(effective.compute.request), limit: percent(effective.compute.limit))
        spec.memory = effective.memory ?? Bounds(device.memory)
        spec.isolation = effective.isolation
        spec.qos = effective.qos
        spec.priority = effective.priority
    }

    // MARK: - Saying why

    private func explain(
        _ sentences: [ResourceReference: (text: String, position: Int64?)], _ view: FleetView, now: Timestamp,
        in list: inout ActionList
    ) {
        for (reference, sentence) in sentences.sorted(by: { $0.key < $1.key }) {
            guard let workload = view.workloads[reference] else { continue }
            list.update(workload) { workload in
                workload.status.waiting = sentence.text
                workload.status.queuePosition = sentence.position
                if workload.status.waitingSince == nil { workload.status.waitingSince = now }
            }
        }
    }

    /// Why replicas find no place, in a sentence.
    private func summary(of replicas: WaitingReplicas) -> String {
        guard let diagnosis = try? scheduler.diagnosis(of: replicas.requests[0]) else { return "" }
        if diagnosis.placement != nil {
            return "One replica has room, but not all \(replicas.minimum) of its gang at once."
        }
        return FleetExplanation.summary(diagnosis)
    }
}
