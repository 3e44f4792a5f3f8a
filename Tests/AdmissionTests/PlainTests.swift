import Testing

@testable import Admission

/// The order and the offers, found the plain way: everything is looked at and compared again at each step.
private struct PlainQueue {
    let state: AdmissionState
    let now: Int64
    private var queues: [[Int]]
    private var requests: [ResourceVector]
    private var limits: [ResourceVector]
    private var kept: [ResourceVector]
    private var holders: [Int: Int] = [:]
    private var entries: [QueueEntry] = []

    init(_ state: AdmissionState, at now: Int64) {
        self.state = state
        self.now = now
        queues = state.queues
        requests = state.tree.nodes.map(\.requests)
        limits = state.tree.nodes.map(\.limits)
        kept = state.tree.nodes.map(\.kept)
    }

    mutating func order() -> [QueueEntry] {
        let all = state.queues
        func isForming(_ place: Int) -> Bool {
            state.waiting[place].request.readiness.map { $0.state(at: now) != .ready } ?? false
        }
        func isOutside(_ place: Int) -> Bool { state.waiting[place].refusal != nil || isForming(place) }
        func isResting(_ place: Int) -> Bool { state.waiting[place].notBefore > now && !state.waiting[place].isOverdue }
        for takesResting in [false, true] {
            queues = all.map { queue in queue.filter { !isOutside($0) && isResting($0) == takesResting } }
            while let (place, leaf) = best(below: ProjectTree.root) {
                queues[leaf].removeFirst()
                take(place, at: leaf)
            }
        }
        return entries
    }

    /// The request that goes next of those at a node and below.
    private func best(below node: Int) -> (place: Int, leaf: Int)? {
        let children = state.tree.nodes[node].children
        guard !children.isEmpty else { return queues[node].first.map { ($0, node) } }
        var found: (child: Int, place: Int, leaf: Int)?
        for child in children {
            guard let (place, leaf) = best(below: child) else { continue }
            if let other = found, !goesBefore(child, place, other.child, other.place) { continue }
            found = (child, place, leaf)
        }
        return found.map { ($0.place, $0.leaf) }
    }

    private func goesBefore(_ node: Int, _ place: Int, _ otherNode: Int, _ otherPlace: Int) -> Bool {
        let (one, other) = (state.waiting[place], state.waiting[otherPlace])
        let isOlder = (one.request.arrival, one.request.id) < (other.request.arrival, other.request.id)
        let (priority, otherPriority) = (one.priority(state.policy), other.priority(state.policy))
        if priority != otherPriority { return priority > otherPriority }
        if one.isOverdue != other.isOverdue { return one.isOverdue }
        if one.isOverdue { return isOlder }
        func isWithin(_ node: Int, _ request: WaitingRequest) -> Bool {
            state.tree.isWithinGuarantee(node, using: requests[node], asking: request.booking.requests)
        }
        if isWithin(node, one) != isWithin(otherNode, other) { return isWithin(node, one) }
        func saturation(_ node: Int) -> Double {
            state.tree.saturation(node, using: requests[node], of: state.capacity)
        }
        if saturation(node) != saturation(otherNode) { return saturation(node) < saturation(otherNode) }
        let (past, otherPast) = (state.tree.nodes[node].past, state.tree.nodes[otherNode].past)
        return past == otherPast ? isOlder : past < otherPast
    }

    private mutating func take(_ place: Int, at leaf: Int) {
        let waiting = state.waiting[place]
        let saturation = state.tree.saturation(leaf, using: requests[leaf], of: state.capacity)
        let standing = standing(of: place, at: leaf)
        entries.append(
            QueueEntry(
                id: waiting.request.id, project: waiting.request.project, position: entries.count + 1,
                standing: standing, requests: waiting.booking.requests, isOverdue: waiting.isOverdue,
                saturation: saturation))
        switch standing {
        case .ready, .resting:
            for node in state.tree.path(from: leaf) {
                requests[node] += waiting.booking.requests
                limits[node] += waiting.booking.limits
                if waiting.booking.isKept { kept[node] += waiting.booking.requests }
            }
        default: break
        }
    }

    private mutating func standing(of place: Int, at leaf: Int) -> Standing {
        let waiting = state.waiting[place]
        for number in state.tree.path(from: leaf) where number != ProjectTree.root {
            let node = state.tree.nodes[number]
            if let holder = holders[number] {
                return .behind(state.waiting[holder].request.id, project: node.project.name)
            }
            var refusal = node.broken(by: waiting.booking, usedRequests: requests[number], usedLimits: limits[number])
            if refusal == nil, state.policy.keepsWithinGuarantee {
                refusal = node.brokenGuarantee(
                    by: waiting.booking, usedKept: kept[number], root: state.tree.nodes[ProjectTree.root].guaranteed)
            }
            guard let refusal else { continue }
            if waiting.isOverdue, !refusal.isPermanent { holders[number] = place }
            return .overQuota(refusal)
        }
        return waiting.notBefore > now ? .resting(until: waiting.notBefore, failures: waiting.failures) : .ready
    }
}

