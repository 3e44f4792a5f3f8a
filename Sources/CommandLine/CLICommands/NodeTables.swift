import NodeModel

/// The tables of `roost ps`, `devices` and `top`.
enum NodeTables {
    /// What `roost ps` shows.
    static func vgpus(_ vgpus: [VirtualGPUReport]) -> Table {
        Table(
            columns: [
                .words("ID"), .words("NAME"), .words("DEVICE"), .words("STATE"), .numbers("VRAM"), .numbers("COMPUTE"),
                .numbers("UTIL"), .words("PIDS"), .words("PROGRAM"), .numbers("AGE"),
            ],
            rows: vgpus.map { vgpu in
                [
                    vgpu.id.rawValue, vgpu.name, vgpu.device.rawValue, vgpu.state.rawValue, memory(of: vgpu),
                    vgpu.compute.description, vgpu.measurement.map { "\($0.utilizationPercent) %" } ?? "-",
                    processes(of: vgpu), vgpu.program ?? "-", age(vgpu.ageSeconds),
                ]
            })
    }

    /// What `roost devices` shows.
    static func devices(_ devices: [DeviceReport]) -> Table {
        Table(
            columns: [
                .words("DEVICE"), .words("NAME"), .numbers("VRAM"), .numbers("ALLOCATED"), .numbers("USED"),
                .numbers("COMPUTE ALLOCATED"), .numbers("VGPUS"),
            ],
            rows: devices.map { device in
                [
                    device.id.rawValue, device.name, device.memory.description, device.allocatedMemory.description,
                    device.usedMemory.description, "\(device.allocatedPercent) %", "\(device.vgpuCount)",
                ]
            })
    }

    /// Memory in use and the limit.
    static func memory(of vgpu: VirtualGPUReport) -> String {
        "\(vgpu.measurement.map { $0.usedMemory.description } ?? "-") / \(vgpu.memory)"
    }

    /// The processes that use a vGPU.
    static func processes(of vgpu: VirtualGPUReport) -> String {
        let numbers = (vgpu.measurement?.processes ?? []).map { "\($0.processID)" }
        return numbers.isEmpty ? "-" : numbers.joined(separator: ",")
    }

    /// A time in its two largest units.
    static func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m\(seconds % 60)s"
        case ..<86_400: "\(seconds / 3600)h\(seconds % 3600 / 60)m"
        default: "\(seconds / 86_400)d\(seconds % 86_400 / 3600)h"
        }
    }
}
