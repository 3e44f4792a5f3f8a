public import FleetModel

/// A workload's life as spans of one trace, so that it shows where the time went: queued, placed, worker start,
/// running. The trace's id stands in the workload's annotations.
public struct WorkloadTrace: Sendable {
    /// The annotation with the context of the request that made the workload, in the form of `traceparent`.
    public static let annotation = "roost/traceparent"

    /// When vGPUs were seen to be taken up, until they serve.
    private var startingSince: [ResourceReference: Timestamp] = [:]
    private let random: @Sendable () -> UInt64

    /// Follows nothing yet.
    public init(random: @escaping @Sendable () -> UInt64) {
        self.random = random
    }

    /// The trace of a workload; nil where it has none.
    public static func context(of workload: Resource<WorkloadSpec>) -> TraceContext? {
        workload.metadata.annotations?[annotation].flatMap { TraceContext($0) }
    }

    /// What a change of a vGPU ends.
    ///
    /// - Parameters:
    ///   - before: The vGPU before; nil where it is new.
    ///   - after: The vGPU after.
    ///   - workload: Its workload, as it was before.
    ///   - now: The time.
    public mutating func spans(
        from before: Resource<VirtualGPUSpec>?, to after: Resource<VirtualGPUSpec>, of workload: Resource<WorkloadSpec>,
        now: Timestamp
    ) -> [Span] {
        guard let trace = WorkloadTrace.context(of: workload), trace.isSampled else { return [] }
        let old = before?.status.phase
        let phase = after.status.phase
        guard old != phase else { return [] }
        func span(_ name: String, from start: Timestamp?, to end: Timestamp) -> Span {
            let start = min(start ?? end, end)
            var span = Span(
                trace.child(random: random), in: trace, name, from: start,
                lasting: .milliseconds((end - start).milliseconds))
            span.attributes["roost.project"] = .text(after.metadata.project ?? defaultProject)
            span.attributes["roost.workload"] = .text(after.spec.workload)
            span.attributes["roost.replica"] = .number(after.spec.replica)
            span.attributes["roost.node"] = .text(after.spec.node)
            return span
        }
        let made = after.metadata.createdAt
        switch (old, phase) {
        case (nil, .placed):
            let since = max(workload.status.waitingSince, workload.metadata.createdAt)
            return [span("workload queued", from: since, to: made ?? now)]
        case (.placed, .starting):
            startingSince[after.reference] = now
            return [span("workload placed", from: made, to: now)]
        case (.placed, .running), (.starting, .running):
            let started = after.status.startedAt ?? now
            let since = startingSince.removeValue(forKey: after.reference)
            return [span("worker start", from: since ?? made, to: started)]
        case (_, .ended), (_, .lost):
            startingSince[after.reference] = nil
            guard let started = after.status.startedAt else { return [] }
            var running = span("workload running", from: started, to: after.status.endedAt ?? now)
            if phase == .lost { running.failure = "its node was lost" }
            running.attributes["roost.exit_status"] = after.status.exitStatus.map { .number($0) }
            return [running]
        default: return []
        }
    }
}

/// The later of two moments, as far as they are known.
private func max(_ left: Timestamp?, _ right: Timestamp?) -> Timestamp? {
    guard let left, let right else { return left ?? right }
    return left < right ? right : left
}
