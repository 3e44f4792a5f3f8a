/// All that decides who goes next: projects with their quotas, what runs, what waits.
///
/// It is told what happens and answers questions; it performs nothing. Times are milliseconds of the caller's clock.
/// What happens to one workload costs the depth of the tree; the order of the queue is computed when it is asked for.
public struct AdmissionState: Sendable {
    /// How it decides.
    public let policy: AdmissionPolicy
    /// What all devices have together. A resource that is `Int64.max` is not shared out.
    public private(set) var capacity: ResourceVector
    /// What is wrong with the projects; those that have no place in the tree are left out.
    public var problems: [ProjectProblem] { tree.problems }

    var tree: ProjectTree
    var running: [String: RunningWorkload] = [:]
    /// What runs, by the node where it is booked.
    var gangsAt: [GangBook] = []
    var waiting: [WaitingRequest] = []
    /// The same in short, place by place.
    private(set) var asks: [Ask] = []
    /// Places in `waiting`, by the node where a request is booked; sorted unless the node is in `unsorted`.
    var queues: [[Int]] = []
    var unsorted: Set<Int> = []
    private var places: [String: Int] = [:]
    private var freePlaces: [Int] = []
    private var capacityMeter = UsageMeter()
    /// For which time the shares hold; nil when something has changed since.
    private var sharesAt: Int64?

    /// Starts with nothing running and nothing waiting.
    public init(projects: [Project], capacity: ResourceVector, policy: AdmissionPolicy = .init()) {
        self.policy = policy
        self.capacity = capacity
        tree = ProjectTree(projects)
        queues = Array(repeating: [], count: tree.nodes.count)
        gangsAt = Array(repeating: GangBook(), count: tree.nodes.count)
    }

    /// How many requests wait.
    public var waitingCount: Int { places.count }

    /// A request that waits.
    public func request(_ id: String) -> PendingRequest? { places[id].map { waiting[$0].request } }

    /// A workload that runs.
    public func workload(_ id: String) -> RunningWorkload? { running[id] }

    func place(of id: String) -> Int? { places[id] }
}

// MARK: - What happens

extension AdmissionState {
    /// Other projects or quotas. What runs and waits is booked anew.
    public mutating func setProjects(_ projects: [Project], at now: Int64) {
        var next = ProjectTree(projects)
        if policy.usesPast {
            for number in tree.nodes.indices {
                tree.nodes[number].meter.advance(to: now, rate: tree.nodes[number].requests, memory: policy.memory)
            }
        }
        next.takeMeters(from: tree)
        tree = next
        gangsAt = Array(repeating: GangBook(), count: tree.nodes.count)
        queues = Array(repeating: [], count: tree.nodes.count)
        unsorted = []
        for workload in running.values { enter(workload, at: now) }
        let requests = waiting.filter(\.isLive)
        waiting = []
        asks = []
        places = [:]
        freePlaces = []
        for request in requests { enter(request) }
        sharesAt = nil
    }

    /// More or fewer devices.
    public mutating func setCapacity(_ capacity: ResourceVector, at now: Int64) {
        if policy.usesPast { capacityMeter.advance(to: now, rate: self.capacity, memory: policy.memory) }
        self.capacity = capacity
        sharesAt = nil
    }

    /// Another request waits. Says why it can never be admitted as things are, if so; it waits all the same, marked,
    /// as quotas change.
    @discardableResult
    public mutating func submit(_ request: PendingRequest) -> QuotaRefusal? {
        withdraw(request.id)
        return enter(
            WaitingRequest(request: request, booking: request.booking, home: 0))
    }

    /// A request waits no more.
    @discardableResult
    public mutating func withdraw(_ id: String) -> PendingRequest? {
        guard let place = places.removeValue(forKey: id) else { return nil }
        let entry = waiting[place]
        waiting[place].isLive = false
        unsorted.insert(entry.home)
        if entry.isOverdue { tree.nodes[entry.home].overdueCheckAt = .min }
        if entry.refusal == nil { changePending(entry, by: -1) }
        return entry.request
    }

