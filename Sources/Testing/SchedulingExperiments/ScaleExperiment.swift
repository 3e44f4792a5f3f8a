internal import Glibc
public import Scheduling

/// How fast a large fleet is decided about: the trace's hosts, many times over, with its sizes of requests.
///
/// All in memory: no store, no network, no API in between. Decisions are timed by the thread's processor time, since
/// one
/// core is what is meant and others may use the machine; searches by the clock.
public struct ScaleExperiment {
    /// One figure.
    public struct Figure: Sendable {
        /// What was measured.
        public var name: String
        /// How much.
        public var value: Double
        /// In what.
        public var unit: String
    }

    private let trace: OpenBTrace
    private let settings: SchedulerSettings
    /// How many times the trace's hosts are there.
    private let copies: Int
    private let capacityMilli: Int
    private let hostsInRack = 32
    private let racksInZone = 64

    /// An experiment with at least that many devices.
    public init(_ trace: OpenBTrace, deviceCount: Int) {
        self.trace = trace
        var settings = SchedulerSettings()
        settings.learnsPopularity = false
        self.settings = settings
        let perCopy = trace.hosts.reduce(0) { $0 + $1.devices.count }
        copies = (deviceCount + perCopy - 1) / perCopy
        capacityMilli = copies * trace.capacityMilli
    }

    /// The fleet, empty.
    public func makeScheduler(usesIndex: Bool = true) throws(SchedulingError) -> Scheduler {
        var settings = settings
        settings.usesIndex = usesIndex
        let scheduler = Scheduler(settings: settings)
        var number = 0
        for copy in 0..<copies {
            for original in trace.hosts {
                var host = original
                host.name = "\(original.name)-\(copy)"
                let rack = number / hostsInRack
                host.topology = TopologyPath(zone: "zone-\(rack / racksInZone)", rack: "rack-\(rack)")
                try scheduler.apply(.addHost(host))
                number += 1
            }
        }
        scheduler.learnPopularity(from: trace.pods.map(\.request))
        return scheduler
    }

    /// Devices of the fleet.
    public var deviceCount: Int { copies * trace.hosts.reduce(0) { $0 + $1.devices.count } }

    /// Fills the fleet from empty to as much as arrivals ask for, then keeps it full while workloads come and go.
    public func decisions(_ scheduler: Scheduler, churn: Int, prefix: String) throws(SchedulingError) -> [Figure] {
        var dice = Dice(seed: 1)
        var stream = Stream(trace: trace, capacity: capacityMilli)
        var fill = Latencies()
        let start = ProcessorClock.seconds
        while stream.arrivedMilli < capacityMilli {
            try stream.decide(scheduler, &dice, &fill)
        }
        let filled = ProcessorClock.seconds - start
        let allocation = Double(stream.placedMilli) * 100 / Double(capacityMilli)
        var steady = Latencies()
        let middle = ProcessorClock.seconds
        for _ in 0..<churn {
            while stream.placedMilli * 100 > capacityMilli * 94 { try stream.release(scheduler, &dice) }
            try stream.decide(scheduler, &dice, &steady)
        }
        let churned = ProcessorClock.seconds - middle
        return [
            Figure(name: prefix + ".fill.decisions", value: Double(fill.count) / filled, unit: "1/s"),
            Figure(name: prefix + ".fill.p50", value: fill.percentile(50), unit: "us"),
            Figure(name: prefix + ".fill.p99", value: fill.percentile(99), unit: "us"),
            Figure(name: prefix + ".fill.max", value: fill.percentile(100), unit: "us"),
            Figure(name: prefix + ".fill.allocation", value: allocation, unit: "%"),
            Figure(name: prefix + ".churn.decisions", value: Double(churn) / churned, unit: "1/s"),
            Figure(name: prefix + ".churn.p50", value: steady.percentile(50), unit: "us"),
            Figure(name: prefix + ".churn.p99", value: steady.percentile(99), unit: "us"),
            Figure(name: prefix + ".churn.max", value: steady.percentile(100), unit: "us"),
        ]
    }

    /// How many of the next decisions differ between a fleet and its copy that looks at every host each time.
    public func differences(from scheduler: Scheduler, count: Int) throws(SchedulingError) -> Int {
        var settings = settings
        settings.usesIndex = false
        let twin = try Scheduler(restoring: scheduler.record, settings: settings)
        twin.learnPopularity(from: trace.pods.map(\.request))
        var dice = Dice(seed: 7)
        var differences = 0
        for number in 0..<count {
            guard let pod = trace.pods.randomElement(using: &dice) else { break }
            var request = pod.request
            request.id = "twin-\(number)"
            let fast = try scheduler.placement(for: request)
            let slow = try twin.placement(for: request)
            if fast != slow { differences += 1 }
            if let fast, fast == slow {
                try scheduler.apply(.place(request, fast))
                try twin.apply(.place(request, fast))
            }
        }
        return differences
    }

