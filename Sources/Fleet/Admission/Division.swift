/// What one project wants of one resource, beside its siblings.
public struct Claim: Sendable, Hashable {
    /// What it is sure of.
    public var guaranteed: Int64
    /// All that it could use: what it has and what it waits for.
    public var demand: Int64
    /// Its weight in thousandths.
    public var milliWeight: UInt64
    /// Higher ranks are served first from what is left over.
    public var rank: Int64
    /// What it has used of the capacity lately: 0 is nothing, 1 all of it.
    public var usage: Double

    /// Describes a claim.
    public init(guaranteed: Int64 = 0, demand: Int64, milliWeight: UInt64 = 1000, rank: Int64 = 0, usage: Double = 0) {
        self.guaranteed = guaranteed
        self.demand = demand
        self.milliWeight = milliWeight
        self.rank = rank
        self.usage = usage
    }
}

/// How what is left over is divided.
public struct DivisionRules: Sendable, Hashable {
    /// Whether all guarantees come before any rank. Otherwise a higher rank takes all it wants, whatever lower ones
    /// are guaranteed.
    public var guaranteesFirst = true
    /// How much past use lowers a share; 0 is not at all.
    public var usageInfluence = 0.0
    /// Shares are multiples of this, as far as demand is.
    public var unit: Int64 = 1

    /// Guarantees first, no regard to the past, to the last unit.
    public init() {}
}

/// Divides one resource among siblings. All of it is given as long as somebody wants it.
public enum Division {
    /// Each claim's share, in the order of the claims; earlier claims are older and win ties.
    ///
    /// First each gets its guarantee, as far as it wants it. The rest goes by rank, inside a rank by weight, in rounds:
    /// whoever wants less than its part gets what it wants, and the others divide again what that leaves. The last
    /// units go by largest remainder, then age.
    public static func shares(of amount: Int64, among claims: [Claim], rules: DivisionRules = .init()) -> [Int64] {
        if amount == .max { return claims.map { max(0, $0.demand) } }
        var round = Round(claims: claims, left: max(0, amount), rules: rules)
        let ranks = Set(claims.map(\.rank)).sorted(by: >)
        if rules.guaranteesFirst { round.giveGuarantees(to: Array(claims.indices)) }
        for rank in ranks {
            guard round.left > 0 else { break }
            let members = claims.indices.filter { claims[$0].rank == rank }
            if !rules.guaranteesFirst { round.giveGuarantees(to: members) }
            round.giveRest(to: members)
        }
        return round.shares
    }
}

/// A division in progress.
private struct Round {
    let claims: [Claim]
    var left: Int64
    let rules: DivisionRules
    var shares: [Int64]

    init(claims: [Claim], left: Int64, rules: DivisionRules) {
        self.claims = claims
        self.left = left
        self.rules = rules
        shares = Array(repeating: 0, count: claims.count)
    }

    /// What each is sure of; in proportion to it where not all of it is there.
    mutating func giveGuarantees(to members: [Int]) {
        let wishes = members.map { max(0, min(claims[$0].guaranteed, claims[$0].demand)) }
        fill(members, upTo: wishes, unit: 1) { active in active.map { UInt64(max(0, wishes[$0])) } }
    }

    /// By weight, corrected for past use; then to those whom that correction left without; then to those of weight 0.
    mutating func giveRest(to members: [Int]) {
        let claims = self.claims
        let plain = { (active: [Int]) in active.map { claims[members[$0]].milliWeight } }
        let influence = rules.usageInfluence
        if influence > 0 {
            fill(members, upTo: unmet(members), unit: rules.unit) { active in
                Round.corrected(plain(active), active.map { claims[members[$0]].usage }, influence)
            }
        }
        fill(members, upTo: unmet(members), unit: rules.unit, weights: plain)
        fill(members, upTo: unmet(members), unit: rules.unit) { active in active.map { _ in 1 } }
    }

    private func unmet(_ members: [Int]) -> [Int64] { members.map { max(0, claims[$0].demand - shares[$0]) } }

    /// max(0, W + k·(W − U)) in units of 2^-40, where W is the part of all weights and U the part used.
    private static func corrected(_ weights: [UInt64], _ usages: [Double], _ influence: Double) -> [UInt64] {
        let total = weights.reduce(0.0) { $0 + Double($1) }
        guard total > 0 else { return weights }
        return zip(weights, usages).map { weight, usage in
            let part = Double(weight) / total
            guard part > 0 else { return 0 }
            return UInt64(max(0, part + influence * (part - usage)) * 0x1p40 + 0.5)
        }
    }

    /// Gives each member its weight's part of what is left, but no more than it wants.
    ///
    /// `weights` gets places in `members` of those that still take part.
    private mutating func fill(
        _ members: [Int], upTo wishes: [Int64], unit: Int64, weights: ([Int]) -> [UInt64]
    ) {
        var active = members.indices.filter { wishes[$0] > 0 }
        while left > 0, !active.isEmpty {
            let pairs = zip(active, weights(active)).filter { $0.1 > 0 }
            let total = pairs.reduce(UInt64(0)) { $0 + $1.1 }
            guard total > 0 else { return }
            let available = UInt128(left)
            var unsatisfied: [Int] = []
            for (place, weight) in pairs {
                if UInt128(wishes[place]) * UInt128(total) <= available * UInt128(weight) {
                    give(wishes[place], to: members[place])
                } else {
                    unsatisfied.append(place)
                }
            }
            if unsatisfied.count == pairs.count {
                giveParts(pairs.map { (members[$0.0], wishes[$0.0], $0.1) }, total: total, unit: max(1, unit))
                return
            }
            active = unsatisfied
        }
    }

    /// Divides all that is left among members who each want more than their part.
    private mutating func giveParts(_ parts: [(member: Int, wish: Int64, weight: UInt64)], total: UInt64, unit: Int64) {
        let available = UInt128(left)
        var rests: [(member: Int, wish: Int64, whole: Int64, rest: UInt64)] = []
        for part in parts {
            let (quotient, rest) = (available * UInt128(part.weight)).quotientAndRemainder(dividingBy: UInt128(total))
            let exact = Int64(quotient)
            let floor = exact - exact % unit
            give(floor, to: part.member)
            rests.append((part.member, part.wish - floor, exact % unit, UInt64(rest)))
        }
        rests.sort { ($1.whole, $1.rest, $0.member) < ($0.whole, $0.rest, $1.member) }
        while left > 0 {
            for index in rests.indices where left > 0 {
                let piece = min(unit, left, rests[index].wish)
                give(piece, to: rests[index].member)
                rests[index].wish -= piece
            }
        }
    }

    private mutating func give(_ amount: Int64, to member: Int) {
        shares[member] += amount
        left -= amount
    }
}
