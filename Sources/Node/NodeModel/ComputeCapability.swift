/// What generation a software GPU says it is: `8.0`. Libraries choose their kernels by it.
public struct ComputeCapability: Sendable, Hashable {
    /// Ten times the major number plus the minor one, 75 to 130.
    public let number: Int

    /// Reads `8.0`; nil outside of 7.5 to 13.0.
    public init?(parsing text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 1, let major = Int(parts[0]), let minor = Int(parts[1]),
            (0...99).contains(major), (0...9).contains(minor), (75...130).contains(major * 10 + minor)
        else { return nil }
        number = major * 10 + minor
    }
}

extension ComputeCapability: CustomStringConvertible {
    /// `8.0`.
    public var description: String { "\(number / 10).\(number % 10)" }
}

extension ComputeCapability: Codable {
    /// Reads `"8.0"`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let capability = ComputeCapability(parsing: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a compute capability is 7.5 to 13.0, not \(text)")
        }
        self = capability
    }

    /// Writes `"8.0"`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
