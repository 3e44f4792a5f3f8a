/// How a scheduler decides.
public struct SchedulerSettings: Sendable, Hashable, Codable {
    /// The rule for the best host.
    public var policy: PlacementPolicy = .roost
    /// Whether the popularity of sizes is learnt from arrivals.
    public var learnsPopularity = true
    /// After how many arrivals one counts half in that popularity.
    public var popularityHalfLife = 20_000
    /// The part of arrivals that typical sizes cover.
    public var typicalCoverage = 0.95
    /// How far popularity must drift, in parts of all arrivals, before scores are computed anew.
    public var popularityTolerance = 0.1
    /// How many shapes keep the scores of all hosts; others look at every host at each decision.
    public var indexedShapes = 192
    /// What is left over is measured against this host; nil takes the largest host.
    public var bestFitScale: ResourceVector?
    /// How many hosts a search for victims simulates at most.
    public var preemptionBudget = 1000
    /// How many domains a search for a place of a gang tries at most.
    public var topologyBudget = 64
    /// Starts the sequence of the random policy.
    public var seed: UInt64 = 42
    /// Scores are kept; false looks at every host at each decision, which tests compare with.
    public var usesIndex = true

    /// The settings that Roost ships.
    public init() {}
}

/// Decides where workloads go, over a state that it is told every change of. Performs nothing.
///
/// Not for use from several threads at once. All answers depend on the sequence of calls alone.
public final class Scheduler {
    /// How it decides.
    public let settings: SchedulerSettings
    let state = FleetState()
    var popularity: Popularity
    var table: FragmentationTable
    /// What the table was made of.
    var tableTypical: [Popularity.Typical] = []
    var tableModels = 0
    /// Arrivals after which popularity is compared with what the table was made of.
    var nextComparison = 32
    /// Counts what makes every score old.
    var generation = 0
    var scaleGeneration = 0

    var shapes: [ShapeKey: Shape] = [:]
    /// Shapes whose trees are kept up to date, in turn.
    var indexed: [Shape] = []
    var turn = 0
    var clock = 0
    var dice: Dice
    /// Limits all searches to one domain while a gang is placed.
    var scope: TopologyScope?
    /// Searches for victims that failed, with the revision of the state that they failed on.
    var failedPreemptions: [PreemptionKey: Int] = [:]

    /// Makes a scheduler of an empty fleet.
    public init(settings: SchedulerSettings = SchedulerSettings()) {
        self.settings = settings
        popularity = Popularity(halfLife: settings.popularityHalfLife)
        table = FragmentationTable(typical: [], models: [])
        dice = Dice(seed: settings.seed)
    }

    /// Takes in what happened, and returns the workloads that lost their place by it.
    @discardableResult
    public func apply(_ change: FleetChange) throws(SchedulingError) -> [String] {
        switch change {
        case .arrive(let request): observe(request)
        case .place(let request, let placement):
            try Scheduler.validate(request)
            try state.place(request, at: state.assignment(of: placement))
        case .release(let workload): try state.release(workload)
        case .addHost(let host): try state.addHost(host)
        case .updateHost(let host): return try state.updateHost(host)
        case .removeHost(let name): return try state.removeHost(name)
        case .cordonHost(let name, let isCordoned): try state.cordonHost(name, isCordoned: isCordoned)
        }
        return []
    }

    /// Counts an arrival, once for each workload however often a place is looked for: popularity is learnt from this.
    public func observe(_ request: WorkloadRequest) {
        guard settings.learnsPopularity else { return }
        popularity.observe(request)
        guard popularity.arrivalCount >= nextComparison else { return }
        nextComparison = popularity.arrivalCount + min(max(popularity.arrivalCount, 32), 4096)
        refreshPopularity(tolerance: settings.popularityTolerance)
    }

    /// Takes arrivals as typical at once, instead of what was learnt before.
    public func learnPopularity(from requests: [WorkloadRequest]) {
        popularity = Popularity(halfLife: Int.max / 2)
        for request in requests { popularity.observe(request) }
        refreshPopularity(tolerance: -1)
    }

    /// Where a workload goes, or nil when it fits nowhere; `diagnosis(of:)` says why.
    ///
    /// Local first: devices on other hosts than the program are looked for only when no host has room for both.
    public func placement(for request: WorkloadRequest) throws(SchedulingError) -> Placement? {
        try Scheduler.validate(request)
        defer { settle() }
        return assignment(for: request).map { state.placement(of: $0, for: request.id) }
    }

    /// The fragmentation of the fleet as FGD defines it, in thousandths of a device, against what is popular now.
    public var fragmentationMilli: Int {
        let scorer = makeScorer()
        var sum: Int64 = 0
        for host in 0..<state.hostSlots where state.descriptions[host] != nil { sum += scorer.fragmentation(host) }
        return Int(sum >> 20)
    }

    static func validate(_ request: WorkloadRequest) throws(SchedulingError) {
        let limit = Int(Int32.max) / 2
        let devices = request.devices
        guard !request.id.isEmpty else { throw .invalid("A workload needs an id.") }
        guard (0...DeviceDemand.maximumCount).contains(devices.count) else {
            throw .invalid("\(devices.count) devices are asked for; 0 to \(DeviceDemand.maximumCount) are possible.")
        }
        let amounts = [request.cpuMilli, request.memoryMiB, devices.vramMiB, devices.vramLimitMiB ?? 0]
        guard amounts.allSatisfy({ (0...limit).contains($0) }) else {
            throw .invalid("Workload \(request.id): amounts must lie between 0 and \(limit).")
        }
        guard devices.vramMiB <= devices.vramLimitMiB ?? limit else {
            throw .invalid("Workload \(request.id) asks for more VRAM than its limit; raise the limit.")
        }
        for compute in [devices.compute, devices.computeLimit ?? devices.compute] {
            switch compute {
            case .milli(let amount), .milliTFLOPS(let amount):
                guard (0...limit).contains(amount) else {
                    throw .invalid("Workload \(request.id): compute must lie between 0 and \(limit).")
                }
            }
        }
        switch (devices.compute, devices.computeLimit) {
        case (.milli(let amount), .milli(let most)), (.milliTFLOPS(let amount), .milliTFLOPS(let most)):
            guard amount <= most else {
                throw .invalid("Workload \(request.id) asks for more compute than its limit; raise the limit.")
            }
        default: break
        }
    }
}

/// A small generator of pseudo-random numbers, the same everywhere for one seed.
public struct Dice: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts a sequence.
    public init(seed: UInt64) { state = seed }

    /// The next number of the sequence.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
