public import Scheduling

/// The published experiment: requests only arrive, in random order, until they ask for 1.3 times what there is.
public struct OpenBExperiment {
    /// What one run gives.
    public struct Outcome: Sendable {
        /// Compute that is allocated, in percent of all, by the percent that has arrived.
        public var allocation: [Int: Double]
        /// Requests that have a place at 100 % arrived.
        public var placedCount = 0
        /// Those of them with remote devices.
        public var remoteCount = 0
        /// How much idle compute typical requests cannot use, in percent of all, at 100 % arrived.
        public var fragmentation = 0.0
    }

    private let trace: OpenBTrace
    private let settings: SchedulerSettings
    private let remote: RemoteAccess

    /// An experiment with a policy; every request gets the same right to remote devices.
    public init(_ trace: OpenBTrace, settings: SchedulerSettings, remote: RemoteAccess = .localOnly) {
        self.trace = trace
        self.settings = settings
        self.remote = remote
    }

    /// One run. The seed decides about the order of hosts and of requests.
    public func run(seed: UInt64, upTo percent: Int = 102) throws(SchedulingError) -> Outcome {
        var dice = Dice(seed: seed)
        var settings = settings
        settings.seed = seed
        let scheduler = Scheduler(settings: settings)
        for host in trace.hosts.shuffled(using: &dice) { try scheduler.apply(.addHost(host)) }
        if !settings.learnsPopularity { scheduler.learnPopularity(from: trace.pods.map(\.request)) }
        let capacity = trace.capacityMilli
        var arrivals = trace.pods.shuffled(using: &dice)
        var arrived = arrivals.reduce(0) { $0 + $1.computeMilli }
        while let pod = trace.pods.randomElement(using: &dice) {
            arrived += pod.computeMilli
            guard arrived * 10 <= capacity * 13 else { break }
            arrivals.append(pod)
        }
        return try run(scheduler, arrivals, capacity, upTo: percent)
    }

    private func run(
        _ scheduler: Scheduler, _ arrivals: [OpenBTrace.Pod], _ capacity: Int, upTo percent: Int
    ) throws(SchedulingError) -> Outcome {
        var outcome = Outcome(allocation: [:])
        var sums: [Int: (sum: Double, count: Int)] = [:]
        var arrived = 0
        var placed = 0
        for (index, pod) in arrivals.enumerated() {
            var request = pod.request
            // Requests that were drawn again need a name of their own.
            request.id = "\(index)"
            request.remote = remote
            arrived += pod.computeMilli
            scheduler.observe(request)
            if let placement = try scheduler.placement(for: request) {
                try scheduler.apply(.place(request, placement))
                placed += pod.computeMilli
                if arrived <= capacity {
                    outcome.placedCount += 1
                    if placement.isRemote { outcome.remoteCount += 1 }
                }
            }
            let column = Int((Double(arrived) * 100 / Double(capacity)).rounded())
            let old = sums[column] ?? (0, 0)
            sums[column] = (old.sum + Double(placed) * 100 / Double(capacity), old.count + 1)
            if column == 100, old.count == 0 {
                outcome.fragmentation = Double(scheduler.fragmentationMilli) * 100 / Double(capacity)
            }
            if column > percent { break }
        }
        outcome.allocation = sums.mapValues { $0.sum / Double($0.count) }
        return outcome
    }
}
