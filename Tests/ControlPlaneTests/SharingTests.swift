import FleetModel
import Testing

@testable import ControlPlane

@Suite("Sharing: quotas, priorities, guarantees")
struct SharingTests {
    /// A pool with four devices on two nodes, and two projects.
    private func fleet() -> Fleet {
        let fleet = Fleet()
        fleet.addPool()
        fleet.put(Resource(Metadata(name: "red"), ProjectSpec()))
        fleet.put(Resource(Metadata(name: "blue"), ProjectSpec()))
        fleet.addNode("a", devices: 2)
        fleet.addNode("b", devices: 2)
        fleet.run(seconds: 2)
        return fleet
    }

    private func quota(_ project: String, _ change: (inout QuotaSpec) -> Void) -> Resource<QuotaSpec> {
        var spec = QuotaSpec(project: project)
        change(&spec)
        return Resource(Metadata(name: project), spec)
    }

    private func compute(_ percent: Int64) -> ResourceAmounts {
        var amounts = ResourceAmounts()
        amounts.compute = Percent(percent)
        return amounts
    }

    @Test("A quota keeps a project's requests within its bounds, and says so")
    func quotaHolds() {
        let fleet = fleet()
        fleet.put(quota("red") { $0.requests = compute(150) })
        fleet.workload("train", project: "red", replicas: 4, compute: "50%")
        fleet.run(seconds: 4)
        #expect(fleet.status("train", project: "red")?.ready == 3)
        let why = fleet.status("train", project: "red")?.waiting ?? ""
        #expect(why.contains("The quota of project red allows requests of 1.5 devices of compute"), "\(why)")
        #expect(fleet.view.quotas["red"]?.status.requests.compute == Percent(150))

        fleet.put(quota("red") { $0.requests = compute(200) })
        fleet.run(seconds: 4)
        #expect(fleet.status("train", project: "red")?.ready == 4)
    }

    @Test("A quota of a project counts what projects below it use")
    func hierarchy() {
        let fleet = fleet()
        fleet.put(Resource(Metadata(name: "red-a"), ProjectSpec(parent: "red")))
        fleet.put(quota("red") { $0.requests = compute(100) })
        fleet.workload("one", project: "red-a", compute: "60%")
        fleet.workload("two", project: "red", compute: "60%")
        fleet.run(seconds: 4)
        let ready = [fleet.status("one", project: "red-a")?.ready, fleet.status("two", project: "red")?.ready]
        #expect(ready == [1, 0])
        #expect(fleet.view.projects["red"]?.status.allocated.compute == Percent(60))
    }

    @Test("Bounds for a single workload keep out what is too large for ever")
    func perWorkload() {
        let fleet = fleet()
        fleet.put(
            quota("red") {
                $0.perWorkload = .init()
                $0.perWorkload?.replicas = 2
            })
        fleet.workload("big", project: "red", replicas: 3, compute: "10%")
        fleet.run(seconds: 3)
        #expect(fleet.vgpus("big", project: "red").isEmpty)
        #expect(fleet.status("big", project: "red")?.waiting?.contains("Project red allows a workload 2") == true)
    }

    @Test("A quota's defaults count where workload and profile say nothing")
    func defaults() {
        let fleet = fleet()
        fleet.put(
            quota("red") {
                $0.defaults = DeviceRequest(
                    compute: Bounds(.percent(25)), memory: Bounds(MemoryQuantity(mebibytes: 2048)))
            })
        fleet.put(Resource(Metadata(name: "any", project: "red"), WorkloadSpec()))
        fleet.run(seconds: 3)
        #expect(fleet.vgpus("any", project: "red").map(\.spec.compute) == [Bounds(Percent(25))])
    }

    @Test("More urgent work takes the place of less urgent, which comes back when there is room")
    func preemption() {
        let fleet = fleet()
        fleet.workload("batch", replicas: 4) { $0.qos = .low }
        fleet.run(seconds: 3)
        #expect(fleet.status("batch")?.ready == 4)
        fleet.workload("serve") { $0.qos = .high }
        fleet.run(seconds: 5)
        #expect(fleet.status("serve")?.ready == 1)
        #expect(fleet.status("batch")?.ready == 3)
        #expect(fleet.eventReasons(.warning).contains("Preempted"))
        fleet.delete(ResourceReference(kind: .workload, name: "serve"))
        fleet.run(seconds: 5)
        #expect(fleet.status("batch")?.ready == 4)
    }

