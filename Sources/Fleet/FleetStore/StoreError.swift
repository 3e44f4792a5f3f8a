/// Why the store did not do what it was asked to.
public struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of reason it is; what a caller decides by.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The key that a write expects is not there.
        case notFound
        /// The key has another revision than the write expects.
        case conflict
        /// The key that was to be created is there already.
        case exists
        /// The history does not reach back so far any more, or the watcher was too slow: list again.
        case compacted
        /// A newer leader has been elected; the writer must stop acting.
        case fenced
        /// The store could not be asked, or refused for now; nothing was written.
        case unavailable
        /// The write may have been done or not; only reading tells.
        case unknownOutcome
        /// The request breaks a rule of the store and will always be refused.
        case invalid
        /// What the engine keeps on disk is damaged, or was written by a newer version.
        case damaged
    }

    /// The kind of reason.
    public let code: Code
    /// What happened, with which value, and what to do next.
    public let message: String
    /// The key that it is about.
    public let key: StoreKey?
    /// With `conflict` and `exists` the key's revision now, with `compacted` the oldest revision that a watch may
    /// start after.
    public let revision: Revision?

    /// Describes a refusal.
    public init(_ code: Code, _ message: String, key: StoreKey? = nil, revision: Revision? = nil) {
        self.code = code
        self.message = message
        self.key = key
        self.revision = revision
    }

    public var description: String { "\(code.rawValue): \(message)" }
}

extension StoreError {
    /// The key is not there.
    public static func notFound(_ key: StoreKey) -> StoreError {
        StoreError(.notFound, "\(key) does not exist", key: key)
    }

    /// The key was changed by somebody else.
    public static func conflict(_ key: StoreKey, expected: Revision, current: Revision) -> StoreError {
        StoreError(
            .conflict, "\(key) is at revision \(current), not \(expected): read it again", key: key, revision: current)
    }

    /// The key was created by somebody else.
    public static func exists(_ key: StoreKey, current: Revision) -> StoreError {
        StoreError(.exists, "\(key) exists already, at revision \(current)", key: key, revision: current)
    }

    /// The history begins behind what was asked for.
    public static func compacted(_ asked: Revision, oldest: Revision) -> StoreError {
        StoreError(
            .compacted, "compacted: list again (asked for revision \(asked), history begins after \(oldest))",
            revision: oldest)
    }

    /// A watcher did not take its changes in time.
    public static func lagged(capacity: Int) -> StoreError {
        StoreError(.compacted, "compacted: list again (the watcher fell more than \(capacity) changes behind)")
    }

    /// Somebody asked for a revision that this store has not reached.
    public static func future(_ asked: Revision, current: Revision) -> StoreError {
        StoreError(
            .compacted,
            "compacted: list again (revision \(asked) is ahead of the store's \(current); is it another store?)",
            revision: current)
    }

    /// A newer epoch has been elected.
    public static func fenced(_ fence: Fence, current: Int64?) -> StoreError {
        let now = current.map { "epoch \($0) has been elected" } ?? "nobody has been elected"
        return StoreError(
            .fenced,
            "the write carries epoch \(fence.epoch) of election '\(fence.election)', but \(now): stop acting as leader")
    }

    /// The request breaks a rule.
    public static func invalid(_ message: String) -> StoreError { StoreError(.invalid, message) }

    /// The store was closed.
    public static let closed = StoreError(.unavailable, "the store is closed")
}
