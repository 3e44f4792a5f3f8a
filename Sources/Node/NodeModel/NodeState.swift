/// Decides what happens to leases, vGPUs and workers of one node. Performs nothing: the caller carries out the actions,
/// in order, and feeds back what comes of them.
public struct NodeState: Sendable {
    /// The devices that are shared out.
    public let devices: [Device]
    /// All vGPUs that take a part of a device.
    public private(set) var vgpus: [VirtualGPUID: VirtualGPU] = [:]
    /// All leases whose client is there.
    public private(set) var leases: [LeaseID: Lease] = [:]
    /// Whether no more requests are taken.
    public private(set) var isShuttingDown = false
    /// Whether a control plane decides what goes where; then requests that don't name their devices are refused.
    public var isManaged = false
    /// Requests that fit as soon as workers that were told to end are gone, oldest first.
    private var waiting: [WaitingRequest] = []
    private var isFinished = false

    private struct WaitingRequest: Sendable {
        var lease: LeaseID
        var request: GPURequest
        var clientProcessID: Int32
    }

    /// Starts with nothing placed.
    public init(devices: [Device]) {
        self.devices = devices
    }

    /// What is free on each device. Each vGPU counts until its worker is gone, not only until it is told to end.
    public var capacities: [DeviceCapacity] { capacities(countingStopping: true) }

    private func capacities(countingStopping: Bool) -> [DeviceCapacity] {
        devices.map { device in
            var capacity = DeviceCapacity(device: device)
            for vgpu in vgpus.values where vgpu.device == device.id {
                guard countingStopping || vgpu.phase != .stopping else { continue }
                capacity.allocatedMebibytes += vgpu.memory.coveringMebibytes
                capacity.allocatedPercent += vgpu.compute.percent
            }
            return capacity
        }
    }

    /// Whether an event is the end of a worker that nobody told to end.
    public func isLoss(_ event: NodeEvent) -> Bool {
        guard case .workerEnded(let id, _) = event, let vgpu = vgpus[id] else { return false }
        return vgpu.phase != .stopping
    }

    /// Takes in one event.
    ///
    /// - Parameters:
    ///   - event: What happened.
    ///   - now: The time, in seconds since 1970.
    ///   - random: Where names come from.
    /// - Returns: What to do, in this order.
    public mutating func handle(
        _ event: NodeEvent, now: Int64, random: inout some RandomNumberGenerator
    ) -> [NodeAction] {
        switch event {
        case .requested(let lease, let request, let clientProcessID):
            let waiting = WaitingRequest(lease: lease, request: request, clientProcessID: clientProcessID)
            return requested(waiting, now: now, random: &random)
        case .workerReady(let id, let processID, let endpoints):
            return workerReady(id, processID: processID, endpoints: endpoints)
        case .workerEnded(let id, let end):
            return workerEnded(id, end) + retryWaiting(now: now, random: &random)
        case .clientGone(let lease):
            waiting.removeAll { $0.lease == lease }
            guard let lease = leases.removeValue(forKey: lease) else { return [] }
            return stop(lease.vgpus)
        case .shutDownRequested:
            isShuttingDown = true
            let refusals = waiting.map { NodeAction.refuse($0.lease, .shuttingDown) }
            waiting = []
            return refusals + stop(vgpus.keys.sorted()) + finishIfIdle()
        }
    }

    private mutating func requested(
        _ new: WaitingRequest, now: Int64, random: inout some RandomNumberGenerator
    ) -> [NodeAction] {
        guard !isShuttingDown else { return [.refuse(new.lease, .shuttingDown)] }
        guard leases[new.lease] == nil else {
            return [.refuse(new.lease, .badRequest(message: "This connection holds vGPUs already."))]
        }
        if let defect = new.request.defect { return [.refuse(new.lease, .badRequest(message: defect))] }
        if let named = new.request.devices { return requested(new, at: named, now: now, random: &random) }
        guard !isManaged else { return [.refuse(new.lease, .managed)] }
        switch Allocator.place(new.request, on: capacities) {
        case .success(let placements):
            return begin(new, at: placements, now: now, random: &random)
        case .failure(let refusal):
            // A program that follows another in a script must not be refused while the first one's worker ends.
            guard case .success = Allocator.place(new.request, on: capacities(countingStopping: false)) else {
                return [.refuse(new.lease, .noRoom(refusal))]
            }
            waiting.append(new)
            return []
        }
    }

