import Synchronization

/// One watch of a hub: first the history up to the moment that it joined, then what the hub delivers.
package final class HubWatcher: WatchSource {
    private typealias Answer = Result<WatchItem?, StoreError>

    private struct State {
        /// Everything up to here was handed out, or is waiting in `backlog`.
        var cursor: Revision
        var backlog: ArraySlice<StoreChange> = []
        var live: [WatchItem] = []
        var head = 0
        /// The revision of the last item of `live`, or of the last one that was taken from it.
        var reported: Revision
        var failure: StoreError?
        var isCancelled = false
        var reader: CheckedContinuation<Answer, Never>?

        var liveCount: Int { live.count - head }

        mutating func take() -> WatchItem? {
            guard head < live.count else { return nil }
            defer {
                head += 1
                if head == live.count {
                    live.removeAll(keepingCapacity: true)
                    head = 0
                } else if head >= 1024 {
                    live.removeFirst(head)
                    head = 0
                }
            }
            return live[head]
        }
    }

    private enum Step {
        case answer(Answer)
        case readHistory(after: Revision)
        case wait
    }

    let prefix: StorePrefix
    private let joining: Revision
    private let limits: WatchHub.Limits
    private let history: HistoryReader
    private let leave: @Sendable (HubWatcher) -> Void
    private let state: Mutex<State>

    package init(
        prefix: StorePrefix, after: Revision, joining: Revision, limits: WatchHub.Limits,
        history: @escaping HistoryReader, leave: @escaping @Sendable (HubWatcher) -> Void
    ) {
        self.prefix = prefix
        self.joining = joining
        self.limits = limits
        self.history = history
        self.leave = leave
        state = Mutex(State(cursor: after, reported: max(after, joining)))
    }

    /// Takes what there is; `through` is where the store stands. False when nobody will read it.
    @discardableResult
    package func deliver(_ changes: [StoreChange], through: Revision) -> Bool {
        let (isRead, reader, answer) = state.withLock { state -> (Bool, CheckedContinuation<Answer, Never>?, Answer?) in
            guard state.failure == nil, !state.isCancelled else { return (false, nil, nil) }
            // A watch may begin after a revision that was read from the engine before the hub heard of it.
            for change in changes where change.revision > state.reported {
                state.live.append(.change(change))
                state.reported = change.revision
            }
            if through.rawValue - state.reported.rawValue >= limits.progressInterval {
                if case .progress? = state.live.last, state.liveCount > 0 { state.live.removeLast() }
                state.live.append(.progress(through))
                state.reported = through
            }
            if state.liveCount > limits.buffer {
                state.live = []
                state.head = 0
                state.failure = .lagged(capacity: limits.buffer)
            }
            guard let reader = state.reader else { return (true, nil, nil) }
            let answer: Answer? = state.failure.map { .failure($0) } ?? state.take().map { .success($0) }
            if answer != nil { state.reader = nil }
            return (true, reader, answer)
        }
        if let reader, let answer { reader.resume(returning: answer) }
        return isRead
    }

    /// Ends the watch with an error.
    package func fail(_ error: StoreError) {
        let reader = state.withLock { state in
            if state.failure == nil { state.failure = error }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: .failure(error))
    }

    package func cancel() {
        let reader = state.withLock { state in
            state.isCancelled = true
            state.live = []
            state.head = 0
            defer { state.reader = nil }
            return state.reader
        }
        leave(self)
        reader?.resume(returning: .success(nil))
    }

    package func next() async throws(StoreError) -> WatchItem? {
        while true {
            let step = state.withLock { nextStep(&$0) }
            switch step {
            case .answer(let answer): return try answer.get()
            case .readHistory(let after):
                let page = try await history(prefix, after, joining, 1024)
                state.withLock { state in
                    state.backlog = page.changes[...]
                    state.cursor = page.reached
                }
                if page.changes.isEmpty, page.reached >= joining { return .progress(joining) }
            case .wait: return try await waitForLive().get()
            }
        }
    }

    private func nextStep(_ state: inout State) -> Step {
        if state.isCancelled || Task.isCancelled { return .answer(.success(nil)) }
        // What was too much is lost, but what stands before it is still in order; the error comes behind it.
        if let change = state.backlog.popFirst() { return .answer(.success(.change(change))) }
        if let failure = state.failure { return .answer(.failure(failure)) }
        if state.cursor < joining { return .readHistory(after: state.cursor) }
        if let item = state.take() { return .answer(.success(item)) }
        return .wait
    }

    private func waitForLive() async -> Answer {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Answer? = state.withLock { state in
                    switch nextStep(&state) {
                    case .answer(let answer): return answer
                    case .readHistory, .wait:
                        state.reader = continuation
                        return nil
                    }
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: .success(nil))
        }
    }
}
