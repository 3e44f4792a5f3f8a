import FleetModel

/// The vGPUs of one replica: one, or one for each node where its devices are on several.
struct Replica {
    /// Which replica of its workload.
    var index: Int64
    /// Its vGPUs, in the order of the parts; those of earlier tries included.
    var vgpus: [Resource<VirtualGPUSpec>]

    /// Those that are there or come to be.
    var live: [Resource<VirtualGPUSpec>] { vgpus.filter { !$0.status.phase.isOver && $0.spec.stop != true } }

    /// Whether all of its parts are placed.
    var isPlaced: Bool { !live.isEmpty && live.count >= Int(live[0].spec.parts ?? 1) }

    /// Whether all of its parts serve.
    var isReady: Bool { isPlaced && live.allSatisfy { $0.status.phase == .running } }

    /// Whether its program ended well.
    var hasSucceeded: Bool { vgpus.contains { $0.status.phase == .ended && $0.status.exitStatus == 0 } }

    /// Whether something of it was lost or ended, so that the rest is of no use.
    var isBroken: Bool { !live.isEmpty && !isPlaced && vgpus.contains { $0.status.phase.isOver } }

    /// All replicas of which a workload has vGPUs, in their order.
    static func all(of workload: Resource<WorkloadSpec>, in view: FleetView) -> [Replica] {
        var replicas: [Replica] = []
        for vgpu in view.vgpus(ofWorkload: workload.metadata.uid) {
            if replicas.last?.index == vgpu.spec.replica {
                replicas[replicas.count - 1].vgpus.append(vgpu)
            } else {
                replicas.append(Replica(index: vgpu.spec.replica, vgpus: [vgpu]))
            }
        }
        return replicas
    }
}
