import FleetModel
import Foundation

/// A part of an address or a header that a route reads.
struct Parameter: Sendable {
    enum Place: String, Sendable {
        case path, query, header
    }

    /// What its text may be.
    enum Form: Sendable {
        case name
        /// A name, in `metadata.name`'s rules, or another id.
        case token
        case integer(ClosedRange<Int64>)
        case boolean
        /// `a=b,c!=d,e,!f`.
        case selector
        case text(max: Int)
        /// Base64 as it stands in addresses, without padding.
        case base64(max: Int)
        /// One entity tag, or `*`.
        case entityTag
        /// A length of time.
        case span
        /// A moment, or how long it is ago.
        case moment
    }

    let name: String
    let place: Place
    let form: Form
    let summary: String
    /// Whether a query must have it; paths always do.
    var isRequired = false

    /// Why a value is wrong; nil where it is right.
    func objection(to value: String) -> String? {
        switch form {
        case .name: return Names.objection(value)
        case .token:
            let isRight = value.wholeMatch(of: /[0-9a-z]{1,32}/) != nil
            return isRight ? nil : "must be 1 to 32 of 0-9 and a-z"
        case .integer(let range):
            // Int64 reads a leading plus, which the document does not allow.
            guard value.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }), let number = Int64(value), range.contains(number)
            else { return "must be a whole number from \(range.lowerBound) to \(range.upperBound)" }
            return nil
        case .boolean: return value == "true" || value == "false" ? nil : "must be true or false"
        case .selector: return LabelSelector(value) == nil ? "must be like a=b,c!=d,e,!f" : nil
        case .text(let max):
            return (1...max).contains(value.unicodeScalars.count) ? nil : "must have 1 to \(max) characters"
        case .base64(let max):
            let isRight = (1...max).contains(value.utf8.count) && value.utf8.allSatisfy(Parameter.isBase64)
            return isRight ? nil : "must be 1 to \(max) of A-Z, a-z, 0-9, - and _"
        case .span:
            return TimeSpan(value) == nil ? "must be a time such as 10s or 5m" : nil
        case .moment:
            let isRight = Timestamp(value) != nil || TimeSpan(value) != nil
            return isRight ? nil : "must be a moment such as 2026-12-01T12:00:00Z, or how long it is ago, such as 6h"
        case .entityTag: return EntityTag(value) == nil ? "must be an entity tag such as \"17\", or *" : nil
        }
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension Parameter {
    static let project = Parameter(name: "project", place: .path, form: .name, summary: "The project.")
    static let name = Parameter(name: "name", place: .path, form: .name, summary: "The name.")
    static let id = Parameter(name: "id", place: .path, form: .token, summary: "The token's id.")
    static let labels = Parameter(
        name: "labels", place: .query, form: .selector,
        summary: "Only what has these labels: a=b, a!=b, a (has it), !a (has it not), joined by commas.")
    static let limit = Parameter(
        name: "limit", place: .query, form: .integer(1...1000), summary: "The most items; 500 without it.")
    static let `continue` = Parameter(
        name: "continue", place: .query, form: .base64(max: 2048),
        summary: "Goes on where another answer ended, at the same revision: its metadata.continue.")
    static let watch = Parameter(
        name: "watch", place: .query, form: .boolean,
        summary: "Streams changes as lines of JSON (application/x-ndjson) instead of a list.")
    static let revision = Parameter(
        name: "revision", place: .query, form: .integer(0...Int64.max),
        summary: "With watch: begins after this revision; without it, with all that there is.")
    static let dryRun = Parameter(
        name: "dryRun", place: .query, form: .boolean,
        summary: "Checks and answers as if it was done, and does nothing.")
    static let ifMatch = Parameter(
        name: "If-Match", place: .header, form: .entityTag, summary: "Only where the entity tag is still this one.")
    static let ifNoneMatch = Parameter(
        name: "If-None-Match", place: .header, form: .entityTag,
        summary: "On a read, 304 where the tag is still this one; on a write, * demands that it is new.")
    static let idempotencyKey = Parameter(
        name: "Idempotency-Key", place: .header, form: .text(max: 255),
        summary: "The same request with the same key is done once; the key is good for 24 hours.")
    static let metric = Parameter(
        name: "metric", place: .query, form: .text(max: 200), summary: "The metric's name, as on /metrics.",
        isRequired: true)
    static let since = Parameter(
        name: "since", place: .query, form: .moment,
        summary: "From when: a moment, or how long it is ago, such as 6h; 1h without it.")
    static let until = Parameter(
        name: "until", place: .query, form: .moment, summary: "Until when, in the same forms; now without it.")
    static let step = Parameter(
        name: "step", place: .query, form: .span,
        summary: "How much time a point takes in, such as 5m; as little as is kept without it.")
    static let after = Parameter(
        name: "after", place: .query, form: .integer(0...Int64.max), summary: "Records behind this number.")
}

/// An entity tag: the revision in quotes, or `*` for any.
enum EntityTag: Sendable, Hashable {
    case any
    case revision(Int64)
    /// A tag that no resource has.
    case other

    init?(_ text: String) {
        if text == "*" {
            self = .any
            return
        }
        // A list without tags is allowed, and matches nothing.
        guard !text.isEmpty else {
            self = .other
            return
        }
        guard let match = text.wholeMatch(of: #/(?:W/)?"([\x21\x23-\x7e]*)"/#) else { return nil }
        self = Int64(match.1).map(EntityTag.revision) ?? .other
    }

    /// Whether it names the revision; nil stands for a resource that does not exist.
    func matches(_ revision: Int64?) -> Bool {
        switch self {
        case .any: revision != nil
        case .revision(let wanted): revision == wanted
        case .other: false
        }
    }
}
