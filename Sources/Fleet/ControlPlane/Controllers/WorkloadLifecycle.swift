public import FleetModel

/// Decides what becomes of workloads and their vGPUs once they are placed: scaling down, ends of programs, losses,
/// drains, clean-up, status. Where replicas go is decided by ``PlacementController``.
public struct WorkloadLifecycle: Sendable {
    /// How long the rest of a gang that lost members waits for others in their place, before it gives its places back.
    public var brokenGangSpan = TimeSpan.seconds(30)

    /// Keeps the usual spans.
    public init() {}

    /// What to write about some workloads and vGPUs now.
    ///
    /// - Parameters:
    ///   - view: All resources.
    ///   - changed: The workloads and vGPUs to look at, in the order in which actions are wanted.
    ///   - now: The time.
    public func decide(_ view: FleetView, changed: [ResourceReference], now: Timestamp) -> ActionList {
        var list = ActionList()
        for workload in changed.compactMap({ view.workloads[$0] }) {
            if isAbandoned(workload, now: now) {
                list.note(
                    workload.reference, .normal, "HoldEnded",
                    "No client kept it alive for \(workload.spec.holdTimeout?.description ?? "").", at: now)
                list.delete(workload)
                continue
            }
            let replicas = Replica.all(of: workload, in: view)
            for replica in replicas { settle(replica, of: workload, now: now, in: &list) }
            breakUpGang(of: workload, replicas, now: now, in: &list)
            updateStatus(workload, replicas, now: now, in: &list)
        }
        for vgpu in changed.compactMap({ view.vgpus[$0] }) { settle(vgpu, view, now: now, in: &list) }
        return list
    }

    private func isAbandoned(_ workload: Resource<WorkloadSpec>, now: Timestamp) -> Bool {
        guard let span = workload.spec.holdTimeout, let held = workload.status.heldAt ?? workload.metadata.createdAt
        else { return false }
        return now - held > span
    }

    // MARK: - Replicas

    private func settle(
        _ replica: Replica, of workload: Resource<WorkloadSpec>, now: Timestamp, in list: inout ActionList
    ) {
        let isWanted = replica.index < workload.spec.replicas ?? 1
        for vgpu in replica.live where !isWanted { stop(vgpu, "ScaledDown", in: &list) }
        for vgpu in replica.live where isWanted && replica.isBroken { stop(vgpu, "PartLost", in: &list) }
        for vgpu in replica.vgpus where vgpu.status.phase == .ended {
            // A program's good end is remembered by its vGPU, so that the replica does not start again.
            let isRemembered =
                workload.spec.program != nil && isWanted && endsForGood(vgpu, restart: workload.spec.restart)
            if !isRemembered { list.delete(vgpu) }
            if isWanted, vgpu.spec.stop != true, !isRemembered {
                let reason = vgpu.status.message ?? vgpu.status.exitStatus.map { "exit status \($0)" } ?? "it ended"
                list.note(
                    workload.reference, .warning, "ReplicaEnded",
                    "Replica \(replica.index) on \(vgpu.spec.node) ended: \(reason). It is placed again.", at: now)
            }
        }
    }

    /// What is left of a gang is of no use to it, and may be to others.
    private func breakUpGang(
        of workload: Resource<WorkloadSpec>, _ replicas: [Replica], now: Timestamp, in list: inout ActionList
    ) {
        guard let gang = workload.spec.gang, let since = workload.status.waitingSince, now - since > brokenGangSpan
        else { return }
        let placed = replicas.filter { $0.isPlaced && $0.index < workload.spec.replicas ?? 1 }
        guard !placed.isEmpty, placed.count < Int(gang.minimum ?? workload.spec.replicas ?? 1) else { return }
        for replica in placed { for vgpu in replica.live { stop(vgpu, "GangBroken", in: &list) } }
        list.note(
            workload.reference, .warning, "GangBroken",
            "Only \(placed.count) of its gang are left and others found no place; all of it is placed anew.", at: now)
    }

