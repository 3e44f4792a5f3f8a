import FleetModel
import Testing

@testable import ControlPlane

@Suite("Life of workloads and nodes")
struct LifeTests {
    /// A pool with two nodes of two devices.
    private func fleet() -> Fleet {
        let fleet = Fleet()
        fleet.addPool()
        fleet.addNode("a", devices: 2)
        fleet.addNode("b", devices: 2)
        fleet.run(seconds: 2)
        return fleet
    }

    @Test("A node whose agent is too old or too new gets nothing new, keeps what it has, and says what to do")
    func skew() {
        let fleet = Fleet()
        fleet.addPool()
        fleet.addNode("a")
        fleet.workload("first")
        fleet.run(seconds: 3)
        #expect(fleet.status("first")?.ready == 1)
        fleet.releases["a"] = "0.3.0"
        fleet.run(seconds: 2)
        #expect(fleet.status("first")?.ready == 1)
        fleet.delete(ResourceReference(kind: .workload, name: "first"))
        fleet.workload("second")
        fleet.run(seconds: 4)
        #expect(fleet.status("second")?.ready == 0)
        let condition = fleet.view.nodes["a"]?.status.conditions?.of(type: "VersionSupported")
        #expect(condition?.status == .no)
        #expect(condition?.message.contains("until the servers are upgraded") == true)
        #expect(fleet.eventReasons(.warning).contains("VersionSkew"))
        fleet.releases["a"] = "0.1.7"
        fleet.run(seconds: 4)
        #expect(fleet.status("second")?.ready == 1)
        #expect(fleet.view.nodes["a"]?.status.conditions?.of(type: "VersionSupported")?.status == .yes)
    }

    @Test("A node that is heard of is ready, in its pool, with its devices")
    func nodeJoins() {
        let fleet = fleet()
        #expect(fleet.view.nodes["a"]?.status.phase == .ready)
        #expect(fleet.view.nodes["a"]?.status.pool == "main")
        #expect(fleet.view.devices.keys.sorted() == ["a.gpu-0", "a.gpu-1", "b.gpu-0", "b.gpu-1"])
        #expect(fleet.view.pools["main"]?.status.devices == 4)
        #expect(fleet.view.pools["main"]?.status.capacity.compute == Percent(400))
    }

    @Test("A workload's replicas are placed, made by agents, and run")
    func workloadRuns() {
        let fleet = fleet()
        fleet.workload("train", replicas: 3, compute: "50%", memory: "10GiB")
        fleet.run(seconds: 3)
        #expect(fleet.status("train")?.phase == .running)
        #expect(fleet.status("train")?.ready == 3)
        #expect(fleet.vgpus("train").map(\.spec.replica).sorted() == [0, 1, 2])
        #expect(fleet.view.pools["main"]?.status.allocated.compute == Percent(150))
        #expect(fleet.view.pools["main"]?.status.allocated.memory == MemoryQuantity(mebibytes: 30 * 1024))
    }

    @Test("Scaling down ends the highest replicas, and deleting a workload ends all")
    func scaleDown() {
        let fleet = fleet()
        fleet.workload("train", replicas: 3, compute: "50%")
        fleet.run(seconds: 3)
        fleet.workload("train", replicas: 1, compute: "50%")
        fleet.run(seconds: 3)
        #expect(fleet.vgpus("train").map(\.spec.replica) == [0])
        fleet.delete(ResourceReference(kind: .workload, name: "train"))
        fleet.run(seconds: 3)
        #expect(fleet.view.vgpus.isEmpty)
        #expect(fleet.agents.values.allSatisfy { $0.isEmpty })
        #expect(fleet.core.placement.held.isEmpty)
    }

