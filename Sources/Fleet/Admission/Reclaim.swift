/// By what right a workload is taken back.
public enum ReclaimRight: Int, Sendable, Hashable {
    /// Who takes stays within its fair share, and who gives has more than its own.
    case fairShare
    /// Who takes stays within its guarantee, and who gives has more than its own.
    case guarantee
}

/// A gang that may be taken back, whole.
public struct ReclaimCandidate: Sendable, Hashable {
    /// The gang's name.
    public var gang: String
    /// Its workloads, by name.
    public var workloads: [String]
    /// Whose it is.
    public var project: String
    /// By what right.
    public var right: ReclaimRight
    /// What it gives back.
    public var requests: ResourceVector
    /// The highest priority of its workloads.
    public var priority: Int64
    /// When the youngest of them started.
    public var startedAt: Int64

    /// By what right, where the gang is and how old it is: a sentence for an event.
    public var reason: String {
        switch right {
        case .fairShare: "Project \(project) uses more than its fair share."
        case .guarantee: "Project \(project) uses more than it is guaranteed, and another's guarantee is wanted."
        }
    }
}

/// What may be taken back for a request, and what may not.
public struct ReclaimOffer: Sendable, Hashable {
    /// Gangs, best first. Each may go alone; ask `mayReclaim` for a set of them.
    public var candidates: [ReclaimCandidate] = []
    /// Gangs of projects that should give, which are protected until a time; the earliest such time.
    public var protectedUntil: Int64?
    /// How many gangs are protected for now.
    public var protectedCount = 0
    /// How many gangs can't be taken back at all.
    public var keptCount = 0
    /// How many gangs are more urgent than the request.
    public var urgentCount = 0
}

/// Where the ways of two workloads to the root part.
private struct Fork {
    /// The node below the lowest common one, towards who takes.
    var taker: Int
    /// The same towards who gives.
    var giver: Int
    /// Nodes from the giver's workloads up to `giver`.
    var givers: [Int]
}

extension AdmissionState {
    /// Which running gangs of other projects may be taken back for a request that waits.
    public mutating func reclaimOffer(for id: String, at now: Int64) -> ReclaimOffer {
        settleShares(at: now)
        guard let place = place(of: id), waiting[place].refusal == nil, refusals(of: waiting[place].request).isEmpty
        else { return ReclaimOffer() }
        var offer = ReclaimOffer()
        for home in runningAt.indices where !runningAt[home].isEmpty && home != waiting[place].home {
            let fork = fork(from: waiting[place].home, to: home)
            let rights = [ReclaimRight.fairShare, .guarantee].filter {
                holds($0, for: waiting[place], fork, given: [:])
            }
            guard let right = rights.first else { continue }
            for gang in gangs(at: home, right: right) {
                consider(gang, rights: rights, for: waiting[place], at: now, offer: &offer)
            }
        }
        offer.candidates.removeAll { !mayReclaim([$0], for: id, at: now) }
        let saturations = tree.nodes.indices.map {
            tree.saturation($0, using: tree.nodes[$0].requests, of: capacity)
        }
        let fullness = Dictionary(
            uniqueKeysWithValues: Set(offer.candidates.map(\.project)).map { project in
                let home = tree.home(of: project) ?? ProjectTree.root
                return (project, saturations[fork(from: waiting[place].home, to: home).giver])
            })
        offer.candidates.sort { one, other in
            ReclaimCandidate.goesBefore(one, other, fullness[one.project] ?? 0, fullness[other.project] ?? 0)
        }
        return offer
    }

    /// Whether a set of gangs may be taken back together for a request: each from a project that still has too much
    /// when its turn comes, and without leaving a project that gives less saturated than the one that takes.
    public mutating func mayReclaim(_ gangs: [ReclaimCandidate], for id: String, at now: Int64) -> Bool {
        settleShares(at: now)
        guard let place = place(of: id), waiting[place].refusal == nil else { return false }
        let request = waiting[place]
        var given: [Int: ResourceVector] = [:]
        for gang in gangs {
            guard let home = tree.home(of: gang.project), home != request.home else { return false }
            let fork = fork(from: request.home, to: home)
            guard holds(gang.right, for: request, fork, given: given) else { return false }
            for node in tree.path(from: home) { given[node, default: .zero] += gang.requests }
            guard gang.right == .fairShare else { continue }
            let left = tree.nodes[fork.giver].requests - (given[fork.giver] ?? .zero)
            let taken = tree.nodes[fork.taker].requests + request.booking.requests
            let margin = Double(max(1000, policy.reclaimMarginThousandths)) / 1000
            let taker = tree.saturation(fork.taker, using: taken, of: capacity) * margin
            if tree.saturation(fork.giver, using: left, of: capacity) < taker { return false }
        }
        return true
    }

