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

/// A gang that may go, before it is written out.
private struct Pick {
    var home: Int
    var place: Int
    var right: ReclaimRight
    var saturation: Double
    var priority: Int64
    var startedAt: Int64
    var milliDevices: Int64
}

extension AdmissionState {
    /// Which running gangs of other projects may be taken back for a request that waits; the best `limit` of them.
    ///
    /// Costs some tens of nanoseconds for each gang of a project that has too much.
    public mutating func reclaimOffer(for id: String, at now: Int64, limit: Int = .max) -> ReclaimOffer {
        settleShares(at: now)
        guard let place = place(of: id), waiting[place].refusal == nil, refusals(of: waiting[place].request).isEmpty
        else { return ReclaimOffer() }
        let request = waiting[place]
        var offer = ReclaimOffer()
        var picks: [Pick] = []
        for home in gangsAt.indices where !gangsAt[home].gangs.isEmpty && home != request.home {
            let fork = fork(from: request.home, to: home)
            let rights = [ReclaimRight.fairShare, .guarantee].filter { holds($0, for: request, fork, given: [:]) }
            guard !rights.isEmpty else { continue }
            // Work without a project is nobody's to give.
            let isOwned = home != tree.nodes[ProjectTree.root].home
            let bar = takerSaturation(fork, request)
            let terms = NodeTerms(tree.nodes[fork.giver], heapStart: 0)
            let shared = SharedResources(of: capacity)
            let given = tree.nodes[fork.giver].requests
            let saturation = terms.saturation(using: given, shared)
            for place in gangsAt[home].gangs.indices {
                guard let right = right(over: gangsAt[home].gangs[place], rights, for: request, at: now, &offer),
                    isOwned
                else { continue }
                let requests = gangsAt[home].gangs[place].requests
                var pick = Pick(
                    home: home, place: place, right: right, saturation: saturation,
                    priority: gangsAt[home].gangs[place].priority,
                    startedAt: gangsAt[home].gangs[place].startedAt, milliDevices: requests.milliDevices)
                if right == .fairShare,
                    terms.saturation(using: given - requests, shared) < bar
                        || tree.isWithinGuarantee(fork.giver, using: given - requests, asking: requests)
                {
                    guard rights.contains(.guarantee) else { continue }
                    pick.right = .guarantee
                }
                picks.append(pick)
                // Twice as many as are wanted, then the better half: the least that keeps each step cheap.
                if limit < .max / 2, picks.count >= max(64, 2 * limit) { keepBest(limit, of: &picks) }
            }
        }
        keepBest(limit, of: &picks)
        offer.candidates = picks.map(candidate)
        return offer
    }

    private func keepBest(_ limit: Int, of picks: inout [Pick]) {
        picks.sort { goesBefore($0, $1) }
        if picks.count > limit { picks.removeLast(picks.count - limit) }
    }

    /// By what right a gang may go, as far as its own workloads count; nil where it may not.
    private func right(
        over gang: GangBook.Gang, _ rights: [ReclaimRight], for request: WaitingRequest, at now: Int64,
        _ offer: inout ReclaimOffer
    ) -> ReclaimRight? {
        guard gang.isPreemptible else {
            offer.keptCount += 1
            return nil
        }
        if gang.protectedUntil > now {
            offer.protectedCount += 1
            offer.protectedUntil = min(offer.protectedUntil ?? .max, gang.protectedUntil)
            return nil
        }
        guard gang.priority > request.request.priority else { return rights[0] }
        // A guarantee holds against more urgent work too; a fair share does not.
        if rights.contains(.guarantee) { return .guarantee }
        offer.urgentCount += 1
        return nil
    }

    private func candidate(_ pick: Pick) -> ReclaimCandidate {
        let gang = gangsAt[pick.home].gangs[pick.place]
        return ReclaimCandidate(
            gang: gang.name, workloads: gang.members.map(\.id).sorted(), project: gang.project, right: pick.right,
            requests: gang.requests, priority: gang.priority, startedAt: gang.startedAt)
    }

    /// Fair shares first; then from who has most of its share, least urgent, youngest, smallest.
    private func goesBefore(_ one: Pick, _ other: Pick) -> Bool {
        if one.right != other.right { return one.right.rawValue < other.right.rawValue }
        if one.saturation != other.saturation { return one.saturation > other.saturation }
        if one.priority != other.priority { return one.priority < other.priority }
        if one.startedAt != other.startedAt { return one.startedAt > other.startedAt }
        if one.milliDevices != other.milliDevices { return one.milliDevices < other.milliDevices }
        let (name, otherName) = (gangsAt[one.home].gangs[one.place].name, gangsAt[other.home].gangs[other.place].name)
        return name == otherName ? one.home < other.home : name < otherName
    }

    /// How saturated who takes would be, with the margin that it must stay below who gives.
    private func takerSaturation(_ fork: Fork, _ request: WaitingRequest) -> Double {
        let taken = tree.nodes[fork.taker].requests + request.booking.requests
        let margin = Double(max(1000, policy.reclaimMarginThousandths)) / 1000
        return tree.saturation(fork.taker, using: taken, of: capacity) * margin
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
            // The giver could take it back at once.
            if tree.isWithinGuarantee(fork.giver, using: left, asking: gang.requests) { return false }
            let bar = takerSaturation(fork, request)
            if tree.saturation(fork.giver, using: left, of: capacity) < bar { return false }
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
