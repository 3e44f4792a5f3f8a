public import Scheduling

/// The trace with its departures: requests wait in a queue until they fit, run as long as they did, and leave.
public struct OpenBReplay {
    /// What one replay gives.
    public struct Outcome: Sendable {
        /// Compute that is allocated while requests arrive, in percent of all, weighted by time.
        public var meanAllocation = 0.0
        /// The same in each tenth of that time.
        public var allocation: [Double] = []
        /// How long requests for devices wait, in seconds.
        public var waitP50 = 0
        /// How long the slowest twentieth waits at least, in seconds.
        public var waitP95 = 0
        /// Mean wait, in seconds.
        public var waitMean = 0
        /// Requests with a place on another host than their program.
        public var remoteCount = 0
        /// Requests that were moved after they were placed.
        public var moveCount = 0
    }

    private struct Job {
        var request: WorkloadRequest
        var arrival: Int
        var duration: Int
        var milli: Int
        var shape: Int
    }

    private let trace: OpenBTrace
    private let jobs: [Job]
    /// When the last request arrives, in seconds.
    public let span: Int

    /// How often the trace is repeated: once, it never asks for more than 98 % of the compute, however compressed.
    private static let rounds = 4

    /// Repeats the trace, one round after the other, and compresses the times of arrival, not those of running, until
    /// arrivals ask for `load` percent of the compute on average while they last.
    public init(_ trace: OpenBTrace, load: Int) {
        self.trace = trace
        let first = trace.pods.map(\.creation).min() ?? 0
        let round = (trace.pods.map(\.creation).max() ?? 0) - first + 1
        let last = first + round * OpenBReplay.rounds - 1
        let goal = Double(trace.capacityMilli) * Double(load) / 100
        var low = 1.0
        var high = Double(max(last - first, 2))
        for _ in 0..<60 {
            let factor = (low + high) / 2
            let span = Double(last - first) / factor
            var area = 0.0
            for (pod, offset) in OpenBReplay.repeated(trace, every: round) {
                let arrival = Double(pod.creation - first + offset) / factor
                let duration = Double(max(pod.deletion - pod.creation, 1))
                area += Double(pod.computeMilli) * min(duration, span - arrival)
            }
            // The faster they come, the more of them run at once.
            if area / span < goal { low = factor } else { high = factor }
        }
        let factor = high
        span = Int(Double(last - first) / factor)
        var shapes: [WorkloadRequest: Int] = [:]
        jobs = OpenBReplay.repeated(trace, every: round).map { pod, offset in
            var key = pod.request
            key.id = "any"
            let shape = shapes[key] ?? shapes.count
            shapes[key] = shape
            var request = pod.request
            request.id += "-\(offset / round)"
            return Job(
                request: request, arrival: Int(Double(pod.creation - first + offset) / factor),
                duration: max(pod.deletion - pod.creation, 1), milli: pod.computeMilli, shape: shape)
        }
        .sorted { $0.arrival == $1.arrival ? $0.request.id < $1.request.id : $0.arrival < $1.arrival }
    }

    private static func repeated(_ trace: OpenBTrace, every round: Int) -> [(OpenBTrace.Pod, Int)] {
        (0..<rounds).flatMap { number in trace.pods.map { ($0, number * round) } }
    }

    /// One replay.
    public func run(
        settings: SchedulerSettings, remote: RemoteAccess = .localOnly, seed: UInt64
    ) throws(SchedulingError) -> Outcome {
        var dice = Dice(seed: seed)
        let scheduler = Scheduler(settings: settings)
        for host in trace.hosts.shuffled(using: &dice) { try scheduler.apply(.addHost(host)) }
        if !settings.learnsPopularity { scheduler.learnPopularity(from: trace.pods.map(\.request)) }
        var run = Run(scheduler: scheduler, span: span, capacity: trace.capacityMilli)
        var next = 0
        while next < jobs.count || !run.departures.isEmpty {
            let arrival = next < jobs.count ? jobs[next].arrival : Int.max
            if let departure = run.departures.first, departure.time <= arrival {
                run.advance(to: departure.time)
                try run.depart()
                try run.retry(jobs, remote)
            } else {
                run.advance(to: arrival)
                scheduler.observe(jobs[next].request)
                if try !run.start(next, jobs, remote) { run.queue.append(next) }
                next += 1
            }
        }
        return run.outcome
    }

