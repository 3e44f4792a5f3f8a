/// The changes of a folder, in the order of their revisions, each once. For one reader.
///
/// It never ends by itself: it throws when it cannot go on, and ends when its task is cancelled or it is let go.
public struct StoreWatch: AsyncSequence, Sendable {
    public typealias Element = WatchItem
    public typealias Failure = StoreError

    private let subscription: WatchSubscription

    /// Reads from what an engine delivers.
    package init(_ source: any WatchSource) {
        subscription = WatchSubscription(source)
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: subscription) }

    /// Reads one watch.
    public struct AsyncIterator: AsyncIteratorProtocol {
        public typealias Element = WatchItem
        public typealias Failure = StoreError

        fileprivate let subscription: WatchSubscription

        /// Waits for what comes next; nil when the task is cancelled.
        public mutating func next() async throws(StoreError) -> WatchItem? {
            try await subscription.source.next()
        }

        /// Waits for what comes next; nil when the task is cancelled.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> WatchItem? {
            try await subscription.source.next()
        }
    }
}

/// What an engine delivers to one watch.
package protocol WatchSource: AnyObject, Sendable {
    /// Waits for the next item. Called by one task at a time; returns nil when that is cancelled.
    func next() async throws(StoreError) -> WatchItem?

    /// The reader is gone.
    func cancel()
}

/// Tells the engine when nobody can read the watch any more.
private final class WatchSubscription: Sendable {
    let source: any WatchSource

    init(_ source: any WatchSource) { self.source = source }

    deinit { source.cancel() }
}
