/// A moment, in milliseconds since 1970, written as RFC 3339 in UTC: `2026-12-01T12:00:00.250Z`.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Milliseconds since 1970.
    public var milliseconds: Int64

    /// Wraps a number of milliseconds since 1970.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// The moment that is a span later.
    public static func + (moment: Timestamp, span: TimeSpan) -> Timestamp {
        Timestamp(milliseconds: moment.milliseconds &+ span.milliseconds)
    }

    /// The span between two moments.
    public static func - (later: Timestamp, earlier: Timestamp) -> TimeSpan {
        TimeSpan(milliseconds: later.milliseconds &- earlier.milliseconds)
    }
}

extension Timestamp: CustomStringConvertible {
    /// The RFC 3339 text; milliseconds only where there are some.
    public var description: String {
        let days = milliseconds.floorDivided(by: 86_400_000)
        let rest = milliseconds - days * 86_400_000
        let (year, month, day) = Timestamp.date(ofDay: days)
        let fraction = rest % 1000 == 0 ? "" : "." + pad(rest % 1000, 3)
        let seconds = rest / 1000
        let date = "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))"
        return "\(date)T\(pad(seconds / 3600, 2)):\(pad(seconds / 60 % 60, 2)):\(pad(seconds % 60, 2))\(fraction)Z"
    }

    /// Reads RFC 3339 with `Z` or an offset; nil where that is none.
    public init?(_ text: String) {
        guard let match = text.wholeMatch(of: Timestamp.pattern) else { return nil }
        guard let year = Int64(match.1), let month = Int64(match.2), let day = Int64(match.3),
            let hour = Int64(match.4), let minute = Int64(match.5), let second = Int64(match.6),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var value = (Timestamp.day(year: year, month: month, day: day) * 24 + hour) * 60 + minute
        if let sign = match.9, let hours = match.10.flatMap({ Int64($0) }),
            let minutes = match.11.flatMap({ Int64($0) })
        {
            value -= (sign == "-" ? -1 : 1) * (hours * 60 + minutes)
        }
        let digits = match.7.map { ($0 + "00").prefix(3) }
        milliseconds = (value * 60 + second) * 1000 + (digits.flatMap { Int64($0) } ?? 0)
    }

    // SAFETY: a regular expression without state; it is only read.
    private nonisolated(unsafe) static let pattern =
        #/(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))/#

    /// Days since 1970 of a date of the Gregorian calendar, after Howard Hinnant's "chrono-compatible low-level date
    /// algorithms".
    private static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.floorDivided(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let inJanuaryOrFebruary = month >= 10
        return (
            yearOfEra + era * 400 + (inJanuaryOrFebruary ? 1 : 0), inJanuaryOrFebruary ? month - 9 : month + 3,
            dayOfYear - (153 * month + 2) / 5 + 1
        )
    }
}

extension Timestamp: TextQuantity {
    static let form = "a time is written as 2026-12-01T12:00:00Z"
}

private func pad(_ number: Int64, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.count)) + text
}

extension Int64 {
    /// The quotient rounded towards negative infinity.
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
