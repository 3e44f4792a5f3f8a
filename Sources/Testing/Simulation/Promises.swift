import ControlPlane
import FleetModel

/// What the vGPUs of the store hold, added up change by change.
struct Promises: Equatable {
    /// A device of a node.
    struct Device: Hashable {
        var node: String
        var name: String
    }

    /// A part of a replica of a workload.
    struct Part: Hashable {
        var workloadUID: String
        var replica: Int64
        var part: Int64
    }

    /// An amount of a device.
    struct Amount: Equatable {
        var compute: Int64 = 0
        var memory: Int64 = 0
    }

    /// What is promised of devices, without those of which nothing is.
    private(set) var held: [Device: Amount] = [:]
    /// The vGPUs that are there or come to be, by what they are a part of.
    private(set) var owners: [Part: Set<ResourceReference>] = [:]
    /// The compute that projects use, without those below them.
    private(set) var used: [String: Int64] = [:]

    /// Adds up vGPUs.
    init(_ vgpus: some Sequence<Resource<VirtualGPUSpec>> = []) {
        for vgpu in vgpus { add(vgpu) }
    }

    mutating func add(_ vgpu: Resource<VirtualGPUSpec>) { count(vgpu, 1) }

    mutating func remove(_ vgpu: Resource<VirtualGPUSpec>) { count(vgpu, -1) }

    private mutating func count(_ vgpu: Resource<VirtualGPUSpec>, _ sign: Int64) {
        if vgpu.status.phase != .ended {
            let compute = sign * vgpu.spec.compute.request.value
            for device in vgpu.devices {
                held[device, default: Amount()].compute += compute
                held[device, default: Amount()].memory += sign * vgpu.spec.memory.request.mebibytes
                if held[device] == Amount() { held[device] = nil }
            }
            let project = vgpu.metadata.project ?? defaultProject
            used[project, default: 0] += compute * Int64(vgpu.spec.devices.count)
            if used[project] == 0 { used[project] = nil }
        }
        guard !vgpu.status.phase.isOver, vgpu.spec.stop != true else { return }
        if sign > 0 {
            owners[vgpu.part, default: []].insert(vgpu.reference)
        } else {
            owners[vgpu.part]?.remove(vgpu.reference)
            if owners[vgpu.part]?.isEmpty == true { owners[vgpu.part] = nil }
        }
    }
}

extension Resource<VirtualGPUSpec> {
    /// The devices of which it has a part.
    var devices: [Promises.Device] { spec.devices.map { Promises.Device(node: spec.node, name: $0) } }

    /// What it is a part of.
    var part: Promises.Part {
        Promises.Part(workloadUID: spec.workloadUID, replica: spec.replica, part: spec.part ?? 0)
    }
}
