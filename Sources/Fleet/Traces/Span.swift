public import FleetModel

/// A piece of work that is over.
public struct Span: Sendable, Hashable {
    /// What a span is to the one around it, by OTLP's numbers.
    public enum Kind: Int64, Sendable, Hashable {
        case `internal` = 1
        case server = 2
        case client = 3
    }

    /// A fact about the work. Never text that came from outside, but for names of resources.
    public enum Value: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
        case text(String)
        case number(Int64)

        public init(stringLiteral value: String) { self = .text(value) }
        public init(integerLiteral value: Int64) { self = .number(value) }
    }

    /// The span itself.
    public var context: TraceContext
    /// The id of the span around it; nil where it is the first of its trace.
    public var parentID: String?
    public var name: String
    public var kind: Kind
    /// Nanoseconds since 1970.
    public var start: Int64
    public var end: Int64
    public var attributes: [String: Value]
    /// What went wrong, in a few words; nil where nothing did.
    public var failure: String?

    /// Describes work.
    public init(
        _ context: TraceContext, in parent: TraceContext?, _ name: String, kind: Kind = .internal,
        from start: Timestamp, lasting duration: Duration
    ) {
        self.context = context
        parentID = parent?.spanID
        self.name = name
        self.kind = kind
        self.start = start.milliseconds &* 1_000_000
        let (seconds, attoseconds) = duration.components
        end = self.start &+ max(0, seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
        attributes = [:]
    }
}
