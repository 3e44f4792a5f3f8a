/// What of a request is looked at again and again: plain numbers, which cost nothing to copy.
struct Ask: Sendable {
    var requests: ResourceVector
    var limits: ResourceVector
    /// How urgent it counts, overdue or not.
    var priority: Int64
    var arrival: Int64
    var notBefore: Int64
    var isKept: Bool
    var isOverdue: Bool
    /// Whether it can never be admitted as things are.
    var isRefused: Bool
    /// Whether members of its gang may be missing.
    var isGang: Bool

    init(_ waiting: WaitingRequest, _ policy: AdmissionPolicy) {
        requests = waiting.booking.requests
        limits = waiting.booking.limits
        priority = waiting.priority(policy)
        arrival = waiting.request.arrival
        notBefore = waiting.notBefore
        isKept = waiting.booking.isKept
        isOverdue = waiting.isOverdue
        isRefused = waiting.refusal != nil
        isGang = waiting.request.readiness != nil
    }
}

/// What is used of a node, at some point of a walk.
struct NodeUse: Sendable {
    var requests: ResourceVector
    var limits: ResourceVector
    var kept: ResourceVector
}

/// Which resources are shared out.
struct SharedResources: Sendable {
    let compute: Bool
    let speed: Bool
    let memory: Bool
    let vgpus: Bool
    let workloads: Bool

    init(of capacity: ResourceVector) {
        func isShared(_ amount: Int64) -> Bool { amount > 0 && amount < .max }
        compute = isShared(capacity.milliDevices)
        speed = isShared(capacity.milliTeraflops)
        memory = isShared(capacity.mebibytes)
        vgpus = isShared(capacity.vgpus)
        workloads = isShared(capacity.workloads)
    }
}

/// What of a node is looked at again and again while requests are ordered.
struct NodeTerms: Sendable {
    let parent: Int
    /// Where its heap begins.
    let heapStart: Int
    let requestCap: ResourceVector
    let limitCap: ResourceVector
    let isCapped: Bool
    let guaranteed: ResourceVector
    let hasGuarantee: Bool
    let share: ResourceVector
    let demand: ResourceVector
    let past: Double

    init(_ node: ProjectNode, heapStart: Int) {
        parent = node.parent
        self.heapStart = heapStart
        requestCap = node.project.requestCap
        limitCap = node.project.limitCap
        isCapped = requestCap != .unlimited || limitCap != .unlimited
        guaranteed = node.guaranteed
        hasGuarantee = !node.guaranteed.isZero
        share = node.share
        demand = node.demand
        past = node.past
    }

    /// As ``ProjectTree/isWithinGuarantee(_:using:asking:)``.
    func isWithinGuarantee(using used: ResourceVector, asking asked: ResourceVector) -> Bool {
        var isGuaranteed = false
        func isWithin(_ guaranteed: Int64, _ used: Int64, _ asked: Int64) -> Bool {
            guard guaranteed > 0, asked > 0 else { return true }
            isGuaranteed = true
            return asked <= guaranteed - used
        }
        return isWithin(guaranteed.milliDevices, used.milliDevices, asked.milliDevices)
            && isWithin(guaranteed.milliTeraflops, used.milliTeraflops, asked.milliTeraflops)
            && isWithin(guaranteed.mebibytes, used.mebibytes, asked.mebibytes)
            && isWithin(guaranteed.vgpus, used.vgpus, asked.vgpus)
            && isWithin(guaranteed.workloads, used.workloads, asked.workloads) && isGuaranteed
    }

    /// As ``ProjectTree/saturation(_:using:of:)``.
    func saturation(using used: ResourceVector, _ isShared: SharedResources) -> Double {
        func part(_ isShared: Bool, _ used: Int64, _ share: Int64, _ demand: Int64) -> Double {
            guard isShared else { return 0 }
            guard share <= 0 else { return Double(used) / Double(share) }
            return used > 0 || demand > 0 ? .infinity : 0
        }
        let compute = part(isShared.compute, used.milliDevices, share.milliDevices, demand.milliDevices)
        let speed = part(isShared.speed, used.milliTeraflops, share.milliTeraflops, demand.milliTeraflops)
        let memory = part(isShared.memory, used.mebibytes, share.mebibytes, demand.mebibytes)
        let vgpus = part(isShared.vgpus, used.vgpus, share.vgpus, demand.vgpus)
        let workloads = part(isShared.workloads, used.workloads, share.workloads, demand.workloads)
        return max(compute, speed, max(memory, vgpus, workloads))
    }
}
