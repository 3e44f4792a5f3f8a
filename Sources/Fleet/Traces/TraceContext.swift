/// Which span something belongs to, as W3C Trace Context has it.
public struct TraceContext: Sendable, Hashable, CustomStringConvertible {
    /// The span that goes on in this task.
    @TaskLocal public static var current: TraceContext?

    /// 32 and 16 lower-case hexadecimal digits, neither all zero.
    public let traceID: String
    public let spanID: String
    /// Whether spans of the trace are recorded.
    public let isSampled: Bool

    /// The first span of a new trace; `random` gives numbers that nobody can guess.
    public init(isSampled: Bool = true, random: () -> UInt64) {
        // Zero stands for no trace.
        traceID = TraceContext.digits(random() | 1) + TraceContext.digits(random())
        spanID = TraceContext.digits(random() | 1)
        self.isSampled = isSampled
    }

    /// Reads a header `traceparent`; nil where it is none.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 4, parts[0].utf8.count == 2, parts[0] != "ff", parts[0] != "00" || parts.count == 4
        else { return nil }
        for (part, length) in zip(parts, [2, 32, 16, 2]) {
            guard part.utf8.count == length, part.utf8.allSatisfy(TraceContext.isDigit) else { return nil }
        }
        guard parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        traceID = parts[1]
        spanID = parts[2]
        isSampled = flags & 1 == 1
    }

    private init(traceID: String, spanID: String, isSampled: Bool) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
    }

    /// Another span of the same trace.
    public func child(random: () -> UInt64) -> TraceContext {
        TraceContext(traceID: traceID, spanID: TraceContext.digits(random() | 1), isSampled: isSampled)
    }

    /// The header's text.
    public var description: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

    private static func digits(_ number: UInt64) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
