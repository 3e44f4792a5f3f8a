import FleetModel
import FleetStore
import Logging
import Testing

@testable import ControlPlane

@Suite("Answers to nodes", .timeLimit(.minutes(2)))
struct ServiceTests {
    /// A clock that stands; whoever sleeps does so until it is cancelled.
    private struct Standing: FleetEnvironment {
        func now() -> Timestamp { Timestamp(milliseconds: 1_800_000_000_000) }
        func random() -> UInt64 { 7 }
        func sleep(for span: TimeSpan) async {
            let (stream, _) = AsyncStream<Void>.makeStream()
            for await _ in stream {}
        }
    }

    @Test("A heartbeat that waits for news is answered when the server ends, and none waits after that")
    func endOfWaits() async throws {
        let store = MemoryFleetStore()
        let log = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let loop = ControlLoop(store: store, environment: Standing(), log: log)
        let service = FleetService(loop: loop, store: store, environment: Standing())
        let facts = NodeFacts(address: "10.0.0.1", version: "1")
        _ = try await service.join(JoinRequest(token: "", name: "n", epoch: 0, facts: facts))
        var request = HeartbeatRequest(epoch: 1, facts: facts, devices: [], vgpus: [])
        request.wait = .hours(24)
        async let waiting = service.heartbeat(node: "n", request)
        while await loop.waiterCount == 0 { await Task.yield() }
        await service.endWaits()
        #expect(try await waiting.vgpus.isEmpty)
        #expect(try await service.heartbeat(node: "n", request).vgpus.isEmpty)
    }
}
