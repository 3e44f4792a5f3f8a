/// Changes of a scheduler's state that are taken back in the end, to see what would be.
struct Simulation {
    private enum Step {
        case placed(String)
        case released(FleetState.PlacedWorkload)
    }

    private let state: FleetState
    private var steps: [Step] = []
    private var held: [Int32] = []

    init(_ scheduler: Scheduler) { state = scheduler.state }

    var hasHolds: Bool { !held.isEmpty }

    mutating func place(_ request: WorkloadRequest, at assignment: Assignment) {
        do {
            try state.place(request, at: assignment)
        } catch {
            preconditionFailure("A simulated workload has the id of one that is placed; ids are checked before.")
        }
        steps.append(.placed(request.id))
    }

    mutating func release(_ slot: Int32) {
        guard let workload = state.workloads[Int(slot)] else { return }
        state.release(slot)
        steps.append(.released(workload))
    }

    /// Keeps a place's devices from others until `dropHolds`.
    mutating func hold(_ assignment: Assignment) {
        for part in assignment.parts where state.devices.status[part.device].isHealthy {
            state.devices.status[part.device].abilities &= ~1
            held.append(part.device)
            state.touch(state.devices.host[part.device])
        }
    }

    mutating func dropHolds() {
        for device in held {
            state.devices.status[device].abilities |= 1
            state.touch(state.devices.host[device])
        }
        held.removeAll()
    }

    mutating func undo() {
        dropHolds()
        for step in steps.reversed() {
            switch step {
            case .placed(let id):
                if let slot = state.workloadNumbers[id] { state.release(slot) }
            case .released(let workload):
                do {
                    try state.place(workload.request, at: workload.assignment)
                } catch {
                    preconditionFailure("A workload that was released in a simulation finds its id taken.")
                }
            }
        }
        steps.removeAll()
    }
}