    /// Gangs, verdicts and preemption on a fleet; each is timed several times, the worst counts.
    public func searches(_ scheduler: Scheduler, prefix: String) throws(SchedulingError) -> [Figure] {
        var figures: [Figure] = []
        let members = (0..<512).map { number in
            WorkloadRequest(
                id: "gang-\(number)", cpuMilli: 4000, memoryMiB: 8192,
                devices: DeviceDemand(count: 1, compute: .milli(1000)))
        }
        let gang = GangRequest(members: members)
        let anywhere = try worst { () throws(SchedulingError) in try scheduler.placements(for: gang) != nil }
        figures.append(Figure(name: prefix + ".gang512", value: anywhere.milliseconds, unit: "ms"))
        figures.append(Figure(name: prefix + ".gang512.found", value: anywhere.found ? 1 : 0, unit: "bool"))
        let near = GangRequest(members: members, topology: TopologyConstraint(level: .zone, isHard: true))
        let zone = try worst { () throws(SchedulingError) in try scheduler.placements(for: near) != nil }
        figures.append(Figure(name: prefix + ".gang512.zone", value: zone.milliseconds, unit: "ms"))
        figures.append(Figure(name: prefix + ".gang512.zone.found", value: zone.found ? 1 : 0, unit: "bool"))
        return figures
    }

    /// The verdict about a request that fits nowhere, with its diagnosis, and who would have to leave for another.
    public func verdicts(_ scheduler: Scheduler, prefix: String) throws(SchedulingError) -> [Figure] {
        let large = WorkloadRequest(
            id: "large", cpuMilli: 90_000, memoryMiB: 300_000, devices: DeviceDemand(count: 16, compute: .milli(1000)))
        let why = try worst { () throws(SchedulingError) in try scheduler.diagnosis(of: large).placement == nil }
        let gang = GangRequest(
            members: (0..<10).map { number in
                WorkloadRequest(
                    id: "job-\(number)", cpuMilli: 90_000, devices: DeviceDemand(count: 16, compute: .milli(1000)))
            })
        let refused = try worst { () throws(SchedulingError) in try scheduler.placements(for: gang) == nil }
        var urgent = WorkloadRequest(
            id: "urgent", cpuMilli: 16_000, memoryMiB: 32_768, devices: DeviceDemand(count: 1, compute: .milli(1000)))
        urgent.priority = 100
        var number = 0
        let reclaim = try worst { () throws(SchedulingError) in
            // Each time another size, or the second answer would come from the cache.
            number += 1
            urgent.cpuMilli += 1
            urgent.id = "urgent-\(number)"
            return try scheduler.preemption(for: [urgent]) != nil
        }
        return [
            Figure(name: prefix + ".why", value: why.milliseconds, unit: "ms"),
            Figure(name: prefix + ".why.refused", value: why.found ? 1 : 0, unit: "bool"),
            Figure(name: prefix + ".gang10x16.verdict", value: refused.milliseconds, unit: "ms"),
            Figure(name: prefix + ".gang10x16.refused", value: refused.found ? 1 : 0, unit: "bool"),
            Figure(name: prefix + ".reclaim", value: reclaim.milliseconds, unit: "ms"),
            Figure(name: prefix + ".reclaim.found", value: reclaim.found ? 1 : 0, unit: "bool"),
        ]
    }

    private func worst(
        _ work: () throws(SchedulingError) -> Bool
    ) throws(SchedulingError) -> (milliseconds: Double, found: Bool) {
        var worst = 0.0
        var found = true
        for _ in 0..<5 {
            let start = ContinuousClock.now
            found = try work() && found
            worst = max(worst, start.duration(to: .now).seconds * 1000)
        }
        return (worst, found)
    }

    /// Requests that come and go.
    private struct Stream {
        let trace: OpenBTrace
        let capacity: Int
        var arrivedMilli = 0
        var placedMilli = 0
        var number = 0
        var running: [(id: String, milli: Int)] = []

        mutating func decide(
            _ scheduler: Scheduler, _ dice: inout Dice, _ latencies: inout Latencies
        ) throws(SchedulingError) {
            guard let pod = trace.pods.randomElement(using: &dice) else { return }
            var request = pod.request
            request.id = "workload-\(number)"
            number += 1
            arrivedMilli += pod.computeMilli
            let start = ProcessorClock.nanoseconds
            if let placement = try scheduler.placement(for: request) {
                try scheduler.apply(.place(request, placement))
                placedMilli += pod.computeMilli
                running.append((request.id, pod.computeMilli))
            }
            latencies.add(ProcessorClock.nanoseconds - start)
        }

        mutating func release(_ scheduler: Scheduler, _ dice: inout Dice) throws(SchedulingError) {
            guard !running.isEmpty else { return }
            let index = Int.random(in: 0..<running.count, using: &dice)
            running.swapAt(index, running.count - 1)
            let gone = running.removeLast()
            try scheduler.apply(.release(workload: gone.id))
            placedMilli -= gone.milli
        }
    }

    /// How long decisions took.
    private struct Latencies {
        private var nanoseconds: [Int64] = []

        var count: Int { nanoseconds.count }

        mutating func add(_ duration: Int64) { nanoseconds.append(duration) }

        /// In microseconds.
        func percentile(_ percent: Int) -> Double {
            let sorted = nanoseconds.sorted()
            guard !sorted.isEmpty else { return 0 }
            return Double(sorted[min(sorted.count - 1, sorted.count * percent / 100)]) / 1000
        }
    }
}

/// The time that this thread has had a processor.
private enum ProcessorClock {
    static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    static var seconds: Double { Double(nanoseconds) * 1e-9 }
}

extension Duration {
    /// As a number of seconds.
    public var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
