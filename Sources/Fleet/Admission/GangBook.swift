/// Workloads of one project that run, put together as they would be taken back.
struct GangBook: Sendable {
    /// What is only taken back together.
    struct Gang: Sendable {
        let name: String
        let project: String
        fileprivate(set) var members: [RunningWorkload]
        /// Sums and bounds over the members.
        fileprivate(set) var requests = ResourceVector.zero
        fileprivate(set) var priority = Int64.min
        fileprivate(set) var startedAt = Int64.min
        fileprivate(set) var protectedUntil = Int64.min
        fileprivate(set) var isPreemptible = true

        fileprivate mutating func count(_ workload: RunningWorkload) {
            requests += workload.booking.requests
            priority = max(priority, workload.priority)
            startedAt = max(startedAt, workload.startedAt)
            protectedUntil = max(protectedUntil, workload.protectedUntil)
            isPreemptible = isPreemptible && workload.isPreemptible
        }

        /// The same gang without one of its members.
        fileprivate func without(_ id: String) -> Gang {
            var gang = Gang(name: name, project: project, members: members.filter { $0.id != id })
            for member in gang.members { gang.count(member) }
            return gang
        }
    }

    /// The gangs, in no order.
    private(set) var gangs: [Gang] = []
    private var places: [String: Int] = [:]

    mutating func add(_ workload: RunningWorkload) {
        if let place = places[workload.gang] {
            gangs[place].members.append(workload)
            gangs[place].count(workload)
        } else {
            var gang = Gang(name: workload.gang, project: workload.project, members: [workload])
            gang.count(workload)
            places[workload.gang] = gangs.count
            gangs.append(gang)
        }
    }

    mutating func remove(_ workload: RunningWorkload) {
        guard let place = places[workload.gang] else { return }
        let rest = gangs[place].without(workload.id)
        guard rest.members.isEmpty else {
            gangs[place] = rest
            return
        }
        places[workload.gang] = nil
        guard let last = gangs.popLast(), place < gangs.count else { return }
        gangs[place] = last
        places[last.name] = place
    }
}
