import Synchronization

/// Spans on their way out: takes them at once, never waits, and drops them when it is full.
public final class SpanQueue: Sendable {
    /// What became of spans.
    public struct Counts: Sendable, Hashable {
        /// Those that the collector took.
        public var exported = 0
        /// Those that found the queue full.
        public var dropped = 0
        /// Those that the collector did not take.
        public var failed = 0
    }

    private struct State {
        var spans: [Span] = []
        var counts = Counts()
    }

    private let capacity: Int
    private let state = Mutex(State())
    /// Numbers that nobody can guess.
    public let random: @Sendable () -> UInt64

    /// Makes a queue of so many spans at most.
    public init(capacity: Int = 8192, random: @escaping @Sendable () -> UInt64) {
        self.capacity = capacity
        self.random = random
    }

    /// What became of spans so far.
    public var counts: Counts { state.withLock { $0.counts } }

    /// Takes a span, unless its trace is not recorded.
    public func record(_ span: Span) {
        guard span.context.isSampled else { return }
        state.withLock { state in
            if state.spans.count < capacity { state.spans.append(span) } else { state.counts.dropped += 1 }
        }
    }

    /// The oldest spans, at most so many; they are out of the queue then.
    public func take(_ count: Int) -> [Span] {
        state.withLock { state in
            let taken = Array(state.spans.prefix(count))
            state.spans.removeFirst(taken.count)
            return taken
        }
    }

    /// Counts spans that left.
    public func count(exported: Int = 0, failed: Int = 0) {
        state.withLock { state in
            state.counts.exported += exported
            state.counts.failed += failed
        }
    }
}