    /// The state of one replay.
    private struct Run {
        let scheduler: Scheduler
        let span: Int
        let capacity: Int
        var now = 0
        var queue: [Int] = []
        var departures = DepartureHeap()
        var allocated = 0
        var areas = [Double](repeating: 0, count: 10)
        var waits: [Int] = []
        var remoteCount = 0

        mutating func advance(to time: Int) {
            var from = now
            while from < min(time, span) {
                let tenth = min(9, from * 10 / max(span, 1))
                let end = min(min(time, span), tenth == 9 ? span : ((tenth + 1) * span + 9) / 10)
                areas[tenth] += Double(allocated) * Double(max(end - from, 1))
                from = max(end, from + 1)
            }
            now = max(now, time)
        }

        mutating func start(
            _ index: Int, _ jobs: [Job], _ remote: RemoteAccess
        ) throws(SchedulingError) -> Bool {
            var request = jobs[index].request
            request.remote = remote
            guard let placement = try scheduler.placement(for: request) else { return false }
            try scheduler.apply(.place(request, placement))
            allocated += jobs[index].milli
            if jobs[index].milli > 0 { waits.append(now - jobs[index].arrival) }
            if placement.isRemote { remoteCount += 1 }
            departures.push(
                DepartureHeap.Entry(time: now + jobs[index].duration, id: request.id, milli: jobs[index].milli))
            return true
        }

        mutating func depart() throws(SchedulingError) {
            guard let gone = departures.pop() else { return }
            try scheduler.apply(.release(workload: gone.id))
            allocated -= gone.milli
        }

        /// Offers what became free to everybody who waits, in the order of arrival.
        mutating func retry(_ jobs: [Job], _ remote: RemoteAccess) throws(SchedulingError) {
            var failed: Set<Int> = []
            var left: [Int] = []
            for index in queue {
                if failed.contains(jobs[index].shape) {
                    left.append(index)
                } else if try !start(index, jobs, remote) {
                    failed.insert(jobs[index].shape)
                    left.append(index)
                }
            }
            queue = left
        }

        var outcome: Outcome {
            var outcome = Outcome()
            let total = Double(span) * Double(capacity)
            outcome.meanAllocation = areas.reduce(0, +) * 100 / total
            outcome.allocation = areas.map { $0 * 1000 / total }
            let sorted = waits.sorted()
            guard !sorted.isEmpty else { return outcome }
            outcome.waitP50 = sorted[sorted.count / 2]
            outcome.waitP95 = sorted[min(sorted.count - 1, sorted.count * 95 / 100)]
            outcome.waitMean = sorted.reduce(0, +) / sorted.count
            outcome.remoteCount = remoteCount
            return outcome
        }
    }
}

/// Who leaves next.
private struct DepartureHeap {
    struct Entry {
        var time: Int
        var id: String
        var milli: Int
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }
    var first: Entry? { entries.first }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (entries[left].time, entries[left].id) < (entries[right].time, entries[right].id)
    }

    mutating func push(_ entry: Entry) {
        entries.append(entry)
        var at = entries.count - 1
        while at > 0, isBefore(at, (at - 1) / 2) {
            entries.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    mutating func pop() -> Entry? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        guard !entries.isEmpty else { return first }
        entries[0] = last
        var at = 0
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < entries.count && isBefore(child, least) {
                least = child
            }
            guard least != at else { return first }
            entries.swapAt(at, least)
            at = least
        }
    }
}
