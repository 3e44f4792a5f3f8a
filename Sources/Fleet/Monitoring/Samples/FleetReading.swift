import FleetModel

/// A snapshot with its telemetry, indexed for the walk over pools, nodes and devices.
struct FleetReading {
    let snapshot: FleetSnapshot
    let telemetry: FleetTelemetry
    /// The pool of each node; empty for one that has none.
    let poolOfNode: [String: String]
    /// The devices of each node.
    let devicesOfNode: [String: [Resource<DeviceSpec>]]
    /// How many vGPUs of each node have not ended.
    let vgpuCountOfNode: [String: Int]
    /// The device of each node and name.
    let deviceByName: [String: [String: Resource<DeviceSpec>]]

    init(snapshot: FleetSnapshot, telemetry: FleetTelemetry) {
        self.snapshot = snapshot
        self.telemetry = telemetry
        poolOfNode = Dictionary(
            snapshot.nodes.map { ($0.metadata.name, $0.status.pool ?? $0.spec.pool ?? "") }
        ) { first, _ in first }
        let byNode = Dictionary(grouping: snapshot.devices, by: \.spec.node)
        devicesOfNode = byNode
        deviceByName = byNode.mapValues { Dictionary($0.map { ($0.spec.id, $0) }) { first, _ in first } }
        vgpuCountOfNode = snapshot.vgpus.reduce(into: [:]) { counts, vgpu in
            guard vgpu.status.phase != .ended, vgpu.status.phase != .lost else { return }
            counts[vgpu.spec.node, default: 0] += 1
        }
    }

    func addPools(to sheet: inout SampleSheet) {
        for pool in snapshot.pools {
            let labels = [pool.metadata.name]
            let status = pool.status
            sheet.add(.poolReadyNodes, labels, Double(status.readyNodes))
            sheet.add(.poolDevices, labels, Double(status.devices))
            sheet.add(.poolComputeCapacity, labels, status.capacity.compute?.ratio ?? 0)
            sheet.add(.poolComputeAllocated, labels, status.allocated.compute?.ratio ?? 0)
            sheet.add(.poolMemoryCapacity, labels, status.capacity.memory?.byteCount ?? 0)
            sheet.add(.poolMemoryAllocated, labels, status.allocated.memory?.byteCount ?? 0)
            sheet.add(.poolSpeedCapacity, labels, status.capacity.speed?.teraflops)
        }
    }

    func addNodes(to sheet: inout SampleSheet) {
        var phases: [String: [NodeStatus.Phase: Int]] = [:]
        for pool in snapshot.pools { phases[pool.metadata.name] = [:] }
        for node in snapshot.nodes {
            let name = node.metadata.name
            let pool = poolOfNode[name] ?? ""
            let labels = [pool, name]
            let devices = devicesOfNode[name] ?? []
            phases[pool, default: [:]][node.status.phase, default: 0] += 1
            sheet.add(.nodeMetadata, labels + [node.status.version ?? ""], 1)
            sheet.add(.nodeReady, labels, node.status.phase == .ready ? 1 : 0)
            sheet.add(.nodeUnschedulable, labels, node.spec.unschedulable == true || node.spec.drain == true ? 1 : 0)
            sheet.add(.nodeHeartbeat, labels, node.status.heartbeatAt.map { Double($0.milliseconds) / 1000 })
            sheet.add(.nodeDevices, labels, Double(devices.count))
            sheet.add(.nodeVGPUs, labels, Double(vgpuCountOfNode[name] ?? 0))
            sheet.add(.nodeComputeAllocated, labels, devices.reduce(0) { $0 + $1.status.allocatedCompute.ratio })
            sheet.add(.nodeMemoryCapacity, labels, devices.reduce(0) { $0 + $1.status.memory.byteCount })
            sheet.add(.nodeMemoryAllocated, labels, devices.reduce(0) { $0 + $1.status.allocatedMemory.byteCount })
        }
        for (pool, counts) in phases {
            for phase in NodeStatus.Phase.allCases {
                sheet.add(.nodes, [pool, phase.rawValue], Double(counts[phase] ?? 0))
            }
        }
    }

    func addDevices(to sheet: inout SampleSheet) {
        for device in snapshot.devices {
            let status = device.status
            let node = device.spec.node
            let labels = [poolOfNode[node] ?? "", node, device.spec.id, status.model]
            let told = telemetry.devices[node]?[device.spec.id]
            let utilization = told?.utilization ?? status.utilization?.ratio
            let used = told?.usedBytes ?? status.usedMemory?.byteCount
            sheet.add(.deviceMetadata, labels + [status.vendor, status.uuid ?? ""], 1)
            sheet.add(.deviceHealthy, labels, status.healthy ? 1 : 0)
            sheet.add(.deviceVGPUs, labels, Double(status.vgpus))
            sheet.add(
                .deviceSpeed, labels, status.milliTeraflops > 0 ? Double(status.milliTeraflops) / 1000 : nil)
            sheet.add(.deviceComputeAllocated, labels, status.allocatedCompute.ratio)
            sheet.add(.deviceUtilization, labels, utilization)
            sheet.add(.deviceMemory, labels, status.memory.byteCount)
            sheet.add(.deviceMemoryAllocated, labels, status.allocatedMemory.byteCount)
            sheet.add(.deviceMemoryUsed, labels, used)
            sheet.add(.deviceTemperature, labels, told?.temperatureCelsius)
            sheet.add(.devicePower, labels, told?.powerWatts)
            if let utilization, let used, status.memory.byteCount > 0 {
                let isIdle = utilization < 0.01 && used < 0.05 * status.memory.byteCount
                sheet.add(.deviceIdle, labels, isIdle ? 1 : 0)
            }
            addDCGM(device, told, to: &sheet)
        }
    }

    private func addDCGM(
        _ device: Resource<DeviceSpec>, _ told: DeviceTelemetry?, to sheet: inout SampleSheet
    ) {
        let labels = dcgmLabels(device, vgpu: "")
        let total = device.status.memory.byteCount
        let used = told?.usedBytes ?? device.status.usedMemory?.byteCount
        let utilization = told?.utilization ?? device.status.utilization?.ratio
        sheet.add(.dcgmUtilization, labels, utilization.map(percent))
        sheet.add(.dcgmMemoryUsed, labels, used.map(mebibytes))
        sheet.add(.dcgmMemoryFree, labels, used.map { mebibytes(max(0, total - $0)) })
        sheet.add(.dcgmMemoryTotal, labels, mebibytes(total))
        sheet.add(.dcgmTemperature, labels, told?.temperatureCelsius)
        sheet.add(.dcgmPower, labels, told?.powerWatts)
    }

    func dcgmLabels(_ device: Resource<DeviceSpec>, vgpu: String) -> [String] {
        let id = device.spec.id
        return [id, device.status.uuid ?? "", id, device.status.model, device.spec.node, vgpu]
    }

    func mebibytes(_ byteCount: Double) -> Double { byteCount / 1_048_576 }

    func percent(_ ratio: Double) -> Double { (ratio * 100).rounded() }
}

extension ComputeQuantity {
    /// The speed in TFLOPS; nil for a share.
    var teraflops: Double? {
        if case .milliTeraflops(let value) = self { Double(value) / 1000 } else { nil }
    }
}
