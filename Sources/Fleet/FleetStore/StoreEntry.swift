/// A moment of the whole store: one number that grows with each transaction that changes something.
public struct Revision: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number; 0 is before all writes.
    public let rawValue: Int64

    /// Before all writes.
    public static let zero = Revision(rawValue: 0)

    /// Names the moment by its number.
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// The moment after this one.
    package var next: Revision { Revision(rawValue: rawValue + 1) }

    public static func < (left: Revision, right: Revision) -> Bool { left.rawValue < right.rawValue }

    public var description: String { "\(rawValue)" }
}

/// An object of the store as it was at some revision.
public struct StoreEntry: Hashable, Sendable {
    /// Its name.
    public let key: StoreKey
    /// Its bytes, which the store does not look into.
    public let value: [UInt8]
    /// When it was last written; what a compare-and-set expects.
    public let revision: Revision
    /// When it was created; differs between an object and a later one of the same name.
    public let created: Revision

    /// Describes an object.
    public init(key: StoreKey, value: [UInt8], revision: Revision, created: Revision) {
        self.key = key
        self.value = value
        self.revision = revision
        self.created = created
    }
}

/// A part of a list. All pages of a list are of one revision.
public struct StorePage: Hashable, Sendable {
    /// The objects, by key.
    public let entries: [StoreEntry]
    /// The moment that the list shows; watch after it to see every later change.
    public let revision: Revision
    /// Where the next page begins, or nil at the end.
    public let continuation: StoreContinuation?

    /// Objects that one page may have, whatever limit was asked for.
    public static let maximumEntryCount = 10_000

    /// Describes a page.
    public init(entries: [StoreEntry], revision: Revision, continuation: StoreContinuation?) {
        self.entries = entries
        self.revision = revision
        self.continuation = continuation
    }
}

/// Where a list goes on: behind a key, at the revision of its first page.
public struct StoreContinuation: Hashable, Sendable {
    /// The revision that all pages show.
    public let revision: Revision
    /// The last key of the page before.
    public let after: StoreKey

    /// Names a place in a list.
    public init(revision: Revision, after: StoreKey) {
        self.revision = revision
        self.after = after
    }
}
