/// Counts, for each affinity term and domain, the workloads that match it and those that hold it against others.
struct AffinityCounts {
    /// A term without its direction.
    struct Term: Hashable {
        var workloads: LabelSelector
        var level: TopologyLevel
    }

    /// A count of a term in a domain that became zero, or left zero. Domain -1 stands for the whole fleet.
    struct Transition {
        var term: Int32
        var domain: Int32
    }

    private(set) var terms = Interner<Term>()
    /// By term, then by domain.
    private var matching: [[Int32: Int32]] = []
    private var holding: [[Int32: Int32]] = []
    private var totals: [Int32] = []
    private(set) var transitions: [Transition] = []
    private(set) var transitionBase = 0
    /// Terms that match a set of labels, as far as they were looked up.
    private var matches: [Int32: [Int32]] = [:]

    var isUsed: Bool { terms.count > 0 }
    var transitionEnd: Int { transitionBase + transitions.count }

    mutating func forgetTransitions() {
        transitionBase = transitionEnd
        transitions.removeAll(keepingCapacity: true)
    }

    /// The number of a term, and whether it was not known before.
    mutating func number(of term: Term) -> (term: Int32, isNew: Bool) {
        let known = terms.count
        let number = terms.number(of: term)
        guard terms.count > known else { return (number, false) }
        matching.append([:])
        holding.append([:])
        totals.append(0)
        matches.removeAll()
        return (number, true)
    }

    /// The terms that a set of labels matches.
    mutating func terms(matching labels: [String: String], number: Int32) -> [Int32] {
        if let known = matches[number] { return known }
        let found = terms.keys.indices.filter { terms.keys[$0].workloads.matches(labels) }.map { Int32($0) }
        matches[number] = found
        return found
    }

    func matchCount(of term: Int32, in domain: Int32) -> Int32 { matching[Int(term)][domain] ?? 0 }

    func holderCount(of term: Int32, in domain: Int32) -> Int32 { holding[Int(term)][domain] ?? 0 }

    func total(of term: Int32) -> Int32 { totals[Int(term)] }

    func isHeld(_ term: Int32) -> Bool { !holding[Int(term)].isEmpty }

    mutating func addMatch(of term: Int32, in domain: Int32, sign: Int32) {
        AffinityCounts.add(sign, to: &matching[Int(term)], term, domain, log: &transitions)
        let before = totals[Int(term)]
        totals[Int(term)] += sign
        if (before == 0) != (totals[Int(term)] == 0) { transitions.append(Transition(term: term, domain: -1)) }
    }

    mutating func addHolder(of term: Int32, in domain: Int32, sign: Int32) {
        AffinityCounts.add(sign, to: &holding[Int(term)], term, domain, log: &transitions)
    }

    private static func add(
        _ sign: Int32, to counts: inout [Int32: Int32], _ term: Int32, _ domain: Int32, log: inout [Transition]
    ) {
        let before = counts[domain] ?? 0
        let after = before + sign
        counts[domain] = after == 0 ? nil : after
        if (before == 0) != (after == 0) { log.append(Transition(term: term, domain: domain)) }
    }
}

extension FleetState {
    /// Gives a term its number; one that is new counts what is placed already.
    func termNumber(_ term: AffinityTerm) -> Int32 {
        let (number, isNew) = affinity.number(of: AffinityCounts.Term(workloads: term.workloads, level: term.level))
        guard isNew else { return number }
        for workload in workloads {
            guard let workload, term.workloads.matches(workload.request.labels) else { continue }
            for host in hostSlots(of: workload.assignment) {
                affinity.addMatch(of: number, in: domain(of: host, at: term.level), sign: 1)
            }
        }
        return number
    }

    func countAffinity(of workload: PlacedWorkload, on host: Int32, sign: Int32) {
        for term in affinity.terms(matching: workload.request.labels, number: workload.labels) {
            affinity.addMatch(of: term, in: domain(of: host, at: affinity.terms.keys[Int(term)].level), sign: sign)
        }
        for term in workload.request.affinity where term.direction == .apart && term.isHard {
            affinity.addHolder(of: termNumber(term), in: domain(of: host, at: term.level), sign: sign)
        }
    }

    /// Counts the workloads of a host for or against its domains, when it enters or leaves them.
    func recountAffinity(of host: Int32, sign: Int32) {
        guard affinity.isUsed else { return }
        for id in workloadIDs(on: host) {
            guard let slot = workloadNumbers[id], let workload = workloads[Int(slot)] else { continue }
            countAffinity(of: workload, on: host, sign: sign)
        }
    }
}
