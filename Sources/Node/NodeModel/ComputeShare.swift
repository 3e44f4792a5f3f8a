/// A share of a device's compute in whole percent, 1 to 100.
public struct ComputeShare: Sendable, Hashable, Comparable {
    /// The whole device.
    public static let whole = ComputeShare(exactly: 100)

    /// The share, in percent.
    public let percent: Int

    /// Makes a share; nil outside of 1 to 100.
    public init?(percent: Int) {
        guard (1...100).contains(percent) else { return nil }
        self.percent = percent
    }

    private init(exactly percent: Int) {
        self.percent = percent
    }

    /// Reads `50%`, `50` or `0.5`; nil where that is no share of 1 to 100 percent.
    public init?(parsing text: String) {
        let digits = text.hasSuffix("%") ? text.dropLast() : text[...]
        if !text.hasSuffix("%"), digits.hasPrefix("0.") || digits.hasPrefix(".") {
            let fraction = digits.drop { $0 != "." }.dropFirst()
            guard (1...2).contains(fraction.count), let value = Int(fraction), value >= 0 else { return nil }
            self.init(percent: fraction.count == 1 ? value * 10 : value)
            return
        }
        guard let value = Int(digits) else { return nil }
        self.init(percent: value)
    }

    public static func < (left: ComputeShare, right: ComputeShare) -> Bool {
        left.percent < right.percent
    }
}

extension ComputeShare: CustomStringConvertible {
    /// `50 %`.
    public var description: String { "\(percent) %" }
}

extension ComputeShare: Codable {
    /// Reads a whole number of percent.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let percent = try container.decode(Int.self)
        guard let share = ComputeShare(percent: percent) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a compute share is 1 to 100 percent, not \(percent)")
        }
        self = share
    }

    /// Writes a whole number of percent.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(percent)
    }
}
