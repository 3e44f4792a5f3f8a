import AsyncHTTPClient
public import FleetModel
import Foundation
public import Logging
import NIOCore
import NIOHTTP1
public import ServiceLifecycle
public import Traces

/// Where spans go.
public struct OTLPSettings: Sendable {
    /// The address that batches are posted to.
    public let address: String
    /// Headers beside those of every request. They may be secret: never in a log.
    public var headers: [(name: String, value: String)] = []
    /// Who the spans are of.
    public var source: OTLPDocument.Source
    /// Spans in one request at most.
    public var batchCount = 512
    /// How often the queue is looked at.
    public var interval = Duration.seconds(1)
    /// How long a collector may take to answer.
    public var timeout = TimeSpan.seconds(10)
    /// What is done after failures.
    public var policy = ExportPolicy()

    /// Sends to a collector: `http://host:4318`.
    ///
    /// - Throws: ``ManifestError`` for an endpoint that is no such address.
    public init(endpoint: String, source: OTLPDocument.Source) throws(ManifestError) {
        guard let url = URL(string: endpoint), ["http", "https"].contains(url.scheme), url.host?.isEmpty == false,
            url.query == nil, url.fragment == nil, url.user == nil
        else {
            throw ManifestError([
                FieldProblem("otlp-endpoint", "\(endpoint) is no address such as http://127.0.0.1:4318")
            ])
        }
        address = (endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint) + "/v1/traces"
        self.source = source
    }

    /// Reads headers as `OTEL_EXPORTER_OTLP_HEADERS` has them: `name=value,name=value`, percent-encoded.
    public static func headers(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: ",").compactMap { part in
            let halves = part.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard halves.count == 2, let value = halves[1].removingPercentEncoding else { return nil }
            return (halves[0], value)
        }
    }
}

/// Sends spans to a collector as OTLP over HTTP in JSON. Nobody waits for it.
public struct OTLPExporter: Service {
    private let queue: SpanQueue
    private let settings: OTLPSettings
    private let logger: Logger

    /// Exports what comes into a queue.
    public init(_ queue: SpanQueue, _ settings: OTLPSettings, logger: Logger) {
        self.queue = queue
        self.settings = settings
        self.logger = logger
    }

    /// Exports until a graceful shutdown begins or the task is cancelled; then sends once what is left.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let batch = queue.take(settings.batchCount)
                if !batch.isEmpty { await export(batch) }
                if batch.count < settings.batchCount { try? await Task.sleep(for: settings.interval) }
            }
        }
        // The rest goes out in a task of its own, since this one may be cancelled.
        await Task { await flush() }.value
    }

    private func flush() async {
        while true {
            let batch = queue.take(settings.batchCount)
            guard !batch.isEmpty else { return }
            let outcome = await send(batch, timeout: min(settings.timeout, .seconds(2)))
            let isDone = settings.policy.step(after: outcome, attempt: 1, random: 0) == .done
            count(batch, isDone: isDone)
            guard isDone else { return queue.count(failed: queue.take(.max).count) }
        }
    }

    private func export(_ batch: [Span]) async {
        for attempt in 1... {
            let outcome = await send(batch, timeout: settings.timeout)
            switch settings.policy.step(after: outcome, attempt: attempt, random: queue.random()) {
            case .done: return count(batch, isDone: true)
            case .giveUp:
                logger.warning("spans are lost", metadata: ["count": "\(batch.count)", "reason": "\(outcome)"])
                return count(batch, isDone: false)
            case .retry(let rest):
                do { try await Task.sleep(for: rest) } catch { return count(batch, isDone: false) }
            }
        }
    }

    private func count(_ batch: [Span], isDone: Bool) {
        if isDone { queue.count(exported: batch.count) } else { queue.count(failed: batch.count) }
    }

    private func send(_ batch: [Span], timeout: TimeSpan) async -> ExportPolicy.Outcome {
        do {
            var request = HTTPClientRequest(url: settings.address)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            for header in settings.headers { request.headers.replaceOrAdd(name: header.name, value: header.value) }
            let body = OTLPDocument.json(batch, of: settings.source)
            request.body = .bytes(ByteBuffer(bytes: try body.encoded()))
            let answer = try await HTTPClient.shared.execute(request, timeout: .milliseconds(timeout.milliseconds))
            _ = try? await answer.body.collect(upTo: 1 << 16)
            let wait = answer.headers.first(name: "Retry-After").flatMap { Int($0) }
            return .status(Int(answer.status.code), retryAfterSeconds: wait)
        } catch {
            logger.debug("the collector can't be reached", metadata: ["reason": "\(error)"])
            return .unreachable
        }
    }
}
