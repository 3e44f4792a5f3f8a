import Admission
import FleetModel
import Scheduling

extension PlacementController {
    /// Why a workload is placed as it is, or waits; nil where there is none.
    func explain(_ reference: ResourceReference, _ view: FleetView, now: Timestamp) -> Explanation? {
        guard let workload = view.workloads[reference] else { return nil }
        synchronize(view, now: now)
        let status = workload.status
        let replicas = workload.spec.replicas ?? 1
        var explanation = Explanation(
            workload: reference, phase: status.phase, verdict: "All \(replicas) replicas have places.")
        explanation.queuePosition = status.queuePosition
        if let defect = EffectiveSpec(workload, in: view).problem {
            explanation.verdict = defect
            return explanation
        }
        guard let id = requestsOfWorkload[reference]?.first, let replicas = waiting[id] else { return explanation }
        explanation.verdict = status.waiting ?? "It has only just arrived."
        if let request = admission.request(id), let refusal = admission.refusal(of: request) {
            explanation.verdict = refusal.message
            return explanation
        }
        guard let found = try? scheduler.diagnosis(of: replicas.requests[0]), found.placement == nil else {
            return explanation
        }
        // What is being done about it says more than that it does not fit.
        if evicting[id] == nil, keptRoom?.id != id { explanation.verdict = FleetExplanation.summary(found) }
        explanation.reasons = FleetExplanation.reasons(found)
        explanation.nearest = found.nearest.flatMap(FleetExplanation.nearest)
        explanation.remedies = found.remedies.map(FleetExplanation.remedy)
        return explanation
    }

    /// Where workloads would go if they were made now, and what they would cost by the hour.
    func plan(_ workloads: [Resource<WorkloadSpec>], _ view: FleetView, now: Timestamp) -> Plan {
        synchronize(view, now: now)
        var plan = Plan()
        var thought: [String] = []
        var price = 0.0
        for workload in workloads {
            let effective = EffectiveSpec(workload, in: view)
            for replica in 0..<min(workload.spec.replicas ?? 1, 1000) {
                var planned = Plan.PlannedReplica(workload: workload.reference, replica: replica)
                planned.pool = effective.pool
                let id = "plan/\(workload.reference.key)/\(replica)"
                let request = SchedulingTerms.request(workload, effective, id: id)
                if let problem = effective.problem ?? refusal(workload, effective, id: id, replica) {
                    planned.message = problem
                } else if let placement = (try? scheduler.placement(for: request)).flatMap(\.self) {
                    _ = try? scheduler.apply(.place(request, placement))
                    thought.append(id)
                    planned.node = placement.devices.first?.host
                    planned.devices = placement.devices.map(\.device)
                    if placement.isRemote { planned.message = "Its program would run on \(placement.homeHost ?? "?")." }
                    let (cost, currency) = cost(placement, effective, view)
                    price += cost
                    plan.currency = plan.currency ?? currency
                } else {
                    planned.message = unplaced(request)
                }
                plan.placements.append(planned)
            }
        }
        for id in thought { _ = try? scheduler.apply(.release(workload: id)) }
        if plan.currency != nil { plan.pricePerHour = price }
        return plan
    }

    private func refusal(
        _ workload: Resource<WorkloadSpec>, _ effective: EffectiveSpec, id: String, _ replica: Int64
    ) -> String? {
        admission.refusal(of: AdmissionTerms.pending(workload, effective, id: id, replicas: [replica]))?.message
    }

    private func unplaced(_ request: WorkloadRequest) -> String {
        if let plan = (try? scheduler.preemption(for: [request])).flatMap(\.self), !plan.evictions.isEmpty {
            return "It would take the place of \(plan.evictions.joined(separator: ", "))."
        }
        return (try? scheduler.diagnosis(of: request)).map(FleetExplanation.summary) ?? "There is no place for it."
    }

    /// What a placement costs by the hour, by the price list of its pool.
    private func cost(
        _ placement: Placement, _ effective: EffectiveSpec, _ view: FleetView
    ) -> (Double, currency: String?) {
        guard let pool = effective.pool.flatMap({ view.pools[$0] }),
            let prices = pool.spec.priceList.flatMap({ view.priceLists[$0]?.spec })
        else { return (0, nil) }
        let sum = placement.devices.reduce(0.0) { sum, part in
            guard let device = view.devices["\(part.host).\(part.device)"]?.status else { return sum }
            let share = Double(part.computeMilli) / 1000
            if let model = prices.models?.first(where: { $0.model.lowercased() == device.model.lowercased() }) {
                return sum + model.perDeviceHour * share
            }
            let compute = Double(device.milliTeraflops) / 1000 * share * (prices.perTeraflopHour ?? 0)
            return sum + compute + Double(part.vramMiB) / 1024 * (prices.perGiBHour ?? 0)
        }
        return (sum, prices.currency)
    }
}
