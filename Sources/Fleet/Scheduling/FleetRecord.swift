/// A fleet at one moment and what happened since, for a replay elsewhere, with the same policy or with another.
public struct FleetRecord: Sendable, Hashable, Codable {
    /// A workload with its place.
    public struct PlacedWorkload: Sendable, Hashable, Codable {
        /// What it asked for.
        public var request: WorkloadRequest
        /// Where it is.
        public var placement: Placement

        /// A workload with its place.
        public init(request: WorkloadRequest, placement: Placement) {
            self.request = request
            self.placement = placement
        }
    }

    /// What a scheduler has learnt from arrivals.
    public struct Learnt: Sendable, Hashable, Codable {
        var popularity: Popularity
        /// What scores are computed with, which lags behind the popularity.
        var typical: [Popularity.Typical]
        var nextComparison: Int
    }

    /// The version of the format.
    public var version = 1
    /// The hosts in their stable order.
    public var hosts: [HostDescription]
    /// What is placed, in the order of the workloads' ids.
    public var workloads: [PlacedWorkload]
    /// What happened afterwards.
    public var history: [FleetChange]
    /// What was learnt before; nil to begin without.
    public var learnt: Learnt?

    /// A record of something that did not come from a scheduler.
    public init(hosts: [HostDescription], workloads: [PlacedWorkload] = [], history: [FleetChange] = []) {
        self.hosts = hosts
        self.workloads = workloads
        self.history = history
    }
}

extension Scheduler {
    /// The fleet as it is now, without history.
    public var record: FleetRecord {
        let placed = state.workloads.compactMap { $0 }
            .map { workload in
                FleetRecord.PlacedWorkload(
                    request: workload.request,
                    placement: state.placement(of: workload.assignment, for: workload.request.id))
            }
        var record = FleetRecord(
            hosts: state.descriptions.compactMap { $0 },
            workloads: placed.sorted { $0.request.id < $1.request.id })
        record.learnt = FleetRecord.Learnt(
            popularity: popularity, typical: tableTypical, nextComparison: nextComparison)
        return record
    }

    /// A scheduler of a recorded fleet, before its history. Hosts keep their order.
    public convenience init(
        restoring record: FleetRecord, settings: SchedulerSettings = SchedulerSettings()
    ) throws(SchedulingError) {
        guard record.version == 1 else { throw .invalid("The record has version \(record.version); 1 is known.") }
        self.init(settings: settings)
        for host in record.hosts { try apply(.addHost(host)) }
        for workload in record.workloads { try apply(.place(workload.request, workload.placement)) }
        guard let learnt = record.learnt else { return }
        popularity = learnt.popularity
        nextComparison = learnt.nextComparison
        rebuildTable(learnt.typical)
    }

    /// Repeats a history with this scheduler's own placements instead of the recorded ones, and returns the requests
    /// that found no place when they came; those are not tried again.
    public func replay(_ history: [FleetChange]) throws(SchedulingError) -> [String] {
        var refused: Set<String> = []
        for change in history {
            switch change {
            case .place(let request, _):
                if let placement = try placement(for: request) {
                    try apply(.place(request, placement))
                } else {
                    refused.insert(request.id)
                }
            case .release(let id):
                // What was refused, or lost its host here, has nothing to give back.
                if state.workloadNumbers[id] != nil { try apply(change) }
            default: try apply(change)
            }
        }
        return refused.sorted()
    }
}

// MARK: - Looking

extension Scheduler {
    /// Whether a workload has a place.
    public func isPlaced(_ workload: String) -> Bool { state.workloadNumbers[workload] != nil }

    /// What a placed workload asked for.
    public func request(of workload: String) -> WorkloadRequest? {
        state.workloadNumbers[workload].flatMap { state.workloads[Int($0)]?.request }
    }

    /// Where a workload is.
    public func placement(of workload: String) -> Placement? {
        guard let slot = state.workloadNumbers[workload], let placed = state.workloads[Int(slot)] else { return nil }
        return state.placement(of: placed.assignment, for: workload)
    }

    /// The workloads with a part of a host, by id.
    public func workloads(on host: String) -> [String] {
        state.hostNumbers[host].map { state.workloadIDs(on: $0) } ?? []
    }

    /// What is free on a host; negative where a host became smaller than what is placed on it.
    public func free(on host: String) -> ResourceVector? {
        guard let slot = state.hostNumbers[host] else { return nil }
        var free = ResourceVector(
            cpuMilli: Int(state.hosts.cpuFree[slot]), memoryMiB: Int(state.hosts.memoryFree[slot]))
        let first = state.hosts.firstDevice[slot]
        for device in first..<(first + state.hosts.deviceCount[slot]) {
            free += ResourceVector(
                deviceCount: state.devices.userCount[device] == 0 ? 1 : 0,
                computeMilli: Int(state.devices.milliFree[device]), vramMiB: Int(state.devices.vramFree[device]))
        }
        return free
    }
}