    @Test("A workload that is made anew under its name does not take over the vGPUs of the old one")
    func sameName() {
        let fleet = fleet()
        fleet.workload("train")
        fleet.run(seconds: 3)
        let before = fleet.vgpus("train").map(\.metadata.uid)
        fleet.delete(ResourceReference(kind: .workload, name: "train"))
        fleet.workload("train")
        fleet.run(seconds: 4)
        #expect(fleet.status("train")?.ready == 1)
        #expect(fleet.vgpus("train").count == 1)
        #expect(fleet.vgpus("train").map(\.metadata.uid) != before)
    }

    @Test("What does not fit waits, says why, and goes when there is room")
    func waits() {
        let fleet = fleet()
        fleet.workload("big", replicas: 4)
        fleet.run(seconds: 2)
        fleet.workload("late")
        fleet.run(seconds: 2)
        #expect(fleet.status("late")?.phase == .pending)
        #expect(fleet.status("late")?.waiting != nil)
        #expect(fleet.status("late")?.waitingSince != nil)
        fleet.workload("big", replicas: 3)
        fleet.run(seconds: 6)
        #expect(fleet.status("late")?.phase == .running)
        #expect(fleet.status("late")?.waiting == nil)
    }

    @Test("A device is never promised twice")
    func noOverallocation() {
        let fleet = fleet()
        fleet.workload("many", replicas: 40, compute: "30%", memory: "50GiB")
        fleet.run(seconds: 4)
        var compute: [String: Int64] = [:]
        for vgpu in fleet.vgpus("many") {
            compute[vgpu.spec.node + vgpu.spec.devices[0], default: 0] += vgpu.spec.compute.request.value
        }
        #expect(compute.values.allSatisfy { $0 <= 100 })
        // Of 140 GiB each, two parts of 50 GiB fit, though three by compute.
        #expect(fleet.status("many")?.placed == 8)
    }

    @Test(
        "A silent node is not ready, then lost; its replicas go elsewhere, and its devices stay taken until it is back")
    func nodeIsLost() {
        let fleet = fleet()
        fleet.workload("train", replicas: 2)
        fleet.run(seconds: 3)
        let node = fleet.vgpus("train")[0].spec.node
        let other = node == "a" ? "b" : "a"
        fleet.silent = [node]
        fleet.run(seconds: 12)
        #expect(fleet.view.nodes[node]?.status.phase == .notReady)
        #expect(fleet.status("train")?.ready == 2)
        fleet.run(seconds: 60)
        #expect(fleet.view.nodes[node]?.status.phase == .lost)
        #expect(fleet.status("train")?.ready == 2)
        let live = fleet.vgpus("train").filter { $0.status.phase == .running }
        #expect(live.allSatisfy { $0.spec.node == other })
        #expect(fleet.eventReasons(.warning).isSuperset(of: ["NodeNotReady", "NodeLost"]))

        let zombies = fleet.agents[node]?.count
        #expect(zombies ?? 0 > 0)
        fleet.silent = []
        fleet.run(seconds: 4)
        #expect(fleet.view.nodes[node]?.status.phase == .ready)
        #expect(fleet.agents[node]?.isEmpty == true)
        #expect(fleet.vgpus("train").count == 2)
    }

    @Test("A drained node gives its replicas to others and gets no new ones")
    func drain() {
        let fleet = fleet()
        fleet.workload("train", replicas: 2)
        fleet.run(seconds: 3)
        let node = fleet.vgpus("train")[0].spec.node
        var drained = fleet.view.nodes[node]!
        drained.spec.drain = true
        fleet.put(drained)
        fleet.run(seconds: 5)
        #expect(fleet.vgpus("train").allSatisfy { $0.spec.node != node })
        #expect(fleet.status("train")?.ready == 2)
    }

