extension ProjectTree {
    /// What each project could use: what it has and what waits, as far as its cap allows.
    mutating func setDemand() {
        for number in nodes.indices { nodes[number].demand = .zero }
        for number in nodes.indices.reversed() {
            let node = nodes[number]
            var demand = node.demand
            if node.home == number { demand = node.requests + node.pending }
            // What runs already stays demand, also where a cap was lowered since.
            let cap = ResourceVector.combine(node.project.requestCap, node.requests) { max($0, $1) }
            demand = .lesser(demand, cap)
            nodes[number].demand = demand
            if number != ProjectTree.root { nodes[node.parent].demand += demand }
        }
    }

    /// Divides the capacity among the top projects, each one's share among those below, and so on.
    mutating func setShares(
        of capacity: ResourceVector, policy: AdmissionPolicy, at now: Int64, potential: ResourceTime
    ) {
        let shared = QuotaResource.allCases.filter { capacity[$0] > 0 && capacity[$0] < .max }
        setPast(shared, policy: policy, at: now, potential: potential)
        nodes[ProjectTree.root].share = capacity
        for number in nodes.indices where !nodes[number].children.isEmpty {
            for resource in QuotaResource.allCases {
                divide(resource, at: number, policy: policy, now: now, potential: potential[resource])
            }
        }
    }

    private mutating func divide(
        _ resource: QuotaResource, at number: Int, policy: AdmissionPolicy, now: Int64, potential: Double
    ) {
        let children = nodes[number].children
        let amount = nodes[number].share[resource]
        // Together those below may want more than the node's own cap allows.
        let demand = children.reduce(Int64(0)) { $0.addingSaturated(nodes[$1].demand[resource]) }
        if amount >= demand || amount == .max {
            for child in children { nodes[child].share[resource] = nodes[child].demand[resource] }
            return
        }
        var rules = policy.division
        rules.unit = policy.units[resource]
        let claims = children.map { child in
            let node = nodes[child]
            var usage = 0.0
            if policy.usesPast, potential > 0 {
                usage = node.meter.total(at: now, memory: policy.memory)[resource] / potential
            }
            return Claim(
                guaranteed: node.guaranteed[resource], demand: node.demand[resource],
                milliWeight: node.project.milliWeight, rank: node.project.rank, usage: usage)
        }
        for (child, share) in zip(children, Division.shares(of: amount, among: claims, rules: rules)) {
            nodes[child].share[resource] = share
        }
    }

    private mutating func setPast(
        _ shared: [QuotaResource], policy: AdmissionPolicy, at now: Int64, potential: ResourceTime
    ) {
        guard policy.usesPast else { return }
        for number in nodes.indices {
            nodes[number].meter.advance(to: now, rate: nodes[number].requests, memory: policy.memory)
            let total = nodes[number].meter.total(at: now, memory: policy.memory)
            let parts = shared.map { potential[$0] > 0 ? total[$0] / potential[$0] : 0 }
            let weight = max(nodes[number].project.weight, 0.001)
            nodes[number].past = (parts.max() ?? 0) / weight
        }
    }

    /// The largest part of its fair share of any resource that a node uses; infinite where it uses or wants what it has
    /// no share of.
    func saturation(_ node: Int, using used: ResourceVector, of capacity: ResourceVector) -> Double {
        var highest = 0.0
        let (share, demand) = (nodes[node].share, nodes[node].demand)
        for resource in QuotaResource.allCases where capacity[resource] > 0 && capacity[resource] < .max {
            let part = share[resource]
            if part > 0 {
                highest = max(highest, Double(used[resource]) / Double(part))
            } else if used[resource] > 0 || demand[resource] > 0 {
                return .infinity
            }
        }
        return highest
    }

    /// Whether a node stays within a guarantee that it has of what is asked for.
    @inline(__always)
    func isWithinGuarantee(_ node: Int, using used: ResourceVector, asking asked: ResourceVector) -> Bool {
        let guaranteed = nodes[node].guaranteed
        var isGuaranteed = false
        for resource in QuotaResource.allCases where guaranteed[resource] > 0 && asked[resource] > 0 {
            if asked[resource] > guaranteed[resource] - used[resource] { return false }
            isGuaranteed = true
        }
        return isGuaranteed
    }
}
