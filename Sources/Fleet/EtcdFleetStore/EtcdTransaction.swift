import FleetStore

/// A transaction as etcd does it: conditions, what to do if all hold, and what to read if one does not.
///
/// A fence is a transaction around the rest, so that its refusal can be told from others.
struct EtcdTransaction {
    private let transaction: StoreTransaction
    private let namespace: String

    init(_ transaction: StoreTransaction, namespace: String) {
        self.transaction = transaction
        self.namespace = namespace
    }

    func request() throws(StoreError) -> EtcdMessage.TransactionRequest {
        let inner = EtcdMessage.TransactionRequest(
            compare: transaction.operations.map(condition),
            // etcd tells events in the order of its operations.
            success: transaction.operations.sorted { $0.key < $1.key }.compactMap(effect),
            failure: transaction.operations.map { operation in
                .init(request_range: .init(key: name(operation.key), keys_only: true))
            })
        guard let fence = transaction.fence else { return inner }
        let epoch = name(try electionEpochKey(fence.election))
        return EtcdMessage.TransactionRequest(
            compare: [.init(key: epoch, target: "VALUE", value: EtcdBytes(electionEpochValue(fence.epoch)))],
            success: [.init(request_txn: inner)], failure: [.init(request_range: .init(key: epoch))])
    }

    /// Why the transaction was not done, or nil if it was.
    func refusal(_ answer: EtcdMessage.TransactionResponse) throws(StoreError) -> StoreError? {
        let isDone = answer.succeeded == true
        let ranges: [EtcdMessage.RangeResponse?]
        if let fence = transaction.fence {
            guard isDone else {
                let epoch = answer.responses?.first?.response_range?.kvs?.first?.value?.bytes
                do throws(StoreError) { try checkFence(fence, epochValue: epoch) } catch { return error }
                return StoreError(.unavailable, "etcd refused the transaction and does not say why")
            }
            let inner = answer.responses?.first?.response_txn
            if inner?.succeeded == true { return nil }
            ranges = inner?.responses?.map(\.response_range) ?? []
        } else {
            if isDone { return nil }
            ranges = answer.responses?.map(\.response_range) ?? []
        }
        for (operation, range) in zip(transaction.operations, ranges) {
            let current = range?.kvs?.first?.mod_revision.map { Revision(rawValue: $0.value) }
            if let refusal = operation.refusal(current: current) { return refusal }
        }
        return StoreError(.unavailable, "etcd refused the transaction and does not say why")
    }

    private func condition(_ operation: StoreOperation) -> EtcdMessage.Compare {
        switch operation {
        case .create(let key, _), .check(let key, nil):
            .init(key: name(key), target: "CREATE", create_revision: EtcdNumber(0))
        case .replace(let key, _, let expected), .delete(let key, let expected), .check(let key, .some(let expected)):
            .init(key: name(key), target: "MOD", mod_revision: EtcdNumber(expected.rawValue))
        }
    }

    private func effect(_ operation: StoreOperation) -> EtcdMessage.Operation? {
        switch operation {
        case .create(let key, let value), .replace(let key, let value, _):
            .init(request_put: .init(key: name(key), value: EtcdBytes(value)))
        case .delete(let key, _): .init(request_delete_range: .init(key: name(key)))
        case .check: nil
        }
    }

    private func name(_ key: StoreKey) -> EtcdBytes { EtcdBytes(namespace + key.text) }
}