    @Test("An agent that starts again has nothing; its replicas are made again")
    func agentRestart() {
        let fleet = fleet()
        fleet.workload("train")
        fleet.run(seconds: 3)
        let node = fleet.vgpus("train")[0].spec.node
        fleet.agents[node] = [:]
        fleet.beat(node, epoch: 2)
        #expect(throws: HeartbeatDigest.Refusal.outdated(epoch: 2)) {
            let old = HeartbeatRequest(epoch: 1, facts: NodeFacts(address: "", version: ""), devices: [], vgpus: [])
            _ = try HeartbeatDigest(leaseSpan: .seconds(10)).decide(
                fleet.view, node: node, old, now: fleet.environment.now())
        }
        for _ in 0..<4 {
            fleet.environment.moment = fleet.environment.moment + .seconds(1)
            for name in ["a", "b"] { fleet.beat(name, epoch: name == node ? 2 : 1) }
            fleet.settle()
        }
        #expect(fleet.status("train")?.ready == 1)
        #expect(fleet.vgpus("train").count == 1)
    }

    @Test("A gang is placed whole or not at all, and fails when its time is over")
    func gang() {
        let fleet = fleet()
        fleet.workload("gang", replicas: 5) { $0.gang = .init(timeout: .seconds(20)) }
        fleet.run(seconds: 3)
        #expect(fleet.vgpus("gang").isEmpty)
        fleet.addNode("c")
        fleet.run(seconds: 3)
        #expect(fleet.status("gang")?.ready == 5)

        fleet.workload("second", replicas: 2) { $0.gang = .init(timeout: .seconds(20)) }
        fleet.run(seconds: 30)
        #expect(fleet.status("second")?.phase == .failed)
        #expect(fleet.eventReasons().contains("GangTimeout"))
    }

    @Test("A program that ended well is not started again; one that failed is")
    func programs() {
        let fleet = fleet()
        fleet.workload("job") { $0.program = .init(command: ["true"]) }
        fleet.run(seconds: 3)
        let node = fleet.vgpus("job")[0].spec.node
        func end(_ status: Int64) {
            for uid in fleet.agents[node]!.keys {
                fleet.agents[node]?[uid]?.status.phase = .ended
                fleet.agents[node]?[uid]?.status.exitStatus = status
            }
        }
        let first = fleet.vgpus("job")[0].metadata.uid
        end(1)
        fleet.run(seconds: 4)
        #expect(fleet.status("job")?.ready == 1)
        #expect(fleet.vgpus("job").last?.metadata.uid != first)
        end(0)
        fleet.run(seconds: 4)
        #expect(fleet.status("job")?.phase == .succeeded)
        #expect(fleet.agents[node]?.isEmpty == true)
        #expect(fleet.view.pools["main"]?.status.allocated.compute == Percent(0))
    }

    @Test("A held workload goes when no client keeps it alive")
    func hold() {
        let fleet = fleet()
        fleet.workload("shell") { $0.holdTimeout = .seconds(15) }
        fleet.run(seconds: 10)
        #expect(fleet.status("shell")?.ready == 1)
        fleet.run(seconds: 10)
        #expect(fleet.status("shell") == nil)
        fleet.run(seconds: 3)
        #expect(fleet.view.vgpus.isEmpty)
    }

    @Test("Who asks for no part of the memory has the device alone; a part of compute without memory is refused")
    func wholeDevice() {
        let fleet = fleet()
        fleet.workload("whole", replicas: 4, memory: nil)
        fleet.run(seconds: 3)
        #expect(fleet.vgpus("whole").allSatisfy { $0.spec.memory.request.mebibytes == 143_360 })
        fleet.workload("vague", compute: "10%", memory: nil)
        fleet.run(seconds: 2)
        #expect(fleet.status("vague")?.waiting?.contains("spec.resources.memory is missing") == true)
    }

    @Test("A request in TFLOPS becomes the share of the device that was chosen")
    func teraflops() {
        let fleet = fleet()
        fleet.workload("fast", compute: "98.9TFLOPS", memory: "1GiB")
        fleet.run(seconds: 2)
        #expect(fleet.vgpus("fast").map(\.spec.compute) == [Bounds(Percent(10))])
    }
}