extension AdmissionState {
    /// What may be taken back, each running gang looked at by itself.
    fileprivate mutating func plainCandidates(for id: String, at now: Int64) -> [ReclaimCandidate] {
        guard let request = request(id), refusal(of: request) == nil else { return [] }
        var gangs: [String: ReclaimCandidate] = [:]
        for workload in running.values.sorted(by: { $0.id < $1.id }) {
            var gang =
                gangs["\(workload.project) \(workload.gang)"]
                ?? ReclaimCandidate(
                    gang: workload.gang, workloads: [], project: workload.project, right: .fairShare, requests: .zero,
                    priority: .min, startedAt: .min)
            gang.workloads.append(workload.id)
            gang.requests += workload.booking.requests
            gang.priority = max(gang.priority, workload.priority)
            gang.startedAt = max(gang.startedAt, workload.startedAt)
            gangs["\(workload.project) \(workload.gang)"] = gang
        }
        var found: [(candidate: ReclaimCandidate, saturation: Double)] = []
        for gang in gangs.values {
            let members = gang.workloads.compactMap { running[$0] }
            guard members.allSatisfy({ $0.isPreemptible && $0.protectedUntil <= now }) else { continue }
            var candidate = gang
            candidate.right = gang.priority > request.priority ? .guarantee : .fairShare
            if !mayReclaim([candidate], for: id, at: now) { candidate.right = .guarantee }
            guard mayReclaim([candidate], for: id, at: now) else { continue }
            found.append((candidate, giverSaturation(request.project, gang.project)))
        }
        return found.sorted { left, right in
            let (one, other) = (left.candidate, right.candidate)
            if one.right != other.right { return one.right.rawValue < other.right.rawValue }
            if left.saturation != right.saturation { return left.saturation > right.saturation }
            if one.priority != other.priority { return one.priority < other.priority }
            if one.startedAt != other.startedAt { return one.startedAt > other.startedAt }
            return (one.requests.milliDevices, one.gang) < (other.requests.milliDevices, other.gang)
        }.map(\.candidate)
    }

    /// How saturated the giver is at the level at which it parts from the taker.
    private func giverSaturation(_ taker: String, _ giver: String) -> Double {
        let above = Set(tree.home(of: taker).map(tree.path(from:)) ?? [])
        let path = tree.home(of: giver).map(tree.path(from:)) ?? []
        let node = path.last { !above.contains($0) } ?? ProjectTree.root
        return tree.saturation(node, using: tree.nodes[node].requests, of: capacity)
    }
}

@Suite("The fast ways give what the plain ones do")
struct PlainTests {
    private func policy(_ seed: UInt64) -> AdmissionPolicy {
        var policy = AdmissionPolicy()
        policy.patienceMilliseconds = seed % 3 == 0 ? 20_000 : nil
        policy.keepsWithinGuarantee = seed % 4 == 1
        if seed % 2 == 0 {
            policy.division.usageInfluence = 1
            policy.memory = UsageMemory(halfLifeMilliseconds: 30_000)
        }
        return policy
    }

    /// One more thing that happens: something comes, starts, ends, fails, or the projects change.
    private func step(
        _ number: Int, _ state: inout AdmissionState, _ projects: inout [Project], _ random: inout SeededGenerator
    ) {
        let now = Int64(number) * 1000
        var request = RandomFleet.request("r\(number)", projects, at: now, using: &random)
        request.isPreemptible = Int.random(in: 0..<6, using: &random) > 0
        request.protectionMilliseconds = Bool.random(using: &random) ? 0 : 15_000
        if Bool.random(using: &random) { request.gang = "g\(number / 5)-\(request.project)" }
        if Int.random(in: 0..<8, using: &random) == 0 {
            request.readiness = GangReadiness(minimum: 2, present: 1, since: now, timeoutMilliseconds: 9000)
        }
        state.submit(request)
        let waiting = state.order(at: now).entries
        for entry in waiting where entry.standing == .ready {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: state.place(entry.id, at: now)
            case 1: state.failed(entry.id, at: now, random: random.next())
            case 2 where number % 7 == 0: state.withdraw(entry.id)
            default: break
            }
        }
        if let id = state.running.keys.sorted().randomElement(using: &random), number % 2 == 0 {
            state.release(id, at: now)
        }
        if number % 20 == 19 {
            projects[Int.random(in: 0..<8, using: &random)].weight = Double(Int.random(in: 0...4, using: &random))
            state.setProjects(projects, at: now)
        }
        if number % 11 == 10 { state.retryAll() }
    }

    @Test("Orders and offers along random histories", arguments: 0..<24 as Range<UInt64>)
    func randomHistories(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var projects = RandomFleet.projects(using: &random)
        var state = AdmissionState(
            projects: projects, capacity: ResourceVector(milliDevices: 40_000, vgpus: 60, workloads: .max),
            policy: policy(seed))
        var candidateCount = 0
        for number in 0..<80 {
            step(number, &state, &projects, &random)
            let now = Int64(number) * 1000 + 500
            let order = state.order(at: now)
            var plain = PlainQueue(state, at: now)
            let expected = plain.order()
            #expect(Array(order.entries.prefix(expected.count)) == expected)
            let cut = state.order(at: now, limit: 3)
            #expect(cut.entries == Array(order.entries.prefix(cut.entries.count)))
            for entry in order.entries.prefix(4) {
                let offer = state.reclaimOffer(for: entry.id, at: now)
                #expect(offer.candidates == state.plainCandidates(for: entry.id, at: now))
                let few = state.reclaimOffer(for: entry.id, at: now, limit: 2)
                #expect(few.candidates == Array(offer.candidates.prefix(2)))
                candidateCount += offer.candidates.count
            }
        }
        #expect(candidateCount > 0)
    }
}
