import FleetModel
import Foundation
import Hummingbird
import Logging
import ServiceLifecycle
import SpanExport
import Synchronization
import Testing
import Traces

/// A collector on loopback that answers as it is told, then with 200.
private final class Collector: Sendable {
    private struct State {
        var answers: [Int]
        var bodies: [JSONValue] = []
        var headers: [String?] = []
    }

    private let state: Mutex<State>

    init(answers: [Int] = []) { state = Mutex(State(answers: answers)) }

    var bodies: [JSONValue] { state.withLock { $0.bodies } }
    var headers: [String?] { state.withLock { $0.headers } }

    /// Runs a body with the collector's address.
    func run(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        let router = Router()
        router.post("/v1/traces") { request, _ in
            let bytes = try await request.body.collect(upTo: 1 << 22)
            let json = try JSONDecoder().decode(JSONValue.self, from: Data(bytes.readableBytesView))
            let header = request.headers[.authorization]
            let status = self.state.withLock { state in
                state.bodies.append(json)
                state.headers.append(header)
                return state.answers.isEmpty ? 200 : state.answers.removeFirst()
            }
            return Response(status: .init(code: status))
        }
        var logger = Logger(label: "collector")
        logger.logLevel = .critical
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { told.yield($0.localAddress?.port ?? 0) }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            for await port in ports {
                try await body("http://127.0.0.1:\(port)")
                break
            }
            group.cancelAll()
        }
    }
}

@Suite("Export of spans", .timeLimit(.minutes(1)))
struct ExporterTests {
    private let source = OTLPDocument.Source(service: "test", version: "1", instance: "i")

    private func quiet() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private func settings(_ endpoint: String) throws -> OTLPSettings {
        var settings = try OTLPSettings(endpoint: endpoint, source: source)
        settings.interval = .milliseconds(1)
        settings.policy.firstRest = .milliseconds(1)
        settings.policy.longestRest = .milliseconds(4)
        settings.timeout = .seconds(5)
        return settings
    }

    private func record(_ count: Int, in queue: SpanQueue) {
        let context = TraceContext(random: queue.random)
        for _ in 0..<count {
            queue.record(
                Span(context, in: nil, "x", from: Timestamp(milliseconds: 1000), lasting: .milliseconds(1)))
        }
    }

    /// Runs an exporter until a condition holds.
    private func export(
        _ queue: SpanQueue, _ settings: OTLPSettings, until condition: @escaping @Sendable () -> Bool
    ) async throws {
        let exporter = OTLPExporter(queue, settings, logger: quiet())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await exporter.run() }
            while !condition() { try await Task.sleep(for: .milliseconds(1)) }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func random() -> @Sendable () -> UInt64 { { UInt64.random(in: 1...UInt64.max) } }

    @Test("Spans arrive in batches with the headers that were asked for")
    func arrival() async throws {
        let collector = Collector()
        try await collector.run { endpoint in
            let queue = SpanQueue(random: random())
            var settings = try settings(endpoint + "/")
            settings.batchCount = 4
            settings.headers = OTLPSettings.headers("authorization=Bearer%20abc")
            record(10, in: queue)
            try await export(queue, settings) { queue.counts.exported == 10 }
            let counts = collector.bodies.map { body in
                body["resourceSpans"]?.elements?[0]["scopeSpans"]?.elements?[0]["spans"]?.elements?.count
            }
            #expect(counts == [4, 4, 2])
            #expect(collector.headers.allSatisfy { $0 == "Bearer abc" })
        }
    }

    @Test("A collector that is busy is asked again; one that refuses is not")
    func failures() async throws {
        let busy = Collector(answers: [503, 429])
        try await busy.run { endpoint in
            let queue = SpanQueue(random: random())
            record(3, in: queue)
            try await export(queue, settings(endpoint)) { queue.counts.exported == 3 }
            #expect(busy.bodies.count == 3 && queue.counts.failed == 0)
        }
        let strict = Collector(answers: [400])
        try await strict.run { endpoint in
            let queue = SpanQueue(random: random())
            record(3, in: queue)
            try await export(queue, settings(endpoint)) { queue.counts.failed == 3 }
            #expect(strict.bodies.count == 1)
        }
    }

    @Test("Without a collector nobody waits: the queue fills, the rest is dropped, both are counted")
    func absence() async throws {
        let queue = SpanQueue(capacity: 8, random: random())
        record(20, in: queue)
        #expect(queue.counts.dropped == 12)
        // Nobody listens on port 1.
        try await export(queue, settings("http://127.0.0.1:1")) { queue.counts.failed == 8 }
        #expect(queue.counts.dropped == 12 && queue.counts.exported == 0)
    }

    @Test(
        "An endpoint that is no address is refused with its name",
        arguments: ["", "x", "ftp://h", "http://", "http://u:p@h"])
    func endpoints(_ text: String) throws {
        #expect(throws: ManifestError.self) { _ = try OTLPSettings(endpoint: text, source: source) }
    }
}
