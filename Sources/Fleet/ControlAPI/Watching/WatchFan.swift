import FleetModel
import FleetStore
import Synchronization

/// One kind's changes: read once from the store, encoded once, handed to everybody who watches.
final class WatchFan: Sendable {
    /// What a fan keeps and how it waits.
    struct Limits: Sendable {
        /// Changes that are kept, so that watchers can begin in the past.
        var history = 2048
        /// Changes that wait for one watcher at most.
        var buffer = 1024
        /// How far in the past it begins, in revisions.
        var lookBack: Int64 = 10_000
        /// How often watchers hear how far everything is.
        var progressInterval = Duration.seconds(15)
        /// How long it waits before it asks a store again that failed.
        var pause = Duration.seconds(1)
    }

    private struct State {
        var readers: [ObjectIdentifier: WatchReader] = [:]
        var recent: [WatchLine] = []
        /// Everything after this revision is in `recent`; nil while the store is not watched.
        var base: Int64?
        var reached: Int64 = 0
        var isClosed = false
    }

    private let kind: ResourceKind
    private let store: any FleetStore
    private let surroundings: Surroundings
    private let limits: Limits
    private let state = Mutex(State())

    init(_ kind: ResourceKind, store: any FleetStore, surroundings: Surroundings, limits: Limits = Limits()) {
        self.kind = kind
        self.store = store
        self.surroundings = surroundings
        self.limits = limits
    }

    /// Begins a watch after a revision; throws `compacted` where the history does not reach back to it.
    func join(after revision: Int64) throws -> WatchReader {
        try state.withLock { state in
            guard let base = state.base, !state.isClosed else {
                throw Problem(.unavailable, "the store can't be watched now; try again").retrying(afterSeconds: 1)
            }
            guard revision >= base else {
                throw Problem(
                    .compacted, "revision \(revision) is too old, the history begins after \(base); list again")
            }
            let reader = WatchReader(after: revision, capacity: limits.buffer, backlog: state.recent)
            state.readers[ObjectIdentifier(reader)] = reader
            return reader
        }
    }

    /// Ends a watch.
    func leave(_ reader: WatchReader) {
        state.withLock { _ = $0.readers.removeValue(forKey: ObjectIdentifier(reader)) }
        reader.close(nil)
    }

    /// How many watch, and how far the changes are read.
    var readerCount: Int { state.withLock { $0.readers.count } }
    var reached: Int64 { state.withLock { $0.reached } }
    var isWatching: Bool { state.withLock { $0.base != nil } }

    /// Reads the store's changes until the task is cancelled.
    func run() async {
        await withTaskGroup { group in
            group.addTask { await self.follow() }
            group.addTask {
                while (try? await self.surroundings.sleep(self.limits.progressInterval)) != nil { self.tick() }
            }
            await group.waitForAll()
        }
        close()
    }

    /// Tells everybody how far everything is.
    func tick() {
        let (readers, reached) = state.withLock { ($0.readers.values.map(\.self), $0.reached) }
        for reader in readers { reader.progress(reached) }
    }

    /// Ends all watches; their clients come again, here or elsewhere.
    func close() {
        let readers = state.withLock { state in
            state.isClosed = true
            defer { state.readers = [:] }
            return state.readers.values.map(\.self)
        }
        let problem = Problem(.unavailable, "the server stops; watch again from the last revision")
        for reader in readers { reader.close(problem.retrying(afterSeconds: 1)) }
    }

    private func follow() async {
        while !Task.isCancelled {
            do throws(StoreError) {
                for try await item in try await begin() { take(item) }
            } catch {
                fail(Problem(error))
            }
            if (try? await surroundings.sleep(limits.pause)) == nil { return }
        }
    }

    private func begin() async throws(StoreError) -> StoreWatch {
        let prefix = try StorePrefix("/\(kind.plural)/")
        let now = try await store.list(prefix, limit: 1, from: nil).revision.rawValue
        var after = max(0, now - limits.lookBack)
        let watch: StoreWatch
        do throws(StoreError) {
            watch = try await store.watch(prefix, after: Revision(rawValue: after))
        } catch {
            guard error.code == .compacted else { throw error }
            after = now
            watch = try await store.watch(prefix, after: Revision(rawValue: after))
        }
        state.withLock { state in
            state.base = after
            state.reached = max(after, state.reached)
            state.recent = []
        }
        return watch
    }

    private func take(_ item: WatchItem) {
        var lines: [WatchLine] = []
        if case .change(let change) = item {
            lines = change.events.compactMap { WatchFan.line($0, revision: change.revision.rawValue) }
        }
        let readers = state.withLock { state in
            state.reached = item.revision.rawValue
            state.recent += lines
            if state.recent.count > limits.history {
                let surplus = state.recent.count - limits.history / 2
                state.base = state.recent[surplus - 1].revision
                state.recent.removeFirst(surplus)
            }
            return lines.isEmpty ? [] : state.readers.values.map(\.self)
        }
        for reader in readers { reader.offer(lines) }
    }

    private func fail(_ problem: Problem) {
        let readers = state.withLock { state in
            state.base = nil
            defer { state.readers = [:] }
            return state.readers.values.map(\.self)
        }
        for reader in readers { reader.close(problem) }
    }

    private static func line(_ event: StoreEvent, revision: Int64) -> WatchLine? {
        switch event {
        case .put(let entry): StoredText(entry).flatMap { try? WatchLine(put: $0) }
        case .delete(let key):
            ResourceReference(key: key.text).map { WatchLine(deletionOf: $0, revision: revision) }
        }
    }
}
