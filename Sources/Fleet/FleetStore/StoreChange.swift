/// What happened to one key.
public enum StoreEvent: Hashable, Sendable {
    /// It was created or written.
    case put(StoreEntry)
    /// It was removed.
    case delete(StoreKey)

    /// The key.
    public var key: StoreKey {
        switch self {
        case .put(let entry): entry.key
        case .delete(let key): key
        }
    }
}

/// All that one transaction did, so that no watcher sees half of it.
public struct StoreChange: Hashable, Sendable {
    /// The moment that it made.
    public let revision: Revision
    /// One event for each key, by key.
    public let events: [StoreEvent]

    /// Describes a transaction's effect.
    public init(revision: Revision, events: [StoreEvent]) {
        self.revision = revision
        self.events = events
    }

    /// The part that a watcher of a folder sees, or nil if that is nothing.
    package func restricted(to prefix: StorePrefix) -> StoreChange? {
        if prefix == .all { return self }
        let seen = events.filter { prefix.contains($0.key) }
        return seen.isEmpty ? nil : StoreChange(revision: revision, events: seen)
    }
}

/// What a watcher is told.
public enum WatchItem: Hashable, Sendable {
    /// Something changed under the prefix.
    case change(StoreChange)
    /// Everything up to this revision was delivered: a new watch may begin after it.
    case progress(Revision)

    /// Where a new watch may begin after this item.
    public var revision: Revision {
        switch self {
        case .change(let change): change.revision
        case .progress(let revision): revision
        }
    }
}
