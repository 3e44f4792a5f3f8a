import NodeModel
import Testing

/// A node's decisions, with the actions of each event at hand.
private struct Node {
    var state: NodeState
    private var random: SeededRandom

    init(gibibytes: UInt64 = 8, devices count: Int = 1, seed: UInt64 = 1) {
        state = NodeState(
            devices: SoftwareDevices.describe(
                count: count, memory: .gibibytes(gibibytes), machineMemory: .gibibytes(64)))
        random = SeededRandom(seed: seed)
    }

    mutating func handle(_ event: NodeEvent) -> [NodeAction] {
        state.handle(event, now: 1000, random: &random)
    }

    /// Asks for vGPUs and tells which workers are to be started.
    mutating func request(_ lease: UInt64, gibibytes: UInt64, percent: Int, count: Int = 1) throws -> [VirtualGPUID] {
        let request = GPURequest(
            memory: .gibibytes(gibibytes), compute: try #require(ComputeShare(percent: percent)), count: count,
            program: "test")
        return Node.spawned(handle(.requested(LeaseID(rawValue: lease), request, clientProcessID: 17)))
    }

    mutating func ready(_ id: VirtualGPUID) -> [NodeAction] {
        handle(.workerReady(id, processID: 42, endpoints: ["unix:///\(id)"]))
    }

    static func spawned(_ actions: [NodeAction]) -> [VirtualGPUID] {
        actions.compactMap { action in
            if case .spawn(let vgpu, .software, .sharedMemory) = action { vgpu.id } else { nil }
        }
    }
}

@Suite("Decisions of a node")
struct NodeStateTests {
    private let first = LeaseID(rawValue: 1)
    private let second = LeaseID(rawValue: 2)

    @Test("A lease is granted when all of its workers serve")
    func grant() throws {
        var node = Node()
        let ids = try node.request(1, gibibytes: 1, percent: 25, count: 2)
        #expect(ids.count == 2)
        #expect(node.ready(ids[1]) == [])
        let actions = node.ready(ids[0])
        guard case .grant(first, let vgpus) = actions.first else { Issue.record("not granted: \(actions)"); return }
        #expect(vgpus.map(\.id) == ids)
        #expect(vgpus.map(\.endpoints) == ids.map { ["unix:///\($0)"] })
        #expect(actions.count == 1)
    }

    @Test("A client that goes has its workers stopped, and its share counts until they are gone")
    func clientGone() throws {
        var node = Node()
        let id = try #require(try node.request(1, gibibytes: 8, percent: 100).first)
        _ = node.ready(id)
        #expect(node.handle(.clientGone(first)) == [.stop(id)])
        #expect(node.state.capacities[0].freePercent == 0)
        #expect(node.handle(.clientGone(first)) == [])
        #expect(!node.state.isLoss(.workerEnded(id, .signaled(signal: 9))))
        #expect(node.handle(.workerEnded(id, .signaled(signal: 9))) == [.release(id)])
        #expect(node.state.capacities[0].freePercent == 100)
        #expect(node.state.vgpus.isEmpty && node.state.leases.isEmpty)
    }

    @Test("A client that goes before its workers serve has them stopped too")
    func clientGoneEarly() throws {
        var node = Node()
        let id = try #require(try node.request(1, gibibytes: 1, percent: 10).first)
        #expect(node.handle(.clientGone(first)) == [.stop(id)])
        #expect(node.ready(id) == [], "serving too late grants nothing")
        #expect(node.handle(.workerEnded(id, .signaled(signal: 9))) == [.release(id)])
    }

    @Test("A worker that dies is reported to its client and its share is free at once")
    func workerLost() throws {
        var node = Node()
        let ids = try node.request(1, gibibytes: 1, percent: 25, count: 2)
        for id in ids { _ = node.ready(id) }
        let end = WorkerEnd.signaled(signal: 9)
        #expect(node.state.isLoss(.workerEnded(ids[0], end)))
        #expect(node.handle(.workerEnded(ids[0], end)) == [.release(ids[0]), .reportLoss(first, ids[0], end)])
        #expect(node.state.capacities[0].allocatedPercent == 25)
        #expect(node.handle(.clientGone(first)) == [.stop(ids[1])])
    }

