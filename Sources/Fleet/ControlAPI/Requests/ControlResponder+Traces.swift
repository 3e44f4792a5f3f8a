import FleetModel
import HTTPTypes
import Hummingbird
import Traces

extension ControlResponder {
    /// One of so many heartbeats is recorded: nodes send them all the time, and they are all alike.
    private static let heartbeatInterval: UInt64 = 64

    /// Answers a request as a span: of the sender's trace where it names one, else of a new one.
    func traced(_ request: Request, _ context: ControlContext, _ spans: SpanQueue) async -> Response {
        let (start, begin) = (service.parts.surroundings.now(), ContinuousClock.now)
        let parent = HTTPField.Name("traceparent").flatMap { request.headers[$0] }.flatMap { TraceContext($0) }
        let isHeartbeat = request.uri.path.hasSuffix("/heartbeat")
        let isRecorded = !isHeartbeat || spans.random() % ControlResponder.heartbeatInterval == 0
        let own = parent?.child(random: spans.random) ?? TraceContext(isSampled: isRecorded, random: spans.random)
        var progress = Progress()
        let response = await TraceContext.$current.withValue(own) { await answer(request, context, &progress) }
        guard own.isSampled else { return response }
        // The route's template, never the address: that may hold anything.
        let route = progress.route
        let method = route?.method.rawValue ?? "HTTP"
        var span = Span(
            own, in: parent, route.map { "\(method) \($0.path)" } ?? method, kind: .server, from: start,
            lasting: .now - begin)
        span.attributes["http.request.method"] = route.map { .text($0.method.rawValue) }
        span.attributes["http.route"] = route.map { .text($0.path) }
        span.attributes["http.response.status_code"] = .number(Int64(response.status.code))
        span.attributes["roost.operation"] = route.map { .text($0.operation) }
        span.attributes["roost.project"] = progress.project.map { .text($0) }
        if response.status.code >= 500 { span.failure = "status \(response.status.code)" }
        spans.record(span)
        return response
    }
}
