import GPUTestKit
import Primitives
import Testing
import WireProtocol
import WorkerCore

private let base = DeviceArena.standard().base

/// Executable graphs as a client's bytes make them.
@Suite struct GraphTests {
    private static let fixture = WorkerFixture()

    private func lane() throws -> TestLane {
        let lane = try GraphTests.fixture.laneWithContext()
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 1 << 20, wantedByteCount: 1 << 20))
        try lane.send(MemoryAllocate(address: base, byteCount: 4096, kind: 0))
        return lane
    }

    private func bytes<Command: WireCommand>(_ command: Command) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: command.encodedByteCount)
        bytes.withUnsafeMutableBytes { buffer in
            var writer = WireWriter(into: buffer)
            command.encode(into: &writer)
        }
        return bytes
    }

    private func fill(_ value: UInt32, at offset: UInt64 = 0, after dependencies: [UInt32] = []) -> GraphPlanNode {
        let command = Fill(
            address: base + offset, pitch: 4, elementByteCount: 4, value: value, width: 1, height: 1, stream: 0)
        return GraphPlanNode(command: Fill.id, dependencies: dependencies, payload: bytes(command))
    }

    private func copy(from source: UInt64, to destination: UInt64, after dependencies: [UInt32]) -> GraphPlanNode {
        let command = CopyDeviceToDevice3D(
            destination: base + destination, destinationPitch: 4, destinationSlicePitch: 4, source: base + source,
            sourcePitch: 4, sourceSlicePitch: 4, width: 4, height: 1, depth: 1, stream: 0)
        return GraphPlanNode(command: CopyDeviceToDevice3D.id, dependencies: dependencies, payload: bytes(command))
    }

    private func instantiate(_ plan: GraphPlan, _ lane: TestLane, id: UInt64 = 1) throws -> Int32 {
        var encoded: [UInt8] = []
        plan.encode(into: &encoded)
        return try instantiate(encoded, lane, id: id)
    }

    private func instantiate(_ encoded: [UInt8], _ lane: TestLane, id: UInt64 = 1) throws -> Int32 {
        try lane.call(GraphInstantiate(bulkByteCount: UInt64(encoded.count), graph: id), bulk: encoded).status
    }

    private func word(_ lane: TestLane, at offset: UInt64) throws -> UInt32 {
        let reply = try lane.call(CopyDeviceToHost(address: base + offset, byteCount: 4, stream: 0))
        try #require(reply.status == 0 && reply.deferredStatus == 0)
        return reply.bulk.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    }

    private func conditional(kind: UInt32, first: UInt32, count: UInt32) -> GraphPlanNode {
        let command = GraphConditional(address: base + 64, kind: kind, firstGraph: first, graphCount: count)
        return GraphPlanNode(command: GraphConditional.id, dependencies: [], payload: bytes(command))
    }

    @Test("a plan's nodes run at each launch, and a patch changes one of them")
    func launches() throws {
        let lane = try lane()
        var plan = GraphPlan()
        plan.graphs = [[fill(7), copy(from: 0, to: 16, after: [0])]]
        #expect(try instantiate(plan, lane) == 0)
        try lane.send(Fill(address: base, pitch: 32, elementByteCount: 4, value: 0, width: 8, height: 1, stream: 0))
        #expect(try word(lane, at: 16) == 0)
        try lane.send(GraphLaunch(graph: 1, stream: 0))
        #expect(try word(lane, at: 16) == 7)

        var patch = GraphPatch()
        patch.entries = [GraphPatch.Entry(graph: 0, index: 0, fill(9))]
        var encoded: [UInt8] = []
        patch.encode(into: &encoded)
        try lane.send(GraphUpdate(bulkByteCount: UInt64(encoded.count), graph: 1), bulk: encoded)
        try lane.send(GraphLaunch(graph: 1, stream: 0))
        try lane.send(GraphDestroy(graph: 1))
        #expect(try word(lane, at: 16) == 9)
        try lane.send(GraphLaunch(graph: 1, stream: 0))
        #expect(try lane.call(Ping()).deferredStatus == 400)
    }

    @Test("a body runs by the value in memory, which a default sets before each launch")
    func conditionals() throws {
        let lane = try lane()
        // Kind 2 takes the body with the value's number, kind 0 the second body when the value is 0.
        let cases: [(UInt32, UInt32, UInt32)] = [(2, 0, 10), (2, 1, 20), (2, 2, 30), (0, 5, 10), (0, 0, 20)]
        for (kind, value, expected) in cases {
            var plan = GraphPlan()
            plan.defaults = [GraphPlanDefault(address: base + 64, value: value)]
            plan.graphs = [[conditional(kind: kind, first: 1, count: 2)], [fill(10)], [fill(20)]]
            try lane.send(Fill(address: base, pitch: 4, elementByteCount: 4, value: 30, width: 1, height: 1, stream: 0))
            #expect(try instantiate(plan, lane) == 0)
            try lane.send(GraphLaunch(graph: 1, stream: 0))
            #expect(try word(lane, at: 0) == expected)
            try lane.send(GraphDestroy(graph: 1))
        }
        // A loop whose body ends it.
        var plan = GraphPlan()
        plan.defaults = [GraphPlanDefault(address: base + 64, value: 1)]
        plan.graphs = [[conditional(kind: 1, first: 1, count: 1)], [fill(0, at: 64), fill(55, after: [0])]]
        #expect(try instantiate(plan, lane, id: 9) == 0)
        try lane.send(GraphLaunch(graph: 9, stream: 0))
        #expect(try word(lane, at: 0) == 55)
    }

    @Test("plans that break the rules are refused, and the lane goes on")
    func refusals() throws {
        let lane = try lane()
        var plans: [GraphPlan] = []
        func add(_ graphs: [[GraphPlanNode]]) {
            var plan = GraphPlan()
            plan.graphs = graphs
            plans.append(plan)
        }
        add([])
        // A command that is no node, one of an unknown number, a payload that is none.
        let free = bytes(MemoryFree(address: base, stream: 0))
        add([[GraphPlanNode(command: MemoryFree.id, dependencies: [], payload: free)]])
        add([[GraphPlanNode(command: 9999, dependencies: [], payload: [])]])
        add([[GraphPlanNode(command: Fill.id, dependencies: [], payload: [1, 2, 3])]])
        // A node that waits for itself.
        add([[fill(1, after: [0])]])
        // Bodies that do not exist, that are used twice, or that lead back.
        add([[conditional(kind: 0, first: 1, count: 1)]])
        add([[conditional(kind: 0, first: 1, count: 1), conditional(kind: 0, first: 1, count: 1)], [fill(1)]])
        add([[conditional(kind: 0, first: 1, count: 1)], [conditional(kind: 0, first: 0, count: 1)]])
        add([[conditional(kind: 3, first: 1, count: 1)], [fill(1)]])
        add([[conditional(kind: 0, first: 1, count: .max)], [fill(1)]])
        for (index, plan) in plans.enumerated() {
            #expect(try instantiate(plan, lane) != 0, "plan \(index)")
        }
        #expect(try lane.call(Ping()).status == 0)
    }

    @Test("damaged plans are errors or graphs, never the end of the worker", arguments: 0..<4)
    func damage(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let lane = try lane()
        var plan = GraphPlan()
        plan.defaults = [GraphPlanDefault(address: base + 64, value: 0)]
        plan.graphs = [
            [fill(7), copy(from: 0, to: 16, after: [0]), conditional(kind: 0, first: 1, count: 1)], [fill(1)],
        ]
        var good: [UInt8] = []
        plan.encode(into: &good)
        for round in 0..<60 {
            var bytes = good
            if round % 3 == 0 {
                bytes = Array(bytes.prefix(Int(random.next(below: UInt64(bytes.count)))))
            } else {
                for _ in 0..<3 {
                    bytes[Int(random.next(below: UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            let id = UInt64(round + 1)
            if try instantiate(bytes, lane, id: id) == 0 { try lane.send(GraphDestroy(graph: id)) }
        }
        #expect(try instantiate(plan, lane, id: 100) == 0)
    }

    @Test("a graph's copy to the host travels on the events connection, before what follows it")
    func hostCopies() throws {
        let session = WorkerFixture.newSession()
        let lane = try GraphTests.fixture.laneWithContext(session: session)
        _ = try lane.call(MemoryGrant(device: 0, minimumByteCount: 1 << 20, wantedByteCount: 1 << 20))
        try lane.send(MemoryAllocate(address: base, byteCount: 4096, kind: 0))
        let events = TestLane(connection: try GraphTests.fixture.connect(), session: session)
        try events.greet(role: .events)
        let give = CopyToHost(
            token: 5, address: base, pitch: 4, slicePitch: 4, width: 4, height: 1, depth: 1, stream: 0)
        let take = CopyFromHost(
            token: 6, address: base + 16, pitch: 4, slicePitch: 4, width: 4, height: 1, depth: 1, stream: 0)
        var plan = GraphPlan()
        plan.graphs = [
            [
                fill(0x0102_0304), GraphPlanNode(command: CopyToHost.id, dependencies: [0], payload: bytes(give)),
                GraphPlanNode(command: CopyFromHost.id, dependencies: [1], payload: bytes(take)),
            ]
        ]
        #expect(try instantiate(plan, lane) == 0)
        try lane.send(GraphLaunch(graph: 1, stream: 0))
        let header = FrameHeader.byteCount
        let given = try events.read(header + 24 + 4)
        #expect(
            Array(given[header...])
                == [2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1])
        try events.send(HostFunctionDone(token: 5))
        let taken = try events.read(header + 24)
        #expect(Array(taken[header...]) == [3, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0])
        try events.send(HostBytes(bulkByteCount: 4, token: 6), bulk: [9, 0, 0, 0])
        #expect(try word(lane, at: 16) == 9)
    }

    @Test("bytes that nobody asked for end the events connection")
    func uninvitedBytes() throws {
        let session = WorkerFixture.newSession()
        let lane = try GraphTests.fixture.laneWithContext(session: session)
        let events = TestLane(connection: try GraphTests.fixture.connect(), session: session)
        try events.greet(role: .events)
        try events.send(HostBytes(bulkByteCount: 1 << 40, token: 6))
        #expect(events.isClosedByWorker())
        #expect(try lane.call(Ping()).status == 0)
    }
}
