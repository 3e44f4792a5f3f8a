import AsyncHTTPClient
import FleetModel
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization
import Testing

@testable import ControlAPI

@Suite("The end of a server", .timeLimit(.minutes(2)))
struct ShutdownTests {
    /// Lets heartbeats wait until waits are ended.
    private final class PatientOperations: FleetOperations {
        private let ends: AsyncStream<Void>
        private let end: AsyncStream<Void>.Continuation
        private let count = Mutex(0)

        init() { (ends, end) = AsyncStream.makeStream() }

        var waitingCount: Int { count.withLock { $0 } }

        func heartbeat(node: String, _ request: HeartbeatRequest) async throws -> HeartbeatAnswer {
            count.withLock { $0 += 1 }
            for await _ in ends {}
            return HeartbeatAnswer(lease: .seconds(10), vgpus: [], revision: 7)
        }

        func endWaits() async { end.finish() }

        func explain(_ workload: ResourceReference) async throws -> Explanation { throw Problem(.unavailable, "") }
        func plan(_ workloads: [Resource<WorkloadSpec>]) async throws -> Plan { throw Problem(.unavailable, "") }
        func join(_ request: JoinRequest) async throws -> TimeSpan { throw Problem(.unavailable, "") }
        func connection(to vgpu: Resource<VirtualGPUSpec>) async throws -> VirtualGPUConnection {
            throw Problem(.unavailable, "")
        }
    }

    @Test("Watches and heartbeats that would go on are ended, and so the server ends")
    func endsWaits() async throws {
        let operations = PatientOperations()
        let fixture = try await APIFixture { $0.operations = operations }
        let node = try await fixture.token("node:n", Grant(.node, node: "n"))
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let (ports, port) = AsyncStream<Int>.makeStream()
        let settings = ListenSettings(address: ListenAddress(host: "127.0.0.1", port: 0))
        let server = try ControlServer(fixture.parts, listening: settings, logger: logger) { port.yield($0) }
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: logger))
        async let ending: Void = group.run()
        let number = try #require(await ports.first { _ in true })
        try await poll { try await get(number, "/readyz", token: nil).status == .ok }
        var watches: [Lines] = []
        // The client has eight connections to one server.
        for _ in 0..<5 {
            let path = "/api/v1/projects?watch=true"
            var lines = Lines(try await get(number, path, token: fixture.admin, within: .minutes(2)))
            while try await lines.next()?["type"] != "PROGRESS" {}
            watches.append(lines)
        }
        async let beat = ShutdownTests.heartbeat(number, token: node)
        try await poll { operations.waitingCount == 1 }
        await group.triggerGracefulShutdown()
        try await ending
        for var lines in watches {
            let last = try #require(try await lines.next())
            #expect(last["type"] == "ERROR" && last["problem"]?["status"] == 503)
            #expect(try await lines.next() == nil)
        }
        #expect(try await beat.revision == 7)
    }

    private static func heartbeat(_ port: Int, token: String) async throws -> HeartbeatAnswer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/api/v1/nodes/n/heartbeat")
        request.method = .POST
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        request.headers.add(name: "Content-Type", value: "application/json")
        let facts = NodeFacts(address: "127.0.0.1", version: "1")
        request.body = .bytes(try jsonBytes(HeartbeatRequest(epoch: 1, facts: facts, devices: [], vgpus: [])))
        let response = try await HTTPClient.shared.execute(request, timeout: .minutes(2))
        let body = try await response.body.collect(upTo: 1 << 20)
        return try JSONDecoder().decode(HeartbeatAnswer.self, from: Data(body.readableBytesView))
    }
}
