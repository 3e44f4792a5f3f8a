/// One part of a transaction.
public enum StoreOperation: Hashable, Sendable {
    /// Writes a key that must not exist.
    case create(StoreKey, value: [UInt8])
    /// Compare-and-set: writes a key that must be at the expected revision.
    case replace(StoreKey, value: [UInt8], expected: Revision)
    /// Removes a key that must be at the expected revision.
    case delete(StoreKey, expected: Revision)
    /// Writes nothing; the key must be at the expected revision, or absent if that is nil.
    case check(StoreKey, expected: Revision?)

    /// The key that it is about.
    public var key: StoreKey {
        switch self {
        case .create(let key, _), .replace(let key, _, _), .delete(let key, _), .check(let key, _): key
        }
    }

    /// Whether it changes the store.
    public var isWrite: Bool {
        if case .check = self { false } else { true }
    }

    /// The revision that it expects, if it expects the key to exist.
    fileprivate var expected: Revision? {
        switch self {
        case .create, .check(_, nil): nil
        case .replace(_, _, let revision), .delete(_, let revision), .check(_, .some(let revision)): revision
        }
    }

    /// What the operation has against the key as it is now, or nil if it may be done.
    package func refusal(current: Revision?) -> StoreError? {
        guard let expected else { return current.map { .exists(key, current: $0) } }
        guard let current else { return .notFound(key) }
        return current == expected ? nil : .conflict(key, expected: expected, current: current)
    }
}

/// Says in whose name a leader writes. The store refuses it once a newer leader has been elected.
public struct Fence: Hashable, Sendable {
    /// The election's name, one segment of a key.
    public let election: String
    /// Which leadership of that election: the count of its transitions.
    public let epoch: Int64

    /// Names a leadership.
    public init(election: String, epoch: Int64) {
        self.election = election
        self.epoch = epoch
    }
}

/// Operations that are done all or not at all, at one revision.
public struct StoreTransaction: Hashable, Sendable {
    /// What to do; no two operations about one key.
    public var operations: [StoreOperation]
    /// In whose name, if a leader writes.
    public var fence: Fence?

    /// Operations that a transaction may have, as many as etcd takes; a fence counts as one.
    public static let maximumOperationCount = 128
    /// Bytes that one value may have: half of what etcd takes as a whole request.
    public static let maximumValueByteCount = 512 * 1024
    /// Bytes that all values of a transaction may have, base64 and keys left aside.
    public static let maximumByteCount = 1024 * 1024

    /// Puts operations together.
    public init(_ operations: [StoreOperation], fence: Fence? = nil) {
        self.operations = operations
        self.fence = fence
    }

    /// Throws if no engine may accept it, whatever the store holds.
    package func validate() throws(StoreError) {
        guard !operations.isEmpty else { throw .invalid("a transaction without operations") }
        let count = operations.count + (fence == nil ? 0 : 1)
        guard count <= StoreTransaction.maximumOperationCount else {
            throw .invalid("a transaction of \(count) operations, its fence counted; at most 128 are allowed")
        }
        if let fence { _ = try ElectionKeys(fence.election) }
        var keys = Set<StoreKey>()
        var byteCount = 0
        for operation in operations {
            guard keys.insert(operation.key).inserted else {
                throw .invalid("a transaction names \(operation.key) twice")
            }
            if let expected = operation.expected, expected <= .zero {
                throw .invalid("\(operation.key) cannot be expected at revision \(expected): revisions begin at 1")
            }
            switch operation {
            case .create(_, let value), .replace(_, let value, _):
                byteCount += value.count
                guard value.count <= StoreTransaction.maximumValueByteCount else {
                    throw .invalid("the value of \(operation.key) has \(value.count) bytes; at most 524288 are allowed")
                }
            case .delete, .check: break
            }
        }
        guard byteCount <= StoreTransaction.maximumByteCount else {
            throw .invalid("a transaction with values of \(byteCount) bytes; at most 1048576 are allowed")
        }
    }
}
