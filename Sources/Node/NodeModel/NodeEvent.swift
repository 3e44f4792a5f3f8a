/// What happened on a node.
public enum NodeEvent: Sendable, Equatable {
    /// A client asks for vGPUs.
    case requested(LeaseID, GPURequest, clientProcessID: Int32)
    /// A worker serves at these endpoints.
    case workerReady(VirtualGPUID, processID: Int32, endpoints: [String])
    /// A worker's process is gone, or never came to be. The last event about a vGPU.
    case workerEnded(VirtualGPUID, WorkerEnd)
    /// A client's control connection closed.
    case clientGone(LeaseID)
    /// The daemon is to end, with all of its workers.
    case shutDownRequested
}

/// What the node agent must do now.
public enum NodeAction: Sendable, Equatable {
    /// Start the vGPU's worker.
    case spawn(VirtualGPU, DeviceKind, TransportKind)
    /// End the vGPU's worker; its end is reported as an event.
    case stop(VirtualGPUID)
    /// Remove the vGPU's sockets and token: its worker is gone.
    case release(VirtualGPUID)
    /// Tell the client that it has its vGPUs, in the order of their ordinals.
    case grant(LeaseID, [VirtualGPU])
    /// Tell the client that it gets nothing, and why.
    case refuse(LeaseID, LeaseFailure)
    /// Tell the client that a vGPU of its lease is gone.
    case reportLoss(LeaseID, VirtualGPUID, WorkerEnd)
    /// Nothing is left: the daemon may exit.
    case finish
}

/// How a worker's process ended.
public enum WorkerEnd: Sendable, Hashable, Codable {
    /// It exited by itself with this status.
    case exited(status: Int32)
    /// A signal ended it.
    case signaled(signal: Int32)
    /// It could not be started.
    case notStarted(reason: String)
    /// It did not serve in time and was ended.
    case startTimedOut(seconds: Int)

    /// The end as a part of a sentence about the worker.
    public var message: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signaled(let signal): "was ended by signal \(signal)"
        case .notStarted(let reason): "could not be started: \(reason)"
        case .startTimedOut(let seconds): "did not serve within \(seconds) s"
        }
    }
}

/// Why a client got no vGPU.
public enum LeaseFailure: Error, Sendable, Hashable, Codable {
    /// The devices have no room.
    case noRoom(Refusal)
    /// The request makes no sense.
    case badRequest(message: String)
    /// A worker ended before it served.
    case workerFailed(VirtualGPUID, WorkerEnd)
    /// The daemon ends.
    case shuttingDown
    /// The node belongs to a pool, whose control plane gives its devices out.
    case managed

    /// The reason and the next step, as sentences.
    public var message: String {
        switch self {
        case .noRoom(let refusal): refusal.message
        case .badRequest(let message): message
        case .workerFailed(let vgpu, let end):
            "The worker of \(vgpu) \(end.message). Its log is \(vgpu).log in the state directory's `logs`; "
                + "`roost doctor` checks this machine."
        case .shuttingDown: "The daemon is shutting down; start it again with `roost up`."
        case .managed:
            "This node belongs to a pool, whose control plane gives its devices out. Log in with `roost login`, and "
                + "`roost run` asks there; `roost leave` takes the node out of the pool."
        }
    }
}