    @Test("A worker that ends before it serves makes the request fail, and stops its siblings")
    func startFailed() throws {
        var node = Node()
        let ids = try node.request(1, gibibytes: 1, percent: 25, count: 2)
        _ = node.ready(ids[1])
        let end = WorkerEnd.exited(status: 1)
        #expect(
            node.handle(.workerEnded(ids[0], end)) == [
                .release(ids[0]), .refuse(first, .workerFailed(ids[0], end)), .stop(ids[1]),
            ])
        #expect(node.handle(.clientGone(first)) == [])
    }

    @Test("A request without room is refused with the reason")
    func noRoom() throws {
        var node = Node()
        _ = try node.request(1, gibibytes: 6, percent: 10)
        let request = GPURequest(memory: .gibibytes(4), compute: .whole, program: "test")
        let actions = node.handle(.requested(second, request, clientProcessID: 1))
        guard case .refuse(second, .noRoom(let refusal)) = actions.first else { Issue.record("\(actions)"); return }
        #expect(refusal.shortfalls.map(\.missingMemory) == [.gibibytes(2)])
        #expect(refusal.shortfalls.map(\.missingPercent) == [10])
    }

    @Test("A request that fits once stopping workers are gone waits for them")
    func waiting() throws {
        var node = Node()
        let old = try #require(try node.request(1, gibibytes: 8, percent: 100).first)
        _ = node.ready(old)
        _ = node.handle(.clientGone(first))
        #expect(try node.request(2, gibibytes: 8, percent: 100) == [])
        let actions = node.handle(.workerEnded(old, .signaled(signal: 9)))
        #expect(actions.first == .release(old))
        #expect(Node.spawned(actions).count == 1)
        #expect(node.state.leases[second] != nil)
    }

    @Test("A client that goes while it waits gets nothing")
    func waitingClientGone() throws {
        var node = Node()
        let old = try #require(try node.request(1, gibibytes: 8, percent: 100).first)
        _ = node.handle(.clientGone(first))
        #expect(try node.request(2, gibibytes: 8, percent: 100) == [])
        #expect(node.handle(.clientGone(second)) == [])
        #expect(node.handle(.workerEnded(old, .signaled(signal: 9))) == [.release(old)])
    }

    @Test("A request that makes no sense is refused before anything is placed")
    func badRequest() {
        var node = Node()
        var request = GPURequest(memory: .gibibytes(1), compute: .whole, count: 0, program: "test")
        #expect(refusesBadRequest(&node, request))
        request.count = GPURequest.countMax + 1
        #expect(refusesBadRequest(&node, request))
        request.count = 1
        request.name = "two\nlines"
        #expect(refusesBadRequest(&node, request))
        request.name = String(repeating: "x", count: 65)
        #expect(refusesBadRequest(&node, request))
        #expect(node.state.vgpus.isEmpty)
    }

    private func refusesBadRequest(_ node: inout Node, _ request: GPURequest) -> Bool {
        if case .refuse(first, .badRequest) = node.handle(.requested(first, request, clientProcessID: 1)).first {
            return true
        }
        return false
    }

    @Test("Shutting down stops all workers, refuses requests, and finishes once when the last is gone")
    func shutDown() throws {
        var node = Node()
        let ids = try node.request(1, gibibytes: 1, percent: 25, count: 2)
        #expect(node.handle(.shutDownRequested) == ids.sorted().map(NodeAction.stop))
        let request = GPURequest(memory: .gibibytes(1), compute: .whole, program: "test")
        #expect(
            node.handle(.requested(second, request, clientProcessID: 1)) == [.refuse(second, .shuttingDown)])
        #expect(node.handle(.workerEnded(ids[0], .signaled(signal: 9))) == [.release(ids[0])])
        #expect(node.handle(.workerEnded(ids[1], .signaled(signal: 9))) == [.release(ids[1]), .finish])
        #expect(node.handle(.shutDownRequested) == [])
        var idle = Node()
        #expect(idle.handle(.shutDownRequested) == [.finish])
    }

    @Test("Random events keep the accounting exact", arguments: 0..<20)
    func randomEvents(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed) &+ 100)
        var node = Node(gibibytes: 4, devices: 3, seed: UInt64(seed))
        var lastLease: UInt64 = 0
        for _ in 0..<400 {
            let vgpus = node.state.vgpus.values.sorted { $0.id < $1.id }
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                lastLease += 1
                _ = try node.request(
                    lastLease, gibibytes: UInt64.random(in: 1...3, using: &random),
                    percent: Int.random(in: 1...70, using: &random), count: Int.random(in: 1...3, using: &random))
            case 1:
                if let vgpu = vgpus.randomElement(using: &random) { _ = node.ready(vgpu.id) }
            case 2:
                if let vgpu = vgpus.randomElement(using: &random) {
                    _ = node.handle(.workerEnded(vgpu.id, .exited(status: 1)))
                }
            default:
                if lastLease > 0 {
                    let lease = UInt64.random(in: 1...lastLease, using: &random)
                    _ = node.handle(.clientGone(LeaseID(rawValue: lease)))
                }
            }
            checkAccounts(of: node.state)
        }
        let rest = node.state.vgpus.keys
        for lease in node.state.leases.keys { _ = node.handle(.clientGone(lease)) }
        for id in rest { _ = node.handle(.workerEnded(id, .signaled(signal: 9))) }
        for id in node.state.vgpus.keys { _ = node.handle(.workerEnded(id, .signaled(signal: 9))) }
    }

    private func checkAccounts(of state: NodeState) {
        for capacity in state.capacities {
            let placed = state.vgpus.values.filter { $0.device == capacity.device.id }
            #expect(capacity.allocatedMebibytes == placed.reduce(0) { $0 + $1.memory.wholeMebibytes })
            #expect(capacity.allocatedPercent == placed.reduce(0) { $0 + $1.compute.percent })
            #expect(capacity.allocatedMebibytes <= capacity.device.memory.wholeMebibytes)
            #expect(capacity.allocatedPercent <= 100)
        }
        for vgpu in state.vgpus.values where state.leases[vgpu.lease] == nil {
            #expect(vgpu.phase == .stopping, "nobody holds a vGPU that is not stopping")
        }
    }

    @Test("Names and UUIDs have their forms")
    func names() throws {
        var random = SeededRandom(seed: 7)
        let id = VirtualGPUID.random(length: 4, using: &random).rawValue
        #expect(id.hasPrefix("vgpu-") && id.count == 9)
        let uuid = VirtualGPU.randomUUID(using: &random)
        let groups = uuid.split(separator: "-")
        #expect(groups.map(\.count) == [8, 4, 4, 4, 12])
        #expect(groups[2].first == "4")
        #expect("89ab".contains(try #require(groups[3].first)))
    }

    @Test("Software devices get parts of half the machine's memory, at most 8 GiB")
    func softwareDevices() {
        let small = SoftwareDevices.describe(count: 2, memory: nil, machineMemory: .gibibytes(8))
        #expect(small.map(\.id.rawValue) == ["software-0", "software-1"])
        #expect(small.map(\.memory) == [.gibibytes(2), .gibibytes(2)])
        let large = SoftwareDevices.describe(count: 1, memory: nil, machineMemory: .gibibytes(256))
        #expect(large.map(\.memory) == [.gibibytes(8)])
        let named = SoftwareDevices.describe(count: 1, memory: .gibibytes(40), machineMemory: .gibibytes(8))
        #expect(named.map(\.memory) == [.gibibytes(40)])
    }
}
