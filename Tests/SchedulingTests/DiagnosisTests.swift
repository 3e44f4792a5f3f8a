import Scheduling
import Testing

@Suite("Diagnosis")
struct DiagnosisTests {
    private static func fleet() throws -> Scheduler {
        var cordoned = Fleets.host("cordoned", model: "B")
        cordoned.isCordoned = true
        var lost = Fleets.host("lost", model: "B")
        lost.isReady = false
        var broken = Fleets.host("broken", model: "B")
        broken.devices[0].isHealthy = false
        let scheduler = try Fleets.scheduler([
            Fleets.host("a0"), Fleets.host("a1"), Fleets.host("b0", model: "B"), cordoned, lost, broken,
        ])
        let holders = [("h0", "b0", "gpu0", 12_288), ("h1", "b0", "gpu1", 8192), ("h2", "broken", "gpu1", 10_240)]
        for (id, host, device, vram) in holders {
            let request = Fleets.request(id, milli: 100, vramMiB: vram)
            let part = DeviceAllotment(host: host, device: device, computeMilli: 100, vramMiB: vram)
            try scheduler.apply(.place(request, Placement(workload: id, homeHost: host, devices: [part])))
        }
        return scheduler
    }

    @Test("Each reason is counted, the nearest fit named with what it lacks, and what would help")
    func reasons() throws {
        let scheduler = try DiagnosisTests.fleet()
        var request = Fleets.request("w", milli: 500, vramMiB: 12_288)
        request.devices.models = ["B"]
        let why = try scheduler.diagnosis(of: request)
        #expect(why.placement == nil)
        #expect(why.hostCount == 6)
        #expect(why.deviceCount == 12)
        #expect(why.rejectedHosts == [.devices: 4, .cordoned: 1, .notReady: 1])
        #expect(why.rejectedDevices == [.model: 4, .vram: 3, .unhealthy: 1])
        #expect(why.nearest?.host == "b0")
        #expect(why.nearest?.device == "gpu1")
        #expect(why.nearest?.shortages == [Diagnosis.Shortage(reason: .vram, wanted: 12_288, available: 8192)])
        #expect(why.remedies.contains(.uncordon(host: "cordoned")))
        #expect(why.remedies.contains(.evict(workloads: ["h1"], host: "b0")))
        #expect(why.remedies.contains(.reduce(.vram, to: 8192)))
        #expect(why.message.contains("Nearest: device gpu1 of b0 needs 4 GiB of VRAM more (8 GiB of VRAM is free)"))
    }

    @Test("What a diagnosis says would help does help")
    func remediesHelp() throws {
        let scheduler = try DiagnosisTests.fleet()
        var request = Fleets.request("w", milli: 500, vramMiB: 12_288)
        request.devices.models = ["B"]
        for remedy in try scheduler.diagnosis(of: request).remedies {
            let trial = try Scheduler(restoring: scheduler.record)
            var changed = request
            switch remedy {
            case .evict(let ids, _): for id in ids { try trial.apply(.release(workload: id)) }
            case .uncordon(let host): try trial.apply(.cordonHost(name: host, isCordoned: false))
            case .reduce(.vram, let amount): changed.devices.vramMiB = amount
            case .addHost(let size, let models):
                let devices = (0..<size.deviceCount).map {
                    Fleets.device("n\($0)", model: models.first ?? "A", vramMiB: size.vramMiB / size.deviceCount)
                }
                try trial.apply(
                    .addHost(
                        HostDescription(
                            name: "new", cpuMilli: size.cpuMilli, memoryMiB: size.memoryMiB, devices: devices)))
            case .reduce, .allowRemote: Issue.record("\(remedy) is no remedy here")
            }
            #expect(try trial.placement(for: changed) != nil, "\(remedy)")
        }
    }

    @Test("Too little CPU beside the devices is said, and that remote devices would help")
    func remote() throws {
        let scheduler = try Fleets.scheduler([
            Fleets.host("gpus", cpuMilli: 1000), Fleets.host("cpus", devices: 0, cpuMilli: 8000),
        ])
        let why = try scheduler.diagnosis(of: Fleets.request("w", cpuMilli: 4000))
        #expect(why.rejectedHosts == [.cpu: 1, .devices: 1])
        #expect(why.nearest?.shortages == [Diagnosis.Shortage(reason: .cpu, wanted: 4000, available: 1000)])
        #expect(why.remedies.contains(.allowRemote))
        #expect(why.remedies.contains(.reduce(.cpu, to: 1000)))
    }

    @Test("Too few devices on one host are counted")
    func several() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0"), Fleets.host("h1", devices: 3)])
        let why = try scheduler.diagnosis(of: Fleets.request("w", devices: 4))
        #expect(why.nearest?.host == "h1")
        #expect(why.nearest?.shortages == [Diagnosis.Shortage(reason: .devices, wanted: 4, available: 3)])
        #expect(why.remedies.contains(.reduce(.devices, to: 3)))
    }

    @Test("What fits is said to fit")
    func fits() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0")])
        let why = try scheduler.diagnosis(of: Fleets.request("w"))
        #expect(why.placement?.homeHost == "h0")
        #expect(why.message == "w fits now, on h0.")
    }

    @Test("An empty fleet explains itself")
    func empty() throws {
        let why = try Scheduler().diagnosis(of: Fleets.request("w"))
        #expect(why.nearest == nil)
        #expect(why.message.contains("fits on none of 0 hosts"))
    }
}