    private func endsForGood(_ vgpu: Resource<VirtualGPUSpec>, restart: WorkloadSpec.Restart?) -> Bool {
        guard vgpu.spec.stop != true, let status = vgpu.status.exitStatus else { return false }
        switch restart ?? .onFailure {
        case .always: return false
        case .onFailure: return status == 0
        case .never: return true
        }
    }

    private func stop(_ vgpu: Resource<VirtualGPUSpec>, _ reason: String, in list: inout ActionList) {
        list.update(vgpu) { vgpu in
            vgpu.spec.stop = true
            vgpu.spec.stopReason = reason
        }
    }

    // MARK: - vGPUs by themselves

    private func settle(
        _ vgpu: Resource<VirtualGPUSpec>, _ view: FleetView, now: Timestamp, in list: inout ActionList
    ) {
        guard let node = view.nodes[vgpu.spec.node] else {
            // The node's object was deleted: there is nobody left who could say that it ended.
            return list.delete(vgpu)
        }
        guard view.workload(of: vgpu) != nil else {
            if vgpu.status.phase == .ended { return list.delete(vgpu) }
            if vgpu.spec.stop != true { stop(vgpu, "WorkloadDeleted", in: &list) }
            return
        }
        if node.spec.drain == true, vgpu.spec.stop != true, !vgpu.status.phase.isOver {
            stop(vgpu, "NodeDrained", in: &list)
            list.note(vgpu.reference, .normal, "Evicted", "The node \(node.metadata.name) is drained.", at: now)
        }
    }

    // MARK: - Status

    private func updateStatus(
        _ workload: Resource<WorkloadSpec>, _ replicas: [Replica], now: Timestamp, in list: inout ActionList
    ) {
        let wanted = workload.spec.replicas ?? 1
        let counted = replicas.filter { $0.index < wanted }
        let placed = Int64(counted.filter(\.isPlaced).count)
        let ready = Int64(counted.filter(\.isReady).count)
        let succeeded = Int64(counted.filter { !$0.isPlaced && $0.hasSucceeded }.count)
        let failed = Int64(counted.filter { hasFailed($0, workload.spec) }.count)
        let isGangOverdue = isGangOverdue(workload, placed: placed, now: now)
        list.update(workload) { workload in
            workload.status.placed = placed
            workload.status.ready = ready
            if placed + succeeded + failed >= wanted {
                workload.status.waiting = nil
                workload.status.waitingSince = nil
                workload.status.queuePosition = nil
            } else if workload.status.waitingSince == nil {
                workload.status.waitingSince = now
            }
            if isGangOverdue || failed > 0 {
                workload.status.phase = .failed
            } else if wanted > 0, succeeded == wanted {
                workload.status.phase = .succeeded
            } else {
                workload.status.phase = ready + succeeded >= wanted ? .running : placed > 0 ? .partial : .pending
            }
        }
        if isGangOverdue, workload.status.phase != .failed {
            list.note(
                workload.reference, .warning, "GangTimeout",
                "Its replicas could not all be placed within \(workload.spec.gang?.timeout?.description ?? "").",
                at: now)
        }
    }

    private func hasFailed(_ replica: Replica, _ spec: WorkloadSpec) -> Bool {
        spec.program != nil && spec.restart == .never && !replica.isPlaced
            && replica.vgpus.contains { $0.status.phase == .ended && ($0.status.exitStatus ?? 0) != 0 }
    }

    private func isGangOverdue(_ workload: Resource<WorkloadSpec>, placed: Int64, now: Timestamp) -> Bool {
        guard let gang = workload.spec.gang, let timeout = gang.timeout, let since = workload.status.waitingSince
        else { return false }
        return placed < gang.minimum ?? workload.spec.replicas ?? 1 && now - since > timeout
    }
}
