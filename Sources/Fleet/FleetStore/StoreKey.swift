/// A path that names one object of the store: `/workloads/project/name`.
///
/// Segments are of ASCII letters, digits and `-._~:@+=`, so that keys sort the same in every engine and need no
/// quoting in a URL.
public struct StoreKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The whole path, with its leading slash.
    public let text: String

    /// Bytes that a key may have.
    public static let maximumByteCount = 1024
    /// Bytes that one segment may have.
    public static let maximumSegmentByteCount = 253

    /// Checks the path.
    public init(_ text: String) throws(StoreError) {
        guard text.utf8.first == UInt8(ascii: "/"), text.utf8.count > 1 else {
            throw .invalid("key '\(text)' does not begin with a slash and a name")
        }
        guard text.utf8.count <= StoreKey.maximumByteCount else {
            throw .invalid("a key has \(text.utf8.count) bytes; at most \(StoreKey.maximumByteCount) are allowed")
        }
        try StoreKey.checkSegments(text.utf8.dropFirst(), of: text)
        self.text = text
    }

    /// Takes a path that an engine has kept, and that was checked when it came in.
    package init(unchecked text: String) { self.text = text }

    public var description: String { text }

    public static func < (left: StoreKey, right: StoreKey) -> Bool { left.text < right.text }

    static func checkSegments(_ bytes: Substring.UTF8View, of text: String) throws(StoreError) {
        var length = 0
        var dots = 0
        for byte in bytes {
            if byte == UInt8(ascii: "/") {
                try checkSegment(length: length, dots: dots, of: text)
                length = 0
                dots = 0
                continue
            }
            guard isAllowed(byte) else {
                throw .invalid("key '\(text)' has a character that is not an ASCII letter, digit or one of -._~:@+=")
            }
            length += 1
            if byte == UInt8(ascii: ".") { dots += 1 }
        }
        try checkSegment(length: length, dots: dots, of: text)
    }

    private static func checkSegment(length: Int, dots: Int, of text: String) throws(StoreError) {
        guard length > 0 else { throw .invalid("key '\(text)' has an empty segment") }
        guard length <= maximumSegmentByteCount else {
            throw .invalid("key '\(text)' has a segment of \(length) bytes; at most 253 are allowed")
        }
        guard dots != length || dots > 2 else { throw .invalid("key '\(text)' has a segment of dots") }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"),
            UInt8(ascii: "@"), UInt8(ascii: "+"), UInt8(ascii: "="):
            true
        default: false
        }
    }
}

/// A folder of keys: `/workloads/` or `/` for all. It matches whole segments only.
public struct StorePrefix: Hashable, Sendable, CustomStringConvertible {
    /// The path, with a slash at both ends.
    public let text: String

    /// Every key.
    public static let all = StorePrefix(unchecked: "/")

    /// Checks the path, which begins and ends with a slash.
    public init(_ text: String) throws(StoreError) {
        guard text.utf8.first == UInt8(ascii: "/"), text.utf8.last == UInt8(ascii: "/") else {
            throw .invalid("prefix '\(text)' does not begin and end with a slash")
        }
        guard text.utf8.count <= StoreKey.maximumByteCount else {
            throw .invalid("a prefix has \(text.utf8.count) bytes; at most \(StoreKey.maximumByteCount) are allowed")
        }
        if text.utf8.count > 1 { try StoreKey.checkSegments(text.dropLast().utf8.dropFirst(), of: text) }
        self.text = text
    }

    private init(unchecked text: String) { self.text = text }

    /// Whether the key lies in the folder or deeper.
    public func contains(_ key: StoreKey) -> Bool { key.text.utf8.starts(with: text.utf8) }

    /// The first text behind all keys of the folder: its last byte, the slash, one up.
    package var end: String { text.dropLast() + "0" }

    public var description: String { text }
}
