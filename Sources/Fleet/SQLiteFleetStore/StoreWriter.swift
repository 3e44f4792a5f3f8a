import FleetStore
import Foundation
import Primitives

// SAFETY: the connection and the counts are touched by `init` and then by the writer's thread alone; the queue is
// behind its condition.
/// The one thread that writes. Requests that arrive while it commits share the next commit, so that many writers
/// pay for one fsync.
final class StoreWriter: @unchecked Sendable {
    /// What a caller asks for, and where its answer goes.
    enum Request: Sendable {
        case commit(StoreTransaction, CheckedContinuation<Result<Revision, StoreError>, Never>)
        case compact(through: Revision, CheckedContinuation<Result<Revision, StoreError>, Never>)

        var answer: CheckedContinuation<Result<Revision, StoreError>, Never> {
            switch self {
            case .commit(_, let answer), .compact(_, let answer): answer
            }
        }
    }

    /// Requests that share a commit at most; bounds how long the first of them waits.
    static let maximumBatchCount = 1024

    private let connection: SQLiteConnection
    private var history: StoreHistoryKeeper
    private let hub: WatchHub
    private let condition = NSCondition()
    private var queue: [Request] = []
    private var isClosing = false
    private var whenClosed: [CheckedContinuation<Void, Never>] = []
    private var isClosed = false

    init(connection: SQLiteConnection, hub: WatchHub, options: SQLiteFleetStore.Options) throws(StoreError) {
        self.connection = connection
        self.hub = hub
        history = try StoreHistoryKeeper(connection, options: options)
    }

    /// Starts the thread; it holds the writer until `close`.
    func start() throws(StoreError) {
        guard OSThread.start("store-writer", { self.work() }) != nil else {
            throw StoreError(.unavailable, "the system refuses a thread for the store's writer")
        }
    }

    func commit(_ transaction: StoreTransaction) async throws(StoreError) -> Revision {
        try await withCheckedContinuation { submit(.commit(transaction, $0)) }.get()
    }

    func compact(through: Revision) async throws(StoreError) {
        _ = try await withCheckedContinuation { submit(.compact(through: through, $0)) }.get()
    }

    /// Does what was asked for so far, then ends the thread.
    func close() async {
        await withCheckedContinuation { continuation in
            let isDone = condition.withLock {
                isClosing = true
                condition.signal()
                if !isClosed { whenClosed.append(continuation) }
                return isClosed
            }
            if isDone { continuation.resume() }
        }
    }

    private func submit(_ request: Request) {
        let isAccepted = condition.withLock {
            guard !isClosing else { return false }
            queue.append(request)
            if queue.count == 1 { condition.signal() }
            return true
        }
        if !isAccepted { request.answer.resume(returning: .failure(.closed)) }
    }

    private func work() {
        while let batch = nextBatch() { perform(batch) }
        let waiting = condition.withLock {
            isClosed = true
            defer { whenClosed = [] }
            return whenClosed
        }
        for continuation in waiting { continuation.resume() }
    }

    private func nextBatch() -> [Request]? {
        condition.withLock {
            while queue.isEmpty {
                if isClosing { return nil }
                condition.wait()
            }
            let batch = Array(queue.prefix(StoreWriter.maximumBatchCount))
            queue.removeFirst(batch.count)
            return batch
        }
    }

    /// One commit for all requests. A refused request changes nothing, so the others need not know of it.
    private func perform(_ batch: [Request]) {
        var results: [Result<Revision, StoreError>] = []
        var changes: [StoreChange] = []
        var isCommitting = false
        do throws(StoreError) {
            try connection.run("BEGIN IMMEDIATE")
            try history.begin()
            for request in batch {
                switch request {
                case .commit(let transaction, _):
                    let outcome = try history.apply(transaction)
                    if case .success(.some(let change)) = outcome { changes.append(change) }
                    results.append(outcome.map { [revision = history.revision] _ in revision })
                case .compact(let through, _):
                    try history.compact(through: through)
                    results.append(.success(history.compacted))
                }
            }
            try history.finish()
            isCommitting = true
            try connection.run("COMMIT")
        } catch {
            try? connection.run("ROLLBACK")
            history.forget()
            results = batch.indices.map { index in
                // Nothing of the batch counts, so neither do refusals that rest on what it wrote.
                guard isCommitting, case .success = results[index] else { return .failure(error) }
                return .failure(
                    StoreError(.unknownOutcome, "the commit failed, and may be found done later: \(error.message)"))
            }
            changes = []
        }
        hub.publish(changes)
        for (request, result) in zip(batch, results) { request.answer.resume(returning: result) }
    }
}
