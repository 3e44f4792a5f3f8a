import Scheduling

/// Small fleets and requests, by hand and by dice.
enum Fleets {
    static func device(_ id: String, model: String = "A", vramMiB: Int = 16_384) -> DeviceDescription {
        DeviceDescription(id: id, model: model, vramMiB: vramMiB, milliTFLOPS: model == "A" ? 20_000 : 40_000)
    }

    static func host(
        _ name: String, devices: Int = 2, model: String = "A", cpuMilli: Int = 32_000, rack: String = "r0",
        zone: String = "z0"
    ) -> HostDescription {
        HostDescription(
            name: name, cpuMilli: cpuMilli, memoryMiB: 65_536, topology: TopologyPath(zone: zone, rack: rack),
            devices: (0..<devices).map { device("gpu\($0)", model: model) })
    }

    static func request(
        _ id: String, devices: Int = 1, milli: Int = 500, vramMiB: Int = 1024, cpuMilli: Int = 1000
    ) -> WorkloadRequest {
        WorkloadRequest(
            id: id, cpuMilli: cpuMilli, memoryMiB: 1024,
            devices: devices == 0 ? .none : DeviceDemand(count: devices, compute: .milli(milli), vramMiB: vramMiB))
    }

    static func scheduler(
        _ hosts: [HostDescription], settings: SchedulerSettings = SchedulerSettings()
    ) throws -> Scheduler {
        let scheduler = Scheduler(settings: settings)
        for host in hosts { try scheduler.apply(.addHost(host)) }
        return scheduler
    }

    /// A host of random size, with devices of two models, labels and oversell.
    static func randomHost(_ name: String, _ dice: inout Dice) -> HostDescription {
        let model = Bool.random(using: &dice) ? "A" : "B"
        var host = host(
            name, devices: Int.random(in: 0...8, using: &dice), model: model,
            cpuMilli: Int.random(in: 4...64, using: &dice) * 1000, rack: "r\(Int.random(in: 0..<6, using: &dice))")
        host.topology.zone = "z\(host.topology.rack.utf8.last.map { $0 % 2 } ?? 0)"
        host.labels = ["pool": Bool.random(using: &dice) ? "x" : "y"]
        for index in host.devices.indices {
            host.devices[index].vramMiB = [8192, 16_384, 24_576].randomElement(using: &dice) ?? 8192
            host.devices[index].isHealthy = Int.random(in: 0..<20, using: &dice) != 0
            if Int.random(in: 0..<10, using: &dice) == 0 { host.devices[index].computeCapacityMilli = 1500 }
        }
        return host
    }

    /// A request of one of some dozens of shapes.
    static func randomRequest(_ id: String, _ dice: inout Dice) -> WorkloadRequest {
        var request = request(
            id, devices: [0, 1, 1, 1, 1, 2, 4].randomElement(using: &dice) ?? 1,
            milli: [100, 300, 500, 810, 1000].randomElement(using: &dice) ?? 100,
            vramMiB: [0, 2048, 8192].randomElement(using: &dice) ?? 0,
            cpuMilli: [0, 1000, 4000, 8000].randomElement(using: &dice) ?? 0)
        request.labels = ["app": ["web", "train", "test"].randomElement(using: &dice) ?? "web"]
        request.priority = Int.random(in: 0..<3, using: &dice)
        switch Int.random(in: 0..<12, using: &dice) {
        case 0: request.devices.models = ["B"]
        case 1: request.hosts = LabelSelector(equal: ["pool": "x"])
        case 2: request.devices.isolation = .exclusive
        case 3: request.remote = RemoteAccess(isAllowed: true)
        case 4:
            let level = TopologyLevel.allCases.randomElement(using: &dice) ?? .host
            let others = LabelSelector(equal: ["app": "web"])
            request.affinity = [AffinityTerm(.apart, workloads: others, level: level)]
        case 5:
            let others = LabelSelector(equal: request.labels)
            request.affinity = [AffinityTerm(.near, workloads: others, level: .rack)]
        case 6:
            let others = LabelSelector(equal: ["app": "train"])
            request.affinity = [AffinityTerm(.near, workloads: others, level: .zone, isHard: false)]
        default: break
        }
        return request
    }
}
