import FleetModel
import FleetStore
import Testing

@testable import Traces

/// Numbers one after the other.
private func counter() -> @Sendable () -> UInt64 {
    let next = Numbers()
    return { next.next() }
}

// SAFETY: each test uses its own from one task.
private final class Numbers: @unchecked Sendable {
    private var last: UInt64 = 0

    func next() -> UInt64 {
        last += 2
        return last
    }
}

@Suite("Spans")
struct SpanTests {
    private static let moment = Timestamp(milliseconds: 1_796_126_400_000)

    @Test("A traceparent is read and written as W3C says; what is none is not read")
    func contexts() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let context = TraceContext(text)
        #expect(context?.description == text && context?.isSampled == true)
        #expect(TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")?.isSampled == false)
        #expect(TraceContext("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more") != nil)
        for wrong in [
            "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "ff" + text.dropFirst(2), text + "-x",
            text.uppercased(), "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0ag7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", " " + text,
        ] {
            #expect(TraceContext(wrong) == nil, "\(wrong)")
        }
        let child = context?.child(random: counter())
        #expect(child?.traceID == context?.traceID && child?.spanID != context?.spanID)
    }

    @Test("A full queue drops what comes, and counts it; what is not sampled is nothing")
    func bounds() {
        let queue = SpanQueue(capacity: 3, random: counter())
        let context = TraceContext(random: queue.random)
        func span(_ context: TraceContext) -> Span {
            Span(context, in: nil, "x", from: SpanTests.moment, lasting: .seconds(1))
        }
        queue.record(span(TraceContext(isSampled: false, random: queue.random)))
        for _ in 0..<5 { queue.record(span(context)) }
        #expect(queue.counts.dropped == 2)
        #expect(queue.take(2).count == 2 && queue.take(2).count == 1 && queue.take(2).isEmpty)
        queue.record(span(context))
        #expect(queue.take(9).count == 1)
    }

    @Test("Failures that pass are tried again, later each time, but not for ever; others are not")
    func policy() {
        let policy = ExportPolicy()
        func step(_ outcome: ExportPolicy.Outcome, _ attempt: Int) -> ExportPolicy.Step {
            policy.step(after: outcome, attempt: attempt, random: 0)
        }
        #expect(step(.status(200, retryAfterSeconds: nil), 1) == .done)
        #expect(step(.unreachable, 1) == .retry(after: .seconds(1)))
        #expect(step(.unreachable, 3) == .retry(after: .seconds(4)))
        #expect(step(.unreachable, 6) == .giveUp)
        for status in [429, 502, 503, 504] {
            #expect(step(.status(status, retryAfterSeconds: 7), 1) == .retry(after: .seconds(7)))
        }
        #expect(step(.status(503, retryAfterSeconds: 9999), 1) == .retry(after: .seconds(30)))
        for status in [400, 401, 404, 413, 500] { #expect(step(.status(status, retryAfterSeconds: nil), 1) == .giveUp) }
        for random in UInt64(0)..<256 {
            guard case .retry(let rest) = policy.step(after: .unreachable, attempt: 2, random: random) else {
                Issue.record("it gave up")
                return
            }
            #expect(rest <= .seconds(2) && rest >= .seconds(1.5))
        }
    }

    @Test("Spans become OTLP's JSON: ids in hexadecimal, 64-bit numbers as text")
    func document() throws {
        let context = TraceContext(random: counter())
        var span = Span(
            context.child(random: counter()), in: context, "x", kind: .server, from: SpanTests.moment,
            lasting: .microseconds(1500))
        span.attributes = ["b": 7, "a": "text"]
        span.failure = "broken"
        let json = OTLPDocument.json([span], of: .init(service: "s", version: "1", instance: "i"))
        let written = json["resourceSpans"]?.elements?[0]["scopeSpans"]?.elements?[0]["spans"]?.elements?[0]
        #expect(written?["startTimeUnixNano"] == "1796126400000000000")
        #expect(written?["endTimeUnixNano"] == "1796126400001500000")
        #expect(written?["traceId"]?.text?.count == 32 && written?["spanId"]?.text?.count == 16)
        #expect(written?["parentSpanId"] == .string(context.spanID))
        #expect(written?["kind"] == 2 && written?["status"] == ["code": 2, "message": "broken"])
        let attributes: JSONValue = [
            ["key": "a", "value": ["stringValue": "text"]], ["key": "b", "value": ["intValue": "7"]],
        ]
        #expect(written?["attributes"] == attributes)
        let service: JSONValue = ["key": "service.name", "value": ["stringValue": "s"]]
        let resource = json["resourceSpans"]?.elements?[0]["resource"]?["attributes"]?.elements ?? []
        #expect(resource.contains(service))
    }

    @Test("A workload's life is told once, in the trace of the request that made it, each part where it ends")
    func lives() {
        let trace = TraceContext(random: counter())
        var workload = Resource(Metadata(name: "w", project: "p"), WorkloadSpec())
        workload.metadata.createdAt = SpanTests.moment
        var vgpu = Resource(
            Metadata(name: "w-0", project: "p"),
            VirtualGPUSpec(workload: workload.reference, uid: "u", replica: 0, pool: "m", node: "n", devices: ["0"]))
        vgpu.metadata.createdAt = SpanTests.moment + .seconds(30)
        var life = WorkloadTrace(random: counter())
        var told: [Span] = []
        func become(_ phase: VirtualGPUStatus.Phase?, at second: Int64) {
            let before = vgpu
            if let phase { vgpu.status.phase = phase }
            told += life.spans(
                from: phase == nil ? nil : before, to: vgpu, of: workload, now: SpanTests.moment + .seconds(second))
        }
        become(nil, at: 30)
        #expect(told.isEmpty, "a workload without a trace has no spans")
        workload.metadata.annotations = [WorkloadTrace.annotation: trace.description]
        become(nil, at: 30)
        become(.starting, at: 32)
        vgpu.status.startedAt = SpanTests.moment + .seconds(37)
        become(.running, at: 37)
        become(.running, at: 40)
        vgpu.status.endedAt = SpanTests.moment + .seconds(97)
        become(.ended, at: 98)
        #expect(told.map(\.name) == ["workload queued", "workload placed", "worker start", "workload running"])
        #expect(told.map { ($0.end - $0.start) / 1_000_000_000 } == [30, 2, 5, 60])
        #expect(told.allSatisfy { $0.context.traceID == trace.traceID && $0.parentID == trace.spanID })
        #expect(Set(told.map(\.context.spanID)).count == 4)
    }

    @Test("A commit is a span of the trace that it is a part of, and of none otherwise")
    func commits() async throws {
        let queue = SpanQueue(random: counter())
        let store = TracedFleetStore(MemoryFleetStore(), queue) { SpanTests.moment }
        let key = try StoreKey("/pools/a")
        _ = try await store.create(key, [1])
        #expect(queue.take(9).isEmpty)
        let context = TraceContext(random: queue.random)
        try await TraceContext.$current.withValue(context) {
            _ = try await store.replace(key, [2], expected: Revision(rawValue: 1))
            _ = try? await store.create(key, [3])
        }
        let spans = queue.take(9)
        #expect(spans.map(\.parentID) == [context.spanID, context.spanID])
        #expect(spans.map(\.failure) == [nil, "exists"])
    }
}