    /// Candidates from the front that may all go together, up to what is asked for.
    public mutating func reclaimSet(from offer: ReclaimOffer, for id: String, at now: Int64) -> [ReclaimCandidate] {
        guard let wanted = request(id)?.requests else { return [] }
        var chosen: [ReclaimCandidate] = []
        var given = ResourceVector.zero
        for candidate in offer.candidates where !wanted.fits(in: given) {
            guard mayReclaim(chosen + [candidate], for: id, at: now) else { continue }
            chosen.append(candidate)
            given += candidate.requests
        }
        return chosen
    }

    private mutating func consider(
        _ gang: ReclaimCandidate, rights: [ReclaimRight], for request: WaitingRequest, at now: Int64,
        offer: inout ReclaimOffer
    ) {
        let members = gang.workloads.compactMap { running[$0] }
        if members.contains(where: { !$0.isPreemptible }) {
            offer.keptCount += 1
            return
        }
        if let end = members.map(\.protectedUntil).max(), end > now {
            offer.protectedCount += 1
            offer.protectedUntil = min(offer.protectedUntil ?? .max, end)
            return
        }
        var candidate = gang
        if gang.priority > request.request.priority {
            // A guarantee holds against more urgent work too; a fair share does not.
            guard rights.contains(.guarantee) else {
                offer.urgentCount += 1
                return
            }
            candidate.right = .guarantee
        }
        if candidate.right == .fairShare, rights.contains(.guarantee),
            !mayReclaim([candidate], for: request.request.id, at: now)
        {
            candidate.right = .guarantee
        }
        offer.candidates.append(candidate)
    }

    private func gangs(at home: Int, right: ReclaimRight) -> [ReclaimCandidate] {
        var gangs: [String: ReclaimCandidate] = [:]
        for id in runningAt[home].sorted() {
            guard let workload = running[id] else { continue }
            var gang =
                gangs[workload.gang]
                ?? ReclaimCandidate(
                    gang: workload.gang, workloads: [], project: workload.project, right: right, requests: .zero,
                    priority: .min, startedAt: .min)
            gang.workloads.append(id)
            gang.requests += workload.booking.requests
            gang.priority = max(gang.priority, workload.priority)
            gang.startedAt = max(gang.startedAt, workload.startedAt)
            gangs[workload.gang] = gang
        }
        return gangs.values.sorted { $0.gang < $1.gang }
    }

    private func fork(from taker: Int, to giver: Int) -> Fork {
        let down = tree.path(from: taker).reversed().map { $0 }
        let other = tree.path(from: giver).reversed().map { $0 }
        var depth = 0
        while depth + 1 < min(down.count, other.count), down[depth] == other[depth] { depth += 1 }
        return Fork(taker: down[depth], giver: other[depth], givers: Array(other[depth...]))
    }

    /// Whether a right holds once so much has been given already. Of some resource that is asked for, the giver and all
    /// below it on the way to the workload must have too much, so that nobody pays for a neighbour.
    private func holds(
        _ right: ReclaimRight, for request: WaitingRequest, _ fork: Fork, given: [Int: ResourceVector]
    ) -> Bool {
        let asked = request.booking.requests
        let taker = tree.nodes[fork.taker]
        let shared = QuotaResource.allCases.filter { asked[$0] > 0 && capacity[$0] > 0 && capacity[$0] < .max }
        switch right {
        case .fairShare:
            guard shared.allSatisfy({ asked[$0] <= taker.share[$0] - taker.requests[$0] }) else { return false }
        case .guarantee:
            guard tree.isWithinGuarantee(fork.taker, using: taker.requests, asking: asked) else { return false }
        }
        return shared.contains { resource in
            if right == .guarantee, taker.guaranteed[resource] == 0 { return false }
            return fork.givers.allSatisfy { number in
                let node = tree.nodes[number]
                let left = node.requests - (given[number] ?? .zero)
                return left[resource] > (right == .fairShare ? node.share : node.guaranteed)[resource]
            }
        }
    }
}

extension ReclaimCandidate {
    /// Fair shares first; then from who has most of its share, least urgent, youngest, smallest.
    fileprivate static func goesBefore(
        _ one: ReclaimCandidate, _ other: ReclaimCandidate, _ oneSaturation: Double, _ otherSaturation: Double
    ) -> Bool {
        if one.right != other.right { return one.right.rawValue < other.right.rawValue }
        if oneSaturation != otherSaturation { return oneSaturation > otherSaturation }
        if one.priority != other.priority { return one.priority < other.priority }
        if one.startedAt != other.startedAt { return one.startedAt > other.startedAt }
        if one.requests.milliDevices != other.requests.milliDevices {
            return one.requests.milliDevices < other.requests.milliDevices
        }
        return one.gang < other.gang
    }
}
