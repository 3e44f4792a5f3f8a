import FleetModel
import FleetStore

/// Carries out actions on a store: many in one transaction where it can be so, one by one where something is in the
/// way.
struct FleetWriter: Sendable {
    /// What became of actions.
    struct Outcome {
        /// Actions that are done, and the revision that each made.
        var done: [(action: FleetAction, revision: Int64)] = []
        /// Actions that are not: somebody else was faster, or the store can't be reached.
        var failed: [(action: FleetAction, error: StoreError)] = []
    }

    let store: any FleetStore
    let fence: Fence?

    /// Writes actions in their order. Notes are not written here.
    func perform(_ actions: [FleetAction]) async -> Outcome {
        var outcome = Outcome()
        var batch: [(FleetAction, StoreOperation)] = []
        var keys = Set<StoreKey>()
        var byteCount = 0
        for action in actions {
            guard let operation = operation(action) else { continue }
            let size = operation.valueByteCount
            // A second change of one resource must follow the first.
            let isFull = batch.count == StoreTransaction.maximumOperationCount || keys.contains(operation.key)
            if isFull || byteCount + size > StoreTransaction.maximumByteCount {
                await commit(batch, into: &outcome)
                batch = []
                keys = []
                byteCount = 0
            }
            batch.append((action, operation))
            keys.insert(operation.key)
            byteCount += size
        }
        await commit(batch, into: &outcome)
        return outcome
    }

    private func commit(_ batch: [(FleetAction, StoreOperation)], into outcome: inout Outcome) async {
        guard !batch.isEmpty else { return }
        do {
            let revision = try await store.commit(StoreTransaction(batch.map(\.1), fence: fence))
            outcome.done += batch.map { ($0.0, revision.rawValue) }
        } catch  where batch.count > 1 && error.isAboutOneKey {
            for one in batch { await commit([one], into: &outcome) }
        } catch {
            outcome.failed += batch.map { ($0.0, error) }
        }
    }

    private func operation(_ action: FleetAction) -> StoreOperation? {
        guard let reference = action.reference, let key = try? StoreKey(reference.key) else { return nil }
        switch action {
        case .create(let document):
            guard let value = try? document.storedBytes() else { return nil }
            return .create(key, value: value)
        case .replace(let document, let revision):
            guard let value = try? document.storedBytes() else { return nil }
            return .replace(key, value: value, expected: Revision(rawValue: revision))
        case .delete(_, let revision):
            return .delete(key, expected: Revision(rawValue: revision))
        case .note: return nil
        }
    }
}

extension StoreError {
    /// Whether the refusal is about one key, so that the others of a transaction may still be written.
    fileprivate var isAboutOneKey: Bool {
        switch code {
        case .conflict, .exists, .notFound, .invalid: true
        default: false
        }
    }
}

extension StoreOperation {
    fileprivate var valueByteCount: Int {
        switch self {
        case .create(_, let value), .replace(_, let value, _): value.count
        case .delete, .check: 0
        }
    }
}