    @Test("Work of the same urgency, what is not preemptible and what is protected stay")
    func noPreemption() {
        let fleet = fleet()
        fleet.workload("kept", replicas: 2) {
            $0.qos = .low
            $0.preemptible = false
        }
        fleet.workload("protected", replicas: 2) {
            $0.qos = .low
            $0.evictionProtection = .seconds(600)
        }
        fleet.run(seconds: 3)
        fleet.workload("serve") { $0.qos = .high }
        fleet.run(seconds: 10)
        #expect(fleet.status("serve")?.ready == 0)
        #expect(fleet.status("kept")?.ready == 2)
        #expect(fleet.status("protected")?.ready == 2)
    }

    @Test("A project takes back what it is sure of from one that uses more than its own")
    func reclaim() {
        let fleet = fleet()
        fleet.put(quota("red") { $0.guaranteed = compute(200) })
        fleet.put(quota("blue") { $0.guaranteed = compute(200) })
        fleet.workload("borrower", project: "red", replicas: 4)
        fleet.run(seconds: 3)
        #expect(fleet.status("borrower", project: "red")?.ready == 4)
        fleet.workload("owner", project: "blue", replicas: 2)
        fleet.run(seconds: 12)
        #expect(fleet.status("owner", project: "blue")?.ready == 2)
        #expect(fleet.status("borrower", project: "red")?.ready == 2)
        #expect(fleet.eventReasons(.warning).contains("Reclaimed"))
    }

    @Test("What waits stands in the order of urgency, then of arrival")
    func order() {
        let fleet = fleet()
        fleet.workload("all", replicas: 4) { $0.qos = .critical }
        fleet.run(seconds: 3)
        for (name, qos) in [("first", QualityOfService.medium), ("second", .medium), ("urgent", .high)] {
            fleet.workload(name) { $0.qos = qos }
            fleet.run(seconds: 1)
        }
        fleet.run(seconds: 2)
        let positions = ["urgent", "first", "second"].map { fleet.status($0)?.queuePosition }
        #expect(positions == [1, 2, 3])
        fleet.delete(ResourceReference(kind: .workload, name: "all"))
        fleet.run(seconds: 8)
        #expect(["urgent", "first", "second"].allSatisfy { fleet.status($0)?.ready == 1 })
    }

    @Test("Oversold compute is promised more than once, memory is not")
    func oversell() {
        let fleet = Fleet()
        fleet.addPool { $0.oversell = .init(compute: Percent(200)) }
        fleet.addNode("a")
        fleet.run(seconds: 2)
        fleet.workload("half", replicas: 5, compute: "50%", memory: "40GiB")
        fleet.run(seconds: 3)
        #expect(fleet.status("half")?.ready == 3)
    }

    @Test("A workload that names a pool, a model or a node goes there")
    func selectors() {
        let fleet = fleet()
        fleet.addNode("t", devices: 1, model: "T4", memory: 15_360)
        fleet.run(seconds: 2)
        fleet.workload("small") {
            $0.selector = DeviceSelector()
            $0.selector?.models = ["t4"]
        }
        fleet.workload("named") {
            $0.selector = DeviceSelector()
            $0.selector?.nodes = ["b"]
        }
        fleet.workload("nowhere") {
            $0.selector = DeviceSelector()
            $0.selector?.models = ["B200"]
        }
        fleet.run(seconds: 3)
        #expect(fleet.vgpus("small").map(\.spec.node) == ["t"])
        #expect(fleet.vgpus("named").map(\.spec.node) == ["b"])
        let why = fleet.status("nowhere")?.waiting ?? ""
        #expect(why.contains("None of 5 devices on 3 nodes fits: 5 another vendor or model"), "\(why)")
    }
}
