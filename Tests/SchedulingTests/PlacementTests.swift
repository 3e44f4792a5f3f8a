import Scheduling
import Testing

@Suite("Placement")
struct PlacementTests {
    @Test("A request takes its part of one device, and gives it back")
    func takeAndGiveBack() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0")])
        let request = Fleets.request("w", milli: 300, vramMiB: 2048)
        let placement = try #require(try scheduler.placement(for: request))
        #expect(placement.homeHost == "h0")
        #expect(placement.devices == [DeviceAllotment(host: "h0", device: "gpu0", computeMilli: 300, vramMiB: 2048)])
        let before = scheduler.free(on: "h0")
        try scheduler.apply(.place(request, placement))
        #expect(scheduler.free(on: "h0")?.computeMilli == 1700)
        #expect(scheduler.free(on: "h0")?.cpuMilli == 31_000)
        #expect(scheduler.placement(of: "w") == placement)
        try scheduler.apply(.release(workload: "w"))
        #expect(scheduler.free(on: "h0") == before)
        #expect(!scheduler.isPlaced("w"))
    }

    @Test("Shares gather on one device, so that others stay whole")
    func packing() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0"), Fleets.host("h1")])
        for number in 0..<40 { scheduler.observe(Fleets.request("seen\(number)", milli: number % 2 == 0 ? 500 : 1000)) }
        for number in 0..<2 {
            let request = Fleets.request("w\(number)", milli: 500)
            try scheduler.apply(.place(request, try #require(try scheduler.placement(for: request))))
        }
        #expect(scheduler.placement(of: "w0")?.devices[0].device == scheduler.placement(of: "w1")?.devices[0].device)
        #expect(scheduler.placement(of: "w0")?.homeHost == scheduler.placement(of: "w1")?.homeHost)
    }

    @Test("Several devices are different ones of one host")
    func several() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("small"), Fleets.host("large", devices: 4)])
        let placement = try #require(try scheduler.placement(for: Fleets.request("w", devices: 3)))
        #expect(placement.homeHost == "large")
        #expect(Set(placement.devices.map(\.device)).count == 3)
        #expect(try scheduler.placement(for: Fleets.request("v", devices: 5)) == nil)
    }

    @Test("Vendor, model and labels select")
    func selectors() throws {
        var labelled = Fleets.host("labelled", model: "B")
        labelled.labels = ["disk": "fast"]
        labelled.devices[1].labels = ["link": "nv"]
        let scheduler = try Fleets.scheduler([Fleets.host("plain"), labelled])
        var request = Fleets.request("w")
        request.devices.models = ["B", "C"]
        #expect(try scheduler.placement(for: request)?.homeHost == "labelled")
        request.devices.vendors = ["AMD"]
        #expect(try scheduler.placement(for: request) == nil)
        request = Fleets.request("w")
        request.hosts = LabelSelector(equal: ["disk": "fast"])
        #expect(try scheduler.placement(for: request)?.homeHost == "labelled")
        request.devices.labels = LabelSelector([.init(key: "link", comparison: .isIn, values: ["nv", "pcie"])])
        #expect(try scheduler.placement(for: request)?.devices.first?.device == "gpu1")
        request.hosts = LabelSelector([.init(key: "disk", comparison: .doesNotExist)])
        #expect(try scheduler.placement(for: request) == nil)
    }

    @Test("A request in TFLOPS takes the share that each model needs for it")
    func teraFLOPS() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("a", model: "A"), Fleets.host("b", model: "B")])
        var request = Fleets.request("w")
        request.devices.compute = .milliTFLOPS(10_001)
        request.devices.models = ["A"]
        #expect(try scheduler.placement(for: request)?.devices.first?.computeMilli == 501)
        request.devices.models = ["B"]
        #expect(try scheduler.placement(for: request)?.devices.first?.computeMilli == 251)
        request.devices.models = []
        request.devices.compute = .milliTFLOPS(30_000)
        #expect(try scheduler.placement(for: request)?.homeHost == "b")
    }

    @Test("Oversold compute is promised beyond the device, a limit never exceeds it")
    func oversell() throws {
        var host = Fleets.host("h", devices: 1)
        host.devices[0].computeCapacityMilli = 1500
        host.devices[0].vramOversellMilli = 1250
        let scheduler = try Fleets.scheduler([host])
        let first = Fleets.request("w0", milli: 1000, vramMiB: 16_384)
        try scheduler.apply(.place(first, try #require(try scheduler.placement(for: first))))
        #expect(try scheduler.placement(for: Fleets.request("w1", milli: 501)) == nil)
        #expect(try scheduler.placement(for: Fleets.request("w1", milli: 500, vramMiB: 4096)) != nil)
        #expect(try scheduler.placement(for: Fleets.request("w1", milli: 500, vramMiB: 4097)) == nil)
        var limited = Fleets.request("w2", milli: 100)
        limited.devices.vramLimitMiB = 16_385
        #expect(try scheduler.placement(for: limited) == nil)
        limited.devices.vramLimitMiB = 16_384
        limited.devices.computeLimit = .milli(1000)
        #expect(try scheduler.placement(for: limited) != nil)
        limited.devices.computeLimit = .milli(1001)
        #expect(try scheduler.placement(for: limited) == nil)
    }

    @Test("A device in one isolation mode is not given to another")
    func isolation() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h", devices: 1)])
        var exclusive = Fleets.request("w0", milli: 100)
        exclusive.devices.isolation = .exclusive
        let placement = try #require(try scheduler.placement(for: exclusive))
        #expect(placement.devices[0].computeMilli == 1000, "an exclusive workload holds the whole device")
        try scheduler.apply(.place(exclusive, placement))
        #expect(try scheduler.placement(for: Fleets.request("w1", milli: 0, vramMiB: 0)) == nil)
        try scheduler.apply(.release(workload: "w0"))
        let shared = Fleets.request("w2", milli: 100)
        try scheduler.apply(.place(shared, try #require(try scheduler.placement(for: shared))))
        #expect(try scheduler.placement(for: exclusive) == nil)
        var partitioned = shared
        partitioned.devices.isolation = .partitioned
        try scheduler.apply(.release(workload: "w2"))
        #expect(try scheduler.placement(for: partitioned) == nil, "the device cannot be partitioned")
    }

    @Test("Local comes first, remote only when nothing local fits and it is allowed")
    func remote() throws {
        let scheduler = try Fleets.scheduler([
            Fleets.host("gpus", cpuMilli: 1000), Fleets.host("cpus", devices: 0),
        ])
        var request = Fleets.request("w", cpuMilli: 2000)
        #expect(try scheduler.placement(for: request) == nil)
        request.remote = RemoteAccess(isAllowed: true)
        let placement = try #require(try scheduler.placement(for: request))
        #expect(placement.homeHost == "cpus")
        #expect(placement.devices.map(\.host) == ["gpus"])
        #expect(placement.isRemote)
        request.cpuMilli = 1000
        #expect(try scheduler.placement(for: request)?.isRemote == false)
    }

    @Test("With a network cost, a program goes to its devices' rack, then to their zone")
    func networkCost() throws {
        let scheduler = try Fleets.scheduler([
            Fleets.host("far", devices: 0, cpuMilli: 3000, rack: "r9", zone: "z9"),
            Fleets.host("zone", devices: 0, cpuMilli: 4000, rack: "r1"),
            Fleets.host("rack", devices: 0, cpuMilli: 64_000),
            Fleets.host("gpus", cpuMilli: 1000),
        ])
        var request = Fleets.request("w", cpuMilli: 3000)
        request.remote = RemoteAccess(isAllowed: true, networkCost: 1)
        #expect(try scheduler.placement(for: request)?.homeHost == "rack")
        request.remote.networkCost = 0
        #expect(try scheduler.placement(for: request)?.homeHost == "far", "it packs best there")
        try scheduler.apply(.cordonHost(name: "rack", isCordoned: true))
        request.remote.networkCost = 1
        #expect(try scheduler.placement(for: request)?.homeHost == "zone")
    }

    @Test("A nominated host comes first, and what was kept is given to whoever claims it")
    func nominations() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0"), Fleets.host("h1"), Fleets.host("h2")])
        var request = Fleets.request("w")
        request.nominatedHosts = ["gone", "h2"]
        #expect(try scheduler.placement(for: request)?.homeHost == "h2")
        for number in 0..<3 {
            let kept = Fleets.request("kept\(number)", devices: 2, milli: 1000)
            try scheduler.apply(.place(kept, try #require(try scheduler.placement(for: kept))))
        }
        #expect(try scheduler.placement(for: Fleets.request("other")) == nil)
        var claiming = Fleets.request("w", devices: 2, milli: 1000)
        claiming.claims = "kept1"
        let placement = try #require(try scheduler.placement(for: claiming))
        #expect(placement.homeHost == scheduler.placement(of: "kept1")?.homeHost)
        try scheduler.apply(.release(workload: "kept1"))
        try scheduler.apply(.place(claiming, placement))
    }

    @Test("What makes no sense is refused with a reason")
    func refusals() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0")])
        #expect(throws: SchedulingError.duplicateHost("h0")) { try scheduler.apply(.addHost(Fleets.host("h0"))) }
        #expect(throws: SchedulingError.unknownHost("h1")) { try scheduler.apply(.removeHost(name: "h1")) }
        #expect(throws: SchedulingError.unknownWorkload("w")) { try scheduler.apply(.release(workload: "w")) }
        #expect(throws: SchedulingError.self) { try scheduler.placement(for: Fleets.request("w", devices: 129)) }
        #expect(throws: SchedulingError.self) { try scheduler.placement(for: Fleets.request("w", milli: -1)) }
        #expect(throws: SchedulingError.self) { try scheduler.placement(for: Fleets.request("")) }
        let nowhere = Placement(
            workload: "w", homeHost: "h0",
            devices: [DeviceAllotment(host: "h0", device: "gpu7", computeMilli: 1, vramMiB: 1)])
        #expect(throws: SchedulingError.unknownDevice(host: "h0", device: "gpu7")) {
            try scheduler.apply(.place(Fleets.request("w"), nowhere))
        }
    }
}
