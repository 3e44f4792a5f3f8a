import FleetModel
import Scheduling

/// A workload with replicas that found no place.
struct WaitingWorkload {
    /// The fleet's state when it was last tried: nothing changes until this does.
    var triedEpoch: Int
    /// What was asked for then.
    var request: WorkloadRequest
    /// How many replicas wait.
    var count: Int
}

extension PlacementController {
    /// What to write to place replicas that wait.
    func decide(_ view: FleetView, now: Timestamp) -> ActionList {
        synchronize(view, now: now)
        var list = ActionList()
        var placed = 0
        for workload in queue(view) {
            guard placed < settings.roundCountMax else { break }
            placed += settle(workload, view, now: now, in: &list)
        }
        return list
    }

    /// Workloads that may have something to be placed, the most urgent first.
    private func queue(_ view: FleetView) -> [Resource<WorkloadSpec>] {
        let retried = waiting.filter { $0.value.triedEpoch != capacityEpoch }.keys
        let references = unsettled.union(retried)
        unsettled = []
        let workloads = references.compactMap { reference -> (Resource<WorkloadSpec>, EffectiveSpec)? in
            guard let workload = view.workloads[reference] else {
                waiting[reference] = nil
                return nil
            }
            return (workload, EffectiveSpec(workload, in: view))
        }
        return workloads.sorted { left, right in
            if left.1.priority != right.1.priority { return left.1.priority > right.1.priority }
            let moments = [left, right].map { $0.0.metadata.createdAt?.milliseconds ?? 0 }
            return moments[0] != moments[1] ? moments[0] < moments[1] : left.0.reference < right.0.reference
        }.map(\.0)
    }

    /// Places what a workload lacks.
    ///
    /// - Returns: How many replicas were placed.
    private func settle(
        _ workload: Resource<WorkloadSpec>, _ view: FleetView, now: Timestamp, in list: inout ActionList
    ) -> Int {
        let missing = missingReplicas(of: workload, view)
        guard !missing.isEmpty, workload.status.phase != .failed else {
            waiting[workload.reference] = nil
            return 0
        }
        let effective = EffectiveSpec(workload, in: view)
        if let problem = effective.problem {
            explain(workload, problem, now: now, in: &list)
            return 0
        }
        let probe = SchedulingTerms.request(workload, effective, id: "\(workload.reference.key)")
        if let before = waiting[workload.reference], before.triedEpoch == capacityEpoch, before.request == probe,
            before.count == missing.count
        {
            return 0
        }
        if waiting[workload.reference] == nil { scheduler.observe(probe) }
        var found: [(replica: Int64, placement: Placement)] = []
        for replica in missing {
            let place = newPlace(for: workload, replica: replica)
            var request = probe
            request.id = place.text
            guard let placement = try? scheduler.placement(for: request),
                (try? scheduler.apply(.place(request, placement))) != nil
            else { break }
            found.append((replica, placement))
        }
        let minimum = workload.spec.gang.map { $0.minimum ?? workload.spec.replicas ?? 1 } ?? 0
        if Int(workload.spec.replicas ?? 1) - missing.count + found.count < Int(minimum) {
            for (_, placement) in found { _ = try? scheduler.apply(.release(workload: placement.workload)) }
            found = []
        }
        for (replica, placement) in found {
            held[PlaceID(text: placement.workload)] = placement
            create(workload, effective, replica, placement, view, now: now, in: &list)
        }
        let rest = missing.count - found.count
        waiting[workload.reference] =
            rest == 0 ? nil : WaitingWorkload(triedEpoch: capacityEpoch, request: probe, count: rest)
        if rest > 0 { explain(workload, summary(of: probe), now: now, in: &list) }
        return found.count
    }

    private func missingReplicas(of workload: Resource<WorkloadSpec>, _ view: FleetView) -> [Int64] {
        let settled = Replica.all(of: workload, in: view).filter { !$0.live.isEmpty || $0.hasSucceeded }
        let there = Set(settled.map(\.index))
        return (0..<(workload.spec.replicas ?? 1)).filter { !there.contains($0) }
    }

    private func newPlace(for workload: Resource<WorkloadSpec>, replica: Int64) -> PlaceID {
        let stem = workload.metadata.name.prefix(44)
        return PlaceID(
            project: workload.metadata.project ?? defaultProject, base: "\(stem)-\(replica)-\(environment.suffix())")
    }

    // MARK: - Writing

    private func create(
        _ workload: Resource<WorkloadSpec>, _ effective: EffectiveSpec, _ replica: Int64, _ placement: Placement,
        _ view: FleetView, now: Timestamp, in list: inout ActionList
    ) {
        let place = PlaceID(text: placement.workload)
        var hosts: [String] = []
        for device in placement.devices where !hosts.contains(device.host) { hosts.append(device.host) }
        for (part, host) in hosts.enumerated() {
            let devices = placement.devices.filter { $0.host == host }
            var spec = VirtualGPUSpec(
                workload: workload.reference, uid: workload.metadata.uid ?? "", replica: replica,
                pool: effective.pool ?? "", node: host, devices: devices.map(\.device))
            if hosts.count > 1 {
                spec.part = Int64(part)
                spec.parts = Int64(hosts.count)
            }
            fill(&spec, effective, devices, view)
            if workload.spec.program != nil { spec.programNode = placement.homeHost ?? host }
            var metadata = Metadata(
                name: place.vgpuName(part: part), project: place.project, labels: workload.metadata.labels)
            metadata.uid = environment.uid()
            metadata.generation = 1
            metadata.createdAt = now
            list.create(Resource(metadata, spec))
        }
        let nodes = hosts.joined(separator: ", ")
        list.note(workload.reference, .normal, "Placed", "Replica \(replica) is placed on \(nodes).", at: now)
    }

    private func fill(
        _ spec: inout VirtualGPUSpec, _ effective: EffectiveSpec, _ devices: [DeviceAllotment], _ view: FleetView
    ) {
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

    private func explain(
        _ workload: Resource<WorkloadSpec>, _ sentence: String, now: Timestamp, in list: inout ActionList
    ) {
        list.update(workload) { workload in
            workload.status.waiting = sentence
            if workload.status.waitingSince == nil { workload.status.waitingSince = now }
        }
    }

    /// Why a request finds no place, in a sentence.
    private func summary(of request: WorkloadRequest) -> String {
        "No place has room for it."
    }
}
