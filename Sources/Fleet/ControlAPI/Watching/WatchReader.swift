import FleetModel
import NIOCore
import Synchronization

/// A change as watchers get it: encoded once, shared by all.
struct WatchLine: Sendable {
    let revision: Int64
    let reference: ResourceReference
    /// The resource; nil where it was deleted.
    let text: StoredText?
    /// The line, with its end.
    let bytes: ByteBuffer

    init(put text: StoredText) throws {
        revision = text.revision
        reference = text.reference
        self.text = text
        bytes = ByteBuffer(bytes: Array(#"{"type":"PUT","object":"#.utf8) + (try text.text()) + Array("}\n".utf8))
    }

    init(deletionOf reference: ResourceReference, revision: Int64) {
        self.revision = revision
        self.reference = reference
        text = nil
        let project = reference.project.map { ",\"project\":\"\($0)\"" } ?? ""
        bytes = ByteBuffer(
            string: """
                {"type":"DELETE","object":{"kind":"\(reference.kind.rawValue)","metadata":\
                {"name":"\(reference.name)"\(project),"revision":\(revision)}}}

                """)
    }

    static func progress(_ revision: Int64) -> ByteBuffer {
        ByteBuffer(string: "{\"type\":\"PROGRESS\",\"revision\":\(revision)}\n")
    }

    static func failure(_ problem: Problem) -> ByteBuffer {
        let text = (try? jsonBytes(problem)) ?? Array("{}".utf8)
        return ByteBuffer(bytes: Array(#"{"type":"ERROR","problem":"#.utf8) + text + Array("}\n".utf8))
    }
}

/// What waits for one watcher. A watcher that does not keep up is told to list again; nobody waits for it.
final class WatchReader: Sendable {
    /// What a watcher gets next.
    enum Item: Sendable {
        case line(WatchLine)
        /// Everything up to here was handed over.
        case progress(Int64)
    }

    private struct State {
        var items: [Item] = []
        var failure: Problem?
        var isClosed = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let capacity: Int
    private let after: Int64
    private let state: Mutex<State>

    init(after: Int64, capacity: Int, backlog: [WatchLine] = []) {
        self.after = after
        self.capacity = capacity
        state = Mutex(State(items: backlog.filter { $0.revision > after }.map(Item.line)))
    }

    /// Hands lines over, in their order.
    func offer(_ lines: [WatchLine]) {
        wake { state in
            for line in lines where line.revision > after { state.items.append(.line(line)) }
            guard state.items.count > capacity else { return }
            state.items = []
            state.failure = Problem(
                .compacted, "the watcher fell more than \(capacity) changes behind; list again, and watch from there")
        }
    }

    /// Says how far everything was handed over; a watcher that is behind need not know.
    func progress(_ revision: Int64) {
        wake { state in
            if state.items.isEmpty { state.items.append(.progress(max(revision, after))) }
        }
    }

    /// Ends the watch.
    func close(_ problem: Problem?) {
        wake { state in
            state.isClosed = true
            if state.failure == nil { state.failure = problem }
        }
    }

    /// Waits for what comes next; nil at the end. Throws a problem once all before it was handed over.
    func next() async throws -> [Item]? {
        while true {
            let (items, failure, isClosed) = state.withLock { state in
                defer { state.items = [] }
                return (state.items, state.items.isEmpty ? state.failure : nil, state.isClosed)
            }
            if !items.isEmpty { return items }
            if let failure { throw failure }
            if isClosed || Task.isCancelled { return nil }
            await wait()
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    guard state.items.isEmpty, state.failure == nil, !state.isClosed, !Task.isCancelled else {
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            wake { $0.isClosed = true }
        }
    }

    private func wake(_ change: (inout State) -> Void) {
        let waiter = state.withLock { state in
            guard !state.isClosed, state.failure == nil else { return nil as CheckedContinuation<Void, Never>? }
            change(&state)
            let isReady = !state.items.isEmpty || state.failure != nil || state.isClosed
            guard isReady else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
