import Admission
import Testing

@Suite("Division of one resource")
struct DivisionTests {
    private static let ranksFirst: DivisionRules = {
        var rules = DivisionRules()
        rules.guaranteesFirst = false
        return rules
    }()

    private static func claims(_ lowDemand: Int64, _ secondDemand: Int64) -> [Claim] {
        [
            Claim(guaranteed: 20, demand: 70, milliWeight: 0, rank: 100),
            Claim(guaranteed: 30, demand: secondDemand, milliWeight: 2000, rank: 100),
            Claim(guaranteed: 30, demand: lowDemand, milliWeight: 1000, rank: 50),
        ]
    }

    // KAI's design of fair shares by priority, its three examples. With 100: A 20 and B 30 are guaranteed; of the other
    // 50, B with the only weight takes the 10 that it lacks, and A, of weight 0, the last 40. With 120 A lacks 50 and
    // 10 are left for C. With 200 B may have 50: 20 + 30, then 20 and 50 more; C gets 30 + 50.
    @Test(
        "Where ranks come before guarantees, KAI's published examples come out",
        arguments: [
            (100, 50, 40, [60, 40, 0]), (120, 50, 40, [70, 40, 10]), (200, 90, 50, [70, 50, 80]),
        ] as [(Int64, Int64, Int64, [Int64])])
    func ranksBeforeGuarantees(_ amount: Int64, _ low: Int64, _ second: Int64, _ expected: [Int64]) {
        let claims = DivisionTests.claims(low, second)
        #expect(Division.shares(of: amount, among: claims, rules: DivisionTests.ranksFirst) == expected)
    }

    // 20 + 30 + 30 are guaranteed; of the other 20, B takes the 10 that it lacks, and A the rest.
    @Test("Where guarantees come first, a low rank keeps its own")
    func guaranteesFirst() {
        #expect(Division.shares(of: 100, among: DivisionTests.claims(50, 40)) == [30, 40, 30])
    }

    // Weights 3:2:1 of 60 are 30, 20 and 10. The first wants only 6, so 24 go on at 2:1: 16 and 8.
    @Test("What one leaves goes to the others by weight")
    func rounds() {
        let claims = [
            Claim(demand: 6, milliWeight: 3000), Claim(demand: 100, milliWeight: 2000), Claim(demand: 100),
        ]
        #expect(Division.shares(of: 60, among: claims) == [6, 36, 18])
    }

    // Weights 3:2:2 of 10 devices are 4.29, 2.86 and 2.86: whole devices 4, 2, 2, and the two left go to the largest
    // remainders. Equal ones: the older first.
    @Test("Whole devices go by largest remainder, then age")
    func wholeDevices() {
        var rules = DivisionRules()
        rules.unit = 1000
        let uneven = [3000, 2000, 2000].map { Claim(demand: 50_000, milliWeight: $0) }
        #expect(Division.shares(of: 10_000, among: uneven, rules: rules) == [4000, 3000, 3000])
        let even = [1000, 1000, 1000].map { Claim(demand: 50_000, milliWeight: $0) }
        #expect(Division.shares(of: 10_000, among: even, rules: rules) == [4000, 3000, 3000])
    }

    @Test("Guarantees that are not there are cut in proportion")
    func overcommitted() {
        let claims = [Claim(guaranteed: 60, demand: 60), Claim(guaranteed: 30, demand: 90), Claim(demand: 9)]
        #expect(Division.shares(of: 30, among: claims) == [20, 10, 0])
    }

    // P = max(0, W + k·(W − U)). Two of weight 1, k = 1, of which the first used half the capacity lately: 0.5 + 0
    // and 0.5 + 0.5, so it gets a third. Had it used all, it would get 0.5 − 0.5 = 0.
    @Test("Who used much lately gets less of what is left over, but its guarantee all the same")
    func past() {
        var rules = DivisionRules()
        rules.usageInfluence = 1
        let half = [Claim(demand: 100, usage: 0.5), Claim(demand: 100)]
        #expect(Division.shares(of: 90, among: half, rules: rules) == [30, 60])
        let all = [Claim(guaranteed: 10, demand: 100, usage: 1), Claim(demand: 100)]
        #expect(Division.shares(of: 90, among: all, rules: rules) == [10, 80])
        // Nobody else wants it: then the past does not matter.
        #expect(Division.shares(of: 90, among: [Claim(demand: 100, usage: 1)], rules: rules) == [90])
    }

    @Test("What has no bound is not divided")
    func unlimited() {
        #expect(Division.shares(of: .max, among: [Claim(demand: 5), Claim(demand: 7)]) == [5, 7])
    }

    @Test(
        "Nothing is lost, nothing is given twice, nobody gets more than it wants", arguments: 0..<200 as Range<UInt64>)
    func properties(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var rules = DivisionRules()
        rules.guaranteesFirst = Bool.random(using: &random)
        rules.usageInfluence = Bool.random(using: &random) ? 0 : Double.random(in: 0...4, using: &random)
        rules.unit = [1, 1, 7, 1000].randomElement(using: &random) ?? 1
        let scale: Int64 = [10, 100_000, 1 << 44].randomElement(using: &random) ?? 1
        let claims = (0..<Int.random(in: 1...12, using: &random)).map { _ in
            Claim(
                guaranteed: Int64.random(in: 0...scale, using: &random),
                demand: Int64.random(in: 0...scale, using: &random),
                milliWeight: UInt64.random(in: 0...5, using: &random) * 700,
                rank: Int64.random(in: 0...2, using: &random), usage: Double.random(in: 0...1, using: &random))
        }
        let amount = Int64.random(in: 0...(scale * 6), using: &random)
        let shares = Division.shares(of: amount, among: claims, rules: rules)
        let wanted = claims.reduce(0) { $0 + $1.demand }
        #expect(shares.reduce(0, +) == min(amount, wanted))
        #expect(zip(shares, claims).allSatisfy { $0 >= 0 && $0 <= $1.demand })
        #expect(shares == Division.shares(of: amount, among: claims, rules: rules))
        let guarantees = claims.reduce(0) { $0 + min($1.guaranteed, $1.demand) }
        if rules.guaranteesFirst, guarantees <= amount {
            #expect(zip(shares, claims).allSatisfy { $0 >= min($1.guaranteed, $1.demand) })
        }
    }

    @Test("More to divide makes nobody's share smaller", arguments: 0..<100 as Range<UInt64>)
    func monotonic(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let claims = (0..<Int.random(in: 1...8, using: &random)).map { _ in
            Claim(
                guaranteed: Int64.random(in: 0...20_000, using: &random),
                demand: Int64.random(in: 0...100_000, using: &random),
                milliWeight: UInt64.random(in: 1...5, using: &random) * 1000)
        }
        var before = Division.shares(of: 0, among: claims)
        for amount in stride(from: Int64(1000), through: 400_000, by: 7001) {
            let shares = Division.shares(of: amount, among: claims)
            // The last unit of a remainder may change hands.
            #expect(zip(before, shares).allSatisfy { $1 >= $0 - 1 })
            before = shares
        }
    }
}

/// Random numbers that are the same for the same seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
