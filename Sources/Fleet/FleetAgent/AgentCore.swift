public import FleetModel

/// What a node's agent must do about the vGPUs that the control plane placed on it.
public enum AgentAction: Sendable, Hashable {
    /// Start the workers of a vGPU.
    case start(Resource<VirtualGPUSpec>, program: WorkloadSpec.Program?)
    /// End them; their end is told to ``AgentCore/ended(_:exitStatus:message:)``.
    case stop(uid: String)
}

/// The deciding half of a node's link to the control plane: compares what is wanted with what is there.
///
/// What runs goes on when the control plane can't be reached: a program must not end because of an outage elsewhere. A
/// node that was given up meanwhile learns of it with the next answer, and its devices count as taken until it has
/// said that they are free.
public struct AgentCore: Sendable {
    private struct Known: Sendable {
        var vgpu: Resource<VirtualGPUSpec>
        var report: VirtualGPUReport
        var isStopping = false
    }

    /// Counts the agent's starts.
    public let epoch: Int64
    private var known: [String: Known] = [:]
    /// Ended vGPUs whose end was told, the oldest first: a control plane that lags may still ask for them.
    private var finished: [String] = []
    /// The newest revision that an answer showed: an older one, from a control plane that lags, must not end what is
    /// newer.
    private(set) public var seen: Int64 = -1
    private static let finishedCountMax = 4096

    /// Starts without vGPUs.
    public init(epoch: Int64) {
        self.epoch = epoch
    }

    /// What the next heartbeat tells of vGPUs, in the order of their names.
    public var reports: [VirtualGPUReport] {
        known.values.map(\.report).sorted { ($0.project, $0.name, $0.uid) < ($1.project, $1.name, $1.uid) }
    }

    /// The vGPUs that are there or come to be.
    public var running: [Resource<VirtualGPUSpec>] {
        known.values.filter { $0.report.status.phase != .ended }.map(\.vgpu)
    }

    /// Takes in an answer to a heartbeat that had told `told`.
    ///
    /// - Returns: What to do now.
    public mutating func take(_ answer: HeartbeatAnswer, told: [VirtualGPUReport]) -> [AgentAction] {
        guard answer.revision >= seen else { return [] }
        // A control plane shows its own writes before it has all of others'.
        seen = max(seen, answer.revision, answer.vgpus.compactMap(\.metadata.revision).max() ?? -1)
        for report in told where report.status.phase == .ended { finish(report.uid) }
        var actions: [AgentAction] = []
        var named = Set<String>()
        for vgpu in answer.vgpus {
            guard let uid = vgpu.metadata.uid, named.insert(uid).inserted else { continue }
            if known[uid] == nil { begin(vgpu, uid, answer, &actions) }
            if vgpu.spec.stop == true { stop(uid, &actions) }
        }
        for uid in known.keys.sorted() where !named.contains(uid) { stop(uid, &actions) }
        return actions
    }

    private mutating func begin(
        _ vgpu: Resource<VirtualGPUSpec>, _ uid: String, _ answer: HeartbeatAnswer, _ actions: inout [AgentAction]
    ) {
        let project = vgpu.metadata.project ?? defaultProject
        var status = VirtualGPUStatus()
        status.phase = .starting
        var report = VirtualGPUReport(project: project, name: vgpu.metadata.name, uid: uid, status: status)
        // One that is known to run, but not here, was an earlier start's: what it had is gone.
        let isLeftover = vgpu.status.phase != .placed || finished.contains(uid)
        if isLeftover || vgpu.spec.stop == true {
            report.status.phase = .ended
            report.status.message = isLeftover ? "The node's agent was started again." : nil
        }
        known[uid] = Known(vgpu: vgpu, report: report)
        guard report.status.phase == .starting else { return }
        actions.append(.start(vgpu, program: answer.programs?["\(project)/\(vgpu.metadata.name)"]))
    }

    private mutating func finish(_ uid: String) {
        guard known.removeValue(forKey: uid) != nil else { return }
        finished.append(uid)
        if finished.count > AgentCore.finishedCountMax { finished.removeFirst() }
    }

    private mutating func stop(_ uid: String, _ actions: inout [AgentAction]) {
        guard let one = known[uid], !one.isStopping, one.report.status.phase != .ended else { return }
        known[uid]?.isStopping = true
        known[uid]?.report.status.phase = .stopping
        actions.append(.stop(uid: uid))
    }

    /// Takes note that a vGPU's workers serve.
    public mutating func serves(
        _ uid: String, endpoints: [String], uuids: [String], secret: String, isSoftware: Bool = false
    ) {
        guard known[uid] != nil, known[uid]?.report.status.phase != .ended else { return }
        known[uid]?.report.status.endpoints = endpoints
        known[uid]?.report.status.uuids = uuids
        known[uid]?.report.connection = VirtualGPUConnection(
            endpoints: endpoints, token: secret, uuids: uuids, isSoftware: isSoftware)
        if known[uid]?.isStopping == false { known[uid]?.report.status.phase = .running }
    }

    /// Takes note that nothing of a vGPU is left.
    public mutating func ended(_ uid: String, exitStatus: Int64?, message: String?) {
        guard known[uid] != nil else { return }
        known[uid]?.report.status.phase = .ended
        known[uid]?.report.status.endpoints = nil
        known[uid]?.report.connection = nil
        known[uid]?.report.status.exitStatus = exitStatus
        known[uid]?.report.status.message = message
    }

    /// Takes note of what a vGPU does at the moment.
    public mutating func measured(_ uid: String, utilization: Percent?, usedMemory: MemoryQuantity?) {
        known[uid]?.report.status.utilization = utilization
        known[uid]?.report.status.usedMemory = usedMemory
    }
}
