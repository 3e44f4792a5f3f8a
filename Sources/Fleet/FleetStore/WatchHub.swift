import Synchronization

/// Reads the history of an engine for a watch that begins in the past.
package typealias HistoryReader =
    @Sendable (_ prefix: StorePrefix, _ after: Revision, _ through: Revision, _ limit: Int) async throws(StoreError)
    -> HistoryPage

/// Hands each committed change to the watches of this process.
///
/// An engine calls `publish` in the order of revisions. A publisher never waits for a reader: a watch whose buffer
/// is full is told to list again.
package final class WatchHub: Sendable {
    private struct State {
        var revision: Revision
        var watchers: [StorePrefix: [ObjectIdentifier: HubWatcher]] = [:]
        var closing: StoreError?
    }

    /// What watches of one engine may use.
    package struct Limits: Sendable {
        /// Items that wait for a slow reader at most.
        package var buffer = 4096
        /// A mark is sent when so many revisions brought nothing for a watch.
        package var progressInterval: Int64 = 256

        package init(buffer: Int = 4096, progressInterval: Int64 = 256) {
            self.buffer = buffer
            self.progressInterval = progressInterval
        }
    }

    private let state: Mutex<State>
    private let limits: Limits

    /// Begins after what the engine holds already.
    package init(revision: Revision, limits: Limits = Limits()) {
        state = Mutex(State(revision: revision))
        self.limits = limits
    }

    /// Hands changes, in the order of their revisions, to whom they concern.
    package func publish(_ changes: [StoreChange]) {
        guard let last = changes.last?.revision else { return }
        state.withLock { state in
            state.revision = last
            for (prefix, watchers) in state.watchers {
                let seen = changes.compactMap { $0.restricted(to: prefix) }
                for watcher in watchers.values { watcher.deliver(seen, through: last) }
            }
        }
    }

    /// Begins a watch. What lies between `after` and now is read by `history` as the reader asks for it.
    package func watch(
        _ prefix: StorePrefix, after: Revision, history: @escaping HistoryReader
    ) throws(StoreError) -> StoreWatch {
        let watcher: HubWatcher = try state.withLock { state throws(StoreError) in
            if let closing = state.closing { throw closing }
            let watcher = HubWatcher(
                prefix: prefix, after: after, joining: state.revision, limits: limits, history: history
            ) { [weak self] watcher in self?.remove(watcher) }
            state.watchers[prefix, default: [:]][ObjectIdentifier(watcher)] = watcher
            return watcher
        }
        return StoreWatch(watcher)
    }

    /// Ends all watches with an error, and refuses new ones with it.
    package func close(_ error: StoreError) {
        let watchers = state.withLock { state in
            state.closing = error
            defer { state.watchers = [:] }
            return state.watchers.values.flatMap(\.values)
        }
        for watcher in watchers { watcher.fail(error) }
    }

    /// Watches that are open.
    package var watcherCount: Int { state.withLock { $0.watchers.values.reduce(0) { $0 + $1.count } } }

    private func remove(_ watcher: HubWatcher) {
        state.withLock { state in
            state.watchers[watcher.prefix]?[ObjectIdentifier(watcher)] = nil
            if state.watchers[watcher.prefix]?.isEmpty == true { state.watchers[watcher.prefix] = nil }
        }
    }
}
