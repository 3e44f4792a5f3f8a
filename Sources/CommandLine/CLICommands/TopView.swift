import NodeModel

/// What `roost top` shows.
struct TopView {
    private static let barWidth = 10
    private let report: NodeReport

    init(_ report: NodeReport) {
        self.report = report
    }

    /// The whole view.
    var text: String {
        let uptime = NodeTables.age(max(0, report.time - report.daemon.startedAt))
        let header =
            "Roost \(report.daemon.version)  up \(uptime)  \(TopView.count(report.devices.count, "device"))  "
            + TopView.count(report.vgpus.count, "vGPU")
        let vgpus = report.vgpus.isEmpty ? "No vGPUs. Next: roost run -- <program>" : self.vgpus.text
        return header + "\n\n" + devices.text + "\n\n" + vgpus
    }

    private var devices: Table {
        Table(
            columns: [.words("DEVICE"), .words("VRAM ALLOCATED"), .words("COMPUTE ALLOCATED"), .words("USED")],
            rows: report.devices.map { device in
                [
                    device.id.rawValue,
                    TopView.bar(device.allocatedMemory.byteCount, of: device.memory.byteCount)
                        + " \(device.allocatedMemory) / \(device.memory)",
                    TopView.bar(UInt64(max(device.allocatedPercent, 0)), of: 100) + " \(device.allocatedPercent) %",
                    device.usedMemory.description,
                ]
            })
    }

    private var vgpus: Table {
        Table(
            columns: [
                .words("VGPU"), .words("NAME"), .words("UTIL"), .words("VRAM"), .numbers("COMPUTE"),
                .numbers("LAUNCHES"), .words("PIDS"), .words("STATE"), .numbers("AGE"),
            ],
            rows: report.vgpus.map { vgpu in
                let measurement = vgpu.measurement
                let utilization = measurement.map { measurement in
                    TopView.bar(UInt64(max(measurement.utilizationPercent, 0)), of: 100)
                        + " \(measurement.utilizationPercent) %"
                }
                let used = measurement?.usedMemory.byteCount ?? 0
                return [
                    vgpu.id.rawValue, vgpu.name, utilization ?? "-",
                    TopView.bar(used, of: vgpu.memory.byteCount) + " " + NodeTables.memory(of: vgpu),
                    vgpu.compute.description, measurement.map { "\($0.launchCount)" } ?? "-",
                    NodeTables.processes(of: vgpu), vgpu.state.rawValue, NodeTables.age(vgpu.ageSeconds),
                ]
            })
    }

    private static func count(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }

    /// A bar of ten places; anything above nothing shows at least one.
    static func bar(_ part: UInt64, of whole: UInt64) -> String {
        let share = whole == 0 ? 0 : Double(part) / Double(whole)
        let rounded = Int((min(share, 1) * Double(barWidth)).rounded())
        let filled = part == 0 ? 0 : max(rounded, 1)
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: barWidth - filled) + "]"
    }
}