    /// A request has been given its place.
    @discardableResult
    public mutating func place(_ id: String, at now: Int64) -> RunningWorkload? {
        guard let place = places[id] else { return nil }
        let (wasOverdue, home) = (waiting[place].isOverdue, waiting[place].home)
        guard let request = withdraw(id) else { return nil }
        if wasOverdue, let patience = policy.patienceMilliseconds {
            tree.nodes[home].overdueCheckAt = now.addingSaturated(patience)
        }
        let workload = RunningWorkload(request, startedAt: now)
        book(workload, at: now)
        return workload
    }

    /// Something runs that did not wait here, such as what a store held at a start.
    public mutating func book(_ workload: RunningWorkload, at now: Int64) {
        release(workload.id, at: now)
        running[workload.id] = workload
        enter(workload, at: now)
    }

    /// Something runs no more.
    @discardableResult
    public mutating func release(_ id: String, at now: Int64) -> RunningWorkload? {
        guard let workload = running.removeValue(forKey: id) else { return nil }
        let home = tree.home(of: workload.project) ?? tree.nodes[ProjectTree.root].home
        gangsAt[home].remove(workload)
        change(workload.booking, at: home, by: -1, now: now)
        return workload
    }

    /// A request found no place: it rests a while. Returns until when. `random` is any number.
    @discardableResult
    public mutating func failed(_ id: String, at now: Int64, random: UInt64) -> Int64? {
        guard let place = places[id] else { return nil }
        waiting[place].failures += 1
        let rest = policy.backoff.rest(afterFailures: waiting[place].failures, random: random)
        waiting[place].notBefore = now.addingSaturated(rest)
        asks[place].notBefore = waiting[place].notBefore
        return waiting[place].notBefore
    }

    /// Room was made, so that whoever rests may try again at once. Failures are remembered.
    public mutating func retryAll() {
        for place in places.values where asks[place].notBefore != .min {
            waiting[place].notBefore = .min
            asks[place].notBefore = .min
        }
    }

    /// So many members of a gang are there now.
    public mutating func setPresent(_ present: Int64, of id: String) {
        guard let place = places[id] else { return }
        waiting[place].request.readiness?.present = present
    }
}

// MARK: - Booking

extension AdmissionState {
    private mutating func enter(_ workload: RunningWorkload, at now: Int64) {
        let home = tree.home(of: workload.project) ?? tree.nodes[ProjectTree.root].home
        gangsAt[home].add(workload)
        change(workload.booking, at: home, by: 1, now: now)
    }

    @discardableResult
    private mutating func enter(_ request: WaitingRequest) -> QuotaRefusal? {
        var entry = request
        entry.refusal = permanentRefusal(of: entry)
        entry.home = tree.home(of: entry.request.project) ?? tree.nodes[ProjectTree.root].home
        let place = freePlaces.popLast() ?? waiting.count
        if place == waiting.count {
            waiting.append(entry)
            asks.append(Ask(entry, policy))
        } else {
            waiting[place] = entry
            asks[place] = Ask(entry, policy)
        }
        places[entry.request.id] = place
        queues[entry.home].append(place)
        unsorted.insert(entry.home)
        if let patience = policy.patienceMilliseconds {
            let due = entry.isOverdue ? .max : entry.request.arrival.addingSaturated(patience)
            tree.nodes[entry.home].overdueCheckAt = min(tree.nodes[entry.home].overdueCheckAt, due)
        }
        if entry.refusal == nil { changePending(entry, by: 1) }
        return entry.refusal
    }

