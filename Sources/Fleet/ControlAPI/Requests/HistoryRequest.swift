public import FleetModel

/// What is asked of the metrics' history.
public struct HistoryRequest: Sendable {
    /// The metric, by its name.
    public let metric: String
    /// From when to when.
    public let since: Timestamp
    public let until: Timestamp
    /// How much time a point should take in; as little as is kept where nil.
    public let step: TimeSpan?

    private let labels: LabelSelector?

    init(_ call: APICall, now: Timestamp) throws {
        guard let metric = call.query["metric"] else {
            throw Problem(.badRequest, "say which metric: ?metric=NAME, with a name of /metrics")
        }
        self.metric = metric
        labels = call.query["labels"].flatMap(LabelSelector.init)
        since = call.query["since"].flatMap { HistoryRequest.moment($0, now: now) } ?? HistoryRequest.before(now)
        until = call.query["until"].flatMap { HistoryRequest.moment($0, now: now) } ?? now
        step = call.query["step"].flatMap(TimeSpan.init)
        guard since <= until else {
            throw Problem(.invalid, "since (\(since)) must not be after until (\(until))")
        }
        guard step.map({ $0.milliseconds > 0 }) ?? true else {
            throw Problem(.invalid, "step=\(call.query["step"] ?? "") must not be nothing, such as 10s or 5m")
        }
    }

    /// Whether a series with these labels is asked for.
    public func matches(_ labels: [String: String]) -> Bool { self.labels?.matches(labels) ?? true }

    private static func moment(_ text: String, now: Timestamp) -> Timestamp? {
        Timestamp(text) ?? TimeSpan(text).map { Timestamp(milliseconds: now.milliseconds &- $0.milliseconds) }
    }

    /// Where a question begins that does not say.
    private static func before(_ now: Timestamp) -> Timestamp { Timestamp(milliseconds: now.milliseconds - 3_600_000) }
}
