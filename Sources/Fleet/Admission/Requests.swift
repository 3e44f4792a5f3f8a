/// What waits: placed as a whole or not at all. A gang is one request; replicas that may start alone are one each.
public struct PendingRequest: Sendable, Hashable {
    /// Its name, unique among all that waits and runs.
    public var id: String
    /// Whose it is.
    public var project: String
    /// How urgent; higher goes first.
    public var priority: Int64
    /// Since when it waits, in milliseconds.
    public var arrival: Int64
    /// What it asks for.
    public var requests: ResourceVector
    /// What it may use at most.
    public var limits: ResourceVector
    /// What it is made of, where bounds for a single workload are to be checked.
    public var shape: WorkloadShape?
    /// Whether it may be taken back.
    public var isPreemptible = true
    /// How long after its start it can't be taken back, in milliseconds.
    public var protectionMilliseconds: Int64 = 0
    /// What is only taken back together with it; itself alone where nil.
    public var gang: String?
    /// Who must be there before it may start; nil: nobody.
    public var readiness: GangReadiness?

    /// Describes a request by its sums; the limits are the requests where they are left out.
    public init(
        id: String, project: String, priority: Int64 = 0, arrival: Int64, requests: ResourceVector,
        limits: ResourceVector? = nil
    ) {
        self.id = id
        self.project = project
        self.priority = priority
        self.arrival = arrival
        self.requests = requests
        self.limits = limits ?? requests
    }

    /// Describes all replicas of a shape as one request.
    public init(id: String, project: String, priority: Int64 = 0, arrival: Int64, shape: WorkloadShape) {
        self.init(
            id: id, project: project, priority: priority, arrival: arrival, requests: shape.requests(),
            limits: shape.limits())
        self.shape = shape
    }

    var booking: Booking { Booking(requests: requests, limits: limits, isKept: !isPreemptible) }
}

/// What runs, or has been given its place.
public struct RunningWorkload: Sendable, Hashable {
    /// Its name.
    public var id: String
    /// Whose it is.
    public var project: String
    /// What is only taken back together with it.
    public var gang: String
    /// How urgent.
    public var priority: Int64
    /// What it has asked for.
    public var requests: ResourceVector
    /// What it may use at most.
    public var limits: ResourceVector
    /// Whether it may be taken back.
    public var isPreemptible: Bool
    /// When it started, in milliseconds.
    public var startedAt: Int64
    /// Until when it can't be taken back, in milliseconds.
    public var protectedUntil: Int64

    /// What a request becomes when it is placed.
    public init(_ request: PendingRequest, startedAt: Int64) {
        id = request.id
        project = request.project
        gang = request.gang ?? request.id
        priority = request.priority
        requests = request.requests
        limits = request.limits
        isPreemptible = request.isPreemptible
        self.startedAt = startedAt
        let (end, overflow) = startedAt.addingReportingOverflow(max(0, request.protectionMilliseconds))
        protectedUntil = overflow ? .max : end
    }

    var booking: Booking { Booking(requests: requests, limits: limits, isKept: !isPreemptible) }
}

/// A request that waits, with what has happened to it.
struct WaitingRequest: Sendable {
    var request: PendingRequest
    var booking: Booking
    /// Where it is booked.
    var home: Int
    /// Whether it is its project's one request that goes first for having waited too long.
    var isOverdue = false
    var failures = 0
    var notBefore = Int64.min
    /// Why it can never be admitted as things are.
    var refusal: QuotaRefusal?
    /// False once it is withdrawn or placed; its place is used again after the next look at its queue.
    var isLive = true
}
