import Scheduling
import Testing

@Suite("Life of hosts")
struct HostLifeTests {
    @Test("A cordoned host keeps its workloads and gets no new ones")
    func cordon() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0")])
        let request = Fleets.request("w")
        try scheduler.apply(.place(request, try #require(try scheduler.placement(for: request))))
        try scheduler.apply(.cordonHost(name: "h0", isCordoned: true))
        #expect(try scheduler.placement(for: Fleets.request("v")) == nil)
        #expect(scheduler.isPlaced("w"))
        try scheduler.apply(.cordonHost(name: "h0", isCordoned: false))
        #expect(try scheduler.placement(for: Fleets.request("v")) != nil)
    }

    @Test("When a host is lost, its workloads lose their place everywhere")
    func loss() throws {
        let scheduler = try Fleets.scheduler([
            Fleets.host("gpus", cpuMilli: 0), Fleets.host("cpus", devices: 0),
        ])
        var request = Fleets.request("w")
        request.remote = RemoteAccess(isAllowed: true)
        try scheduler.apply(.place(request, try #require(try scheduler.placement(for: request))))
        #expect(scheduler.free(on: "cpus")?.cpuMilli == 31_000)
        #expect(try scheduler.apply(.removeHost(name: "gpus")) == ["w"])
        #expect(scheduler.free(on: "cpus")?.cpuMilli == 32_000)
        #expect(scheduler.free(on: "gpus") == nil)
        #expect(try scheduler.placement(for: request) == nil)
        try scheduler.apply(.addHost(Fleets.host("new")))
        #expect(try scheduler.placement(for: request)?.homeHost == "new")
    }

    @Test("A host that changes keeps the workloads of devices that stay")
    func change() throws {
        let scheduler = try Fleets.scheduler([Fleets.host("h0", devices: 2)])
        for number in 0..<2 {
            let request = Fleets.request("w\(number)", milli: 1000)
            try scheduler.apply(.place(request, try #require(try scheduler.placement(for: request))))
        }
        let onFirst = scheduler.placement(of: "w0")?.devices[0].device == "gpu0" ? "w0" : "w1"
        let onSecond = onFirst == "w0" ? "w1" : "w0"
        var host = Fleets.host("h0", devices: 3)
        host.devices.remove(at: 0)
        #expect(try scheduler.apply(.updateHost(host)) == [onFirst])
        #expect(scheduler.placement(of: onSecond)?.devices[0].device == "gpu1")
        #expect(scheduler.free(on: "h0")?.computeMilli == 1000)
        host.devices[1].isHealthy = false
        try scheduler.apply(.updateHost(host))
        #expect(try scheduler.placement(for: Fleets.request("v")) == nil)
        host.devices[1].isHealthy = true
        host.cpuMilli = 1000
        try scheduler.apply(.updateHost(host))
        #expect(scheduler.free(on: "h0")?.cpuMilli == 0)
        #expect(try scheduler.placement(for: Fleets.request("v", cpuMilli: 1)) == nil)
        #expect(try scheduler.placement(for: Fleets.request("v", cpuMilli: 0)) != nil)
    }
}