    private mutating func requested(
        _ new: WaitingRequest, at named: [DeviceID], now: Int64, random: inout some RandomNumberGenerator
    ) -> [NodeAction] {
        if let unknown = named.first(where: { id in !devices.contains { $0.id == id } }) {
            return [.refuse(new.lease, .badRequest(message: "This node has no device \(unknown)."))]
        }
        return begin(new, at: named.map(Placement.init(device:)), now: now, random: &random)
    }

    private mutating func retryWaiting(now: Int64, random: inout some RandomNumberGenerator) -> [NodeAction] {
        let requests = waiting
        waiting = []
        var actions: [NodeAction] = []
        for request in requests { actions += requested(request, now: now, random: &random) }
        return actions
    }

    private mutating func begin(
        _ new: WaitingRequest, at placements: [Placement], now: Int64, random: inout some RandomNumberGenerator
    ) -> [NodeAction] {
        var lease = Lease(id: new.lease, clientProcessID: new.clientProcessID, request: new.request, vgpus: [])
        var actions: [NodeAction] = []
        for placement in placements {
            let vgpu = VirtualGPU(
                id: unusedID(random: &random), uuid: VirtualGPU.randomUUID(using: &random), placed: placement,
                for: new.request, lease: lease.id, createdAt: now)
            vgpus[vgpu.id] = vgpu
            lease.vgpus.append(vgpu.id)
            let kind = devices.first { $0.id == vgpu.device }?.kind ?? .software
            actions.append(.spawn(vgpu, kind, new.request.transport))
        }
        leases[lease.id] = lease
        return actions
    }

    /// Short names are for typing; they grow where a draw hits a name in use, so that the loop always ends.
    private func unusedID(random: inout some RandomNumberGenerator) -> VirtualGPUID {
        var length = 4
        while true {
            let id = VirtualGPUID.random(length: length, using: &random)
            if vgpus[id] == nil { return id }
            length += 1
        }
    }

    private mutating func workerReady(
        _ id: VirtualGPUID, processID: Int32, endpoints: [String]
    ) -> [NodeAction] {
        guard var vgpu = vgpus[id] else { return [] }
        vgpu.workerProcessID = processID
        vgpu.endpoints = endpoints
        // A worker that was told to end may still have reported that it serves.
        if vgpu.phase == .starting { vgpu.phase = .running }
        vgpus[id] = vgpu
        guard var lease = leases[vgpu.lease], !lease.isGranted else { return [] }
        let members = lease.vgpus.compactMap { vgpus[$0] }
        guard members.count == lease.vgpus.count, members.allSatisfy({ $0.phase == .running }) else { return [] }
        lease.isGranted = true
        leases[lease.id] = lease
        return [.grant(lease.id, members)]
    }

    private mutating func workerEnded(_ id: VirtualGPUID, _ end: WorkerEnd) -> [NodeAction] {
        guard let vgpu = vgpus.removeValue(forKey: id) else { return [] }
        var actions: [NodeAction] = [.release(id)]
        if vgpu.phase != .stopping, let lease = leases[vgpu.lease] {
            if lease.isGranted {
                actions.append(.reportLoss(lease.id, id, end))
            } else {
                leases[lease.id] = nil
                actions.append(.refuse(lease.id, .workerFailed(id, end)))
                actions += stop(lease.vgpus)
            }
        }
        return actions + finishIfIdle()
    }

    private mutating func stop(_ ids: [VirtualGPUID]) -> [NodeAction] {
        var actions: [NodeAction] = []
        for id in ids where vgpus[id].map({ $0.phase != .stopping }) ?? false {
            vgpus[id]?.phase = .stopping
            actions.append(.stop(id))
        }
        return actions
    }

    private mutating func finishIfIdle() -> [NodeAction] {
        guard isShuttingDown, vgpus.isEmpty, !isFinished else { return [] }
        isFinished = true
        return [.finish]
    }
}