    private mutating func change(_ booking: Booking, at home: Int, by sign: Int, now: Int64) {
        sharesAt = nil
        var node = home
        while true {
            if policy.usesPast {
                tree.nodes[node].meter.advance(to: now, rate: tree.nodes[node].requests, memory: policy.memory)
            }
            if sign > 0 {
                tree.nodes[node].requests += booking.requests
                tree.nodes[node].limits += booking.limits
                if booking.isKept { tree.nodes[node].kept += booking.requests }
            } else {
                tree.nodes[node].requests -= booking.requests
                tree.nodes[node].limits -= booking.limits
                if booking.isKept { tree.nodes[node].kept -= booking.requests }
            }
            if node == ProjectTree.root { return }
            node = tree.nodes[node].parent
        }
    }

    private mutating func changePending(_ entry: WaitingRequest, by sign: Int) {
        sharesAt = nil
        var node = entry.home
        while true {
            tree.nodes[node].pendingCount += sign
            if sign > 0 {
                tree.nodes[node].pending += entry.booking.requests
            } else {
                tree.nodes[node].pending -= entry.booking.requests
            }
            if node == ProjectTree.root { return }
            node = tree.nodes[node].parent
        }
    }

    /// Removes what is gone from the queues, notices who is overdue, and sorts what is not sorted.
    mutating func settleQueues(at now: Int64) {
        if let patience = policy.patienceMilliseconds {
            for home in queues.indices where tree.nodes[home].overdueCheckAt <= now {
                tree.nodes[home].overdueCheckAt = .max
                pickOverdue(at: home, since: now.addingSaturated(-patience))
            }
        }
        for home in unsorted {
            var queue = queues[home]
            queues[home] = []
            queue.removeAll { place in
                guard waiting[place].isLive else {
                    freePlaces.append(place)
                    return true
                }
                return false
            }
            queue.sort { waiting[$0].goesBefore(waiting[$1], policy) }
            queues[home] = queue
        }
        unsorted = []
    }

    /// Makes the oldest request of a queue the overdue one, if it is old enough; else notes when it will be.
    private mutating func pickOverdue(at home: Int, since: Int64) {
        var oldest: Int?
        for place in queues[home] where waiting[place].isLive && waiting[place].refusal == nil {
            if waiting[place].isOverdue { return }
            guard let other = oldest else {
                oldest = place
                continue
            }
            let (one, two) = (waiting[place].request, waiting[other].request)
            if (one.arrival, one.id) < (two.arrival, two.id) { oldest = place }
        }
        guard let place = oldest else { return }
        if waiting[place].request.arrival <= since {
            waiting[place].isOverdue = true
            asks[place] = Ask(waiting[place], policy)
            unsorted.insert(home)
        } else if let patience = policy.patienceMilliseconds {
            tree.nodes[home].overdueCheckAt = waiting[place].request.arrival.addingSaturated(patience)
        }
    }

    /// Computes demand and fair shares for a time, unless they are known.
    mutating func settleShares(at now: Int64) {
        guard sharesAt == nil || (policy.usesPast && sharesAt != now) else { return }
        if policy.usesPast { capacityMeter.advance(to: now, rate: capacity, memory: policy.memory) }
        let potential = capacityMeter.total(at: now, memory: policy.memory)
        tree.setDemand()
        tree.setShares(of: capacity, policy: policy, at: now, potential: potential)
        sharesAt = now
    }
}

extension WaitingRequest {
    /// How urgent it counts: overdue ones as urgent as the policy says at least.
    func priority(_ policy: AdmissionPolicy) -> Int64 {
        isOverdue ? max(request.priority, policy.overduePriority) : request.priority
    }

    /// The order inside a project: urgent, then overdue, then old, then by name.
    func goesBefore(_ other: WaitingRequest, _ policy: AdmissionPolicy) -> Bool {
        let (one, two) = (priority(policy), other.priority(policy))
        if one != two { return one > two }
        if isOverdue != other.isOverdue { return isOverdue }
        if request.arrival != other.request.arrival { return request.arrival < other.request.arrival }
        return request.id < other.request.id
    }
}

extension Int64 {
    func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
