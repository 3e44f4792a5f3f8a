/// Where the control plane keeps what is declared and what was decided.
///
/// Every engine gives the same guarantees, which one suite checks on all of them: reads and writes are
/// linearizable; a transaction is done whole or not at all, durably before it is acknowledged; a watch delivers
/// every change after its revision, in order, once.
public protocol FleetStore: Sendable {
    /// Reads a key as it is now; nil if it does not exist.
    func get(_ key: StoreKey) async throws(StoreError) -> StoreEntry?

    /// Reads up to `limit` objects of a folder, by key; a page never has more than 10,000. All pages that one
    /// continuation leads to show the same revision; throws `compacted` when the history does not reach back to it
    /// any more.
    func list(_ prefix: StorePrefix, limit: Int, from: StoreContinuation?) async throws(StoreError) -> StorePage

    /// Does all operations or none, and returns the revision that they made, or the store's revision if they were
    /// checks only. A cancelled task's transaction may still be done.
    @discardableResult
    func commit(_ transaction: StoreTransaction) async throws(StoreError) -> Revision

    /// Delivers every change of a folder after a revision. Throws `compacted`, here or later, when the history does
    /// not reach back so far or the watcher is too slow: then list, and watch after the list's revision.
    func watch(_ prefix: StorePrefix, after: Revision) async throws(StoreError) -> StoreWatch

    /// Forgets the history up to a revision; watches after it, and the objects of now, are not touched.
    func compact(through: Revision) async throws(StoreError)

    /// Ends all watches and gives files and connections back. Later calls throw `unavailable`.
    func close() async
}

extension FleetStore {
    /// Writes a key that must not exist.
    @discardableResult
    public func create(_ key: StoreKey, _ value: [UInt8], fence: Fence? = nil) async throws(StoreError) -> Revision {
        try await commit(StoreTransaction([.create(key, value: value)], fence: fence))
    }

    /// Compare-and-set: writes a key that must be at the expected revision.
    @discardableResult
    public func replace(
        _ key: StoreKey, _ value: [UInt8], expected: Revision, fence: Fence? = nil
    ) async throws(StoreError) -> Revision {
        try await commit(StoreTransaction([.replace(key, value: value, expected: expected)], fence: fence))
    }

    /// Removes a key that must be at the expected revision.
    @discardableResult
    public func delete(_ key: StoreKey, expected: Revision, fence: Fence? = nil) async throws(StoreError) -> Revision {
        try await commit(StoreTransaction([.delete(key, expected: expected)], fence: fence))
    }

    /// Reads a whole folder at one revision, in pages of `pageSize`; begins again when the history is compacted in
    /// between.
    public func listAll(
        _ prefix: StorePrefix, pageSize: Int = 500
    ) async throws(StoreError) -> (entries: [StoreEntry], revision: Revision) {
        var attempts = 0
        while true {
            do throws(StoreError) {
                var page = try await list(prefix, limit: pageSize, from: nil)
                var entries = page.entries
                while let next = page.continuation {
                    page = try await list(prefix, limit: pageSize, from: next)
                    entries += page.entries
                }
                return (entries, page.revision)
            } catch {
                attempts += 1
                guard error.code == .compacted, attempts < 5 else { throw error }
            }
        }
    }
}

/// What every engine makes of a list's limit.
package func checkedListLimit(_ limit: Int) throws(StoreError) -> Int {
    guard limit > 0 else { throw .invalid("a list of at most \(limit) objects; ask for at least 1") }
    return min(limit, StorePage.maximumEntryCount)
}
