extension AdmissionState {
    /// The queue now. With `limit`, only as much of it as is needed to find so many that are ready.
    public mutating func order(at now: Int64, limit: Int = .max) -> QueueOrder {
        settleQueues(at: now)
        settleShares(at: now)
        var walk = OrderWalk(self, at: now)
        walk.run(limit: max(0, limit))
        return walk.order
    }

    /// Why quotas keep a request out right now; nil where they do not. Others that wait are not looked at.
    public func refusal(of request: PendingRequest) -> QuotaRefusal? {
        let waiting = WaitingRequest(request: request, booking: request.booking, home: 0)
        return permanentRefusal(of: waiting) ?? refusals(of: request).first
    }

    /// Every quota on the way up that a request breaks right now, the nearest project first.
    public func refusals(of request: PendingRequest) -> [QuotaRefusal] {
        guard let home = tree.home(of: request.project) else { return [unknownProject(request.project)] }
        let booking = request.booking
        let rootGuarantee = tree.nodes[ProjectTree.root].guaranteed
        var found: [QuotaRefusal] = []
        for number in tree.path(from: home) {
            let node = tree.nodes[number]
            if let shape = request.shape, let broken = bound(of: node, brokenBy: shape) { found.append(broken) }
            if let broken = node.broken(by: booking, usedRequests: node.requests, usedLimits: node.limits) {
                found.append(broken)
            }
            guard policy.keepsWithinGuarantee, number != ProjectTree.root else { continue }
            if let broken = node.brokenGuarantee(by: booking, usedKept: node.kept, root: rootGuarantee) {
                found.append(broken)
            }
        }
        return found
    }

    /// A workload's shape, with its projects' defaults where the wish says nothing; the nearest project counts first.
    public func shape(of wish: WorkloadWish, replicas: Int64, in project: String) -> WorkloadShape {
        var complete = wish
        for node in tree.home(of: project).map(tree.path(from:)) ?? [] {
            complete = complete.completed(by: tree.nodes[node].project.defaults)
        }
        return complete.shape(replicas: replicas)
    }

    /// Why a request can't be admitted whatever runs.
    func permanentRefusal(of waiting: WaitingRequest) -> QuotaRefusal? {
        guard let home = tree.home(of: waiting.request.project) else { return unknownProject(waiting.request.project) }
        let rootGuarantee = tree.nodes[ProjectTree.root].guaranteed
        for number in tree.path(from: home) where number != ProjectTree.root {
            let node = tree.nodes[number]
            if let shape = waiting.request.shape, let broken = bound(of: node, brokenBy: shape) { return broken }
            if let broken = node.broken(by: waiting.booking, usedRequests: .zero, usedLimits: .zero) { return broken }
            guard policy.keepsWithinGuarantee else { continue }
            if let broken = node.brokenGuarantee(by: waiting.booking, usedKept: .zero, root: rootGuarantee) {
                return broken
            }
        }
        return nil
    }

    private func bound(of node: ProjectNode, brokenBy shape: WorkloadShape) -> QuotaRefusal? {
        node.project.bounds.broken(by: shape).map { subject, asked, allowed in
            QuotaRefusal(
                project: node.project.name, rule: .bound(subject), asked: asked, used: 0, allowed: allowed)
        }
    }

    private func unknownProject(_ name: String) -> QuotaRefusal {
        QuotaRefusal(project: name, rule: .unknownProject, asked: 0, used: 0, allowed: 0)
    }
}

// MARK: - How projects stand

/// How a project stands, for its status and its page.
public struct ProjectStanding: Sendable, Hashable {
    /// What requests add up to, here and below.
    public var requests: ResourceVector
    /// What limits add up to.
    public var limits: ResourceVector
    /// What it is sure of, with what those below are sure of where it states nothing.
    public var guaranteed: ResourceVector
    /// What of the guarantees of others it uses.
    public var borrowed: ResourceVector
    /// What it and those below could use.
    public var demand: ResourceVector
    /// What it should have now.
    public var fairShare: ResourceVector
    /// The largest part of its fair share that it uses of any resource; infinite where it has none of what it wants.
    public var saturation: Double
    /// How many requests wait that could be admitted.
    public var pendingCount: Int
    /// Resources whose cap, on requests or on limits, is used up as far as an alert is asked for.
    public var alerts: [QuotaResource]
}

extension AdmissionState {
    /// How a project stands now.
    public mutating func standing(of project: String, at now: Int64) -> ProjectStanding? {
        guard let number = tree.numbers[project] else { return nil }
        settleShares(at: now)
        let node = tree.nodes[number]
        var alerts: [QuotaResource] = []
        for resource in QuotaResource.allCases {
            let isNear = [(node.requests, node.project.requestCap), (node.limits, node.project.limitCap)].contains {
                let (used, cap) = ($0[resource], $1[resource])
                guard cap < .max else { return false }
                return used > 0 && Int128(used) * 1000 >= Int128(cap) * Int128(node.project.alertThousandths)
            }
            if isNear { alerts.append(resource) }
        }
        return ProjectStanding(
            requests: node.requests, limits: node.limits, guaranteed: node.guaranteed,
            borrowed: node.requests - node.guaranteed, demand: node.demand, fairShare: node.share,
            saturation: tree.saturation(number, using: node.requests, of: capacity), pendingCount: node.pendingCount,
            alerts: alerts)
    }

    /// What runs altogether.
    public var used: ResourceVector { tree.nodes[ProjectTree.root].requests }
}
