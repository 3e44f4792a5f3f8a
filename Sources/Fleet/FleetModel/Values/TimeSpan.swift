/// A length of time in milliseconds, written as people do: `90s`, `5m`, `1h30m`, `2d`, `250ms`.
public struct TimeSpan: Sendable, Hashable, Comparable {
    /// The length, in milliseconds.
    public var milliseconds: Int64

    /// Wraps a number of milliseconds.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// A number of seconds.
    public static func seconds(_ count: Int64) -> TimeSpan { TimeSpan(milliseconds: count &* 1000) }
    /// A number of minutes.
    public static func minutes(_ count: Int64) -> TimeSpan { .seconds(count &* 60) }
    /// A number of hours.
    public static func hours(_ count: Int64) -> TimeSpan { .minutes(count &* 60) }

    /// The length in seconds.
    public var seconds: Double { Double(milliseconds) / 1000 }

    public static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.milliseconds < right.milliseconds }
}

extension TimeSpan: CustomStringConvertible {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// All units that are not zero, the largest first: `1h30m`.
    public var description: String {
        guard milliseconds != 0 else { return "0s" }
        guard milliseconds > 0 else { return "-\(TimeSpan(milliseconds: -max(milliseconds, -.max)))" }
        var rest = milliseconds
        return TimeSpan.units.reduce(into: "") { text, unit in
            let count = rest / unit.milliseconds
            rest %= unit.milliseconds
            if count > 0 { text += "\(count)\(unit.name)" }
        }
    }

    /// Two units at most, for tables: `3d4h`, `12m`, `45s`.
    public var rounded: String {
        let index = TimeSpan.units.firstIndex { milliseconds >= $0.milliseconds } ?? 3
        guard index < 3 else { return "\(max(milliseconds, 0) / 1000)s" }
        let finest = TimeSpan.units[index + 1].milliseconds
        return TimeSpan(milliseconds: milliseconds / finest * finest).description
    }

    /// Reads `1h30m`; nil where that is no length of time.
    public init?(_ text: String) {
        var rest = text[...]
        var total: Int64 = 0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(letters.count)
            guard let count = Int64(digits), let unit = TimeSpan.units.first(where: { $0.name == letters }) else {
                return nil
            }
            let (product, tooLarge) = count.multipliedReportingOverflow(by: unit.milliseconds)
            let (sum, overflows) = total.addingReportingOverflow(product)
            guard !tooLarge, !overflows else { return nil }
            total = sum
        }
        milliseconds = total
    }
}

extension TimeSpan: TextQuantity {
    static let form = "a length of time is written as 90s, 5m or 1h30m"
}
