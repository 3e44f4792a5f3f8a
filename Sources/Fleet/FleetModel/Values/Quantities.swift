import NodeModel

/// Memory in a manifest: `4GiB`. Kept in mebibytes, the step in which device memory is handed out.
public struct MemoryQuantity: Sendable, Hashable, Comparable {
    /// The amount, in mebibytes.
    public var mebibytes: Int64

    /// Wraps a number of mebibytes.
    public init(mebibytes: Int64) {
        self.mebibytes = mebibytes
    }

    /// Reads `4GiB`, `512M`, `1.5 GB`; rounds up to whole mebibytes; nil where that is no amount.
    public init?(_ text: String) {
        guard text != "0" else {
            mebibytes = 0
            return
        }
        guard let size = MemorySize(parsing: text) else { return nil }
        mebibytes = Int64(clamping: size.coveringMebibytes)
    }

    public static func < (left: MemoryQuantity, right: MemoryQuantity) -> Bool { left.mebibytes < right.mebibytes }
}

extension MemoryQuantity: CustomStringConvertible {
    /// Exact, in the largest unit that leaves a whole number: `4GiB`, `1536MiB`.
    public var description: String {
        if mebibytes != 0, mebibytes % (1 << 20) == 0 { return "\(mebibytes >> 20)TiB" }
        if mebibytes != 0, mebibytes % 1024 == 0 { return "\(mebibytes >> 10)GiB" }
        return mebibytes == 0 ? "0" : "\(mebibytes)MiB"
    }
}

/// Compute in a manifest: a share of whichever device is chosen (`50%`), or a speed (`12.5TFLOPS`).
public enum ComputeQuantity: Sendable, Hashable {
    /// A share of a device, in whole percent.
    case percent(Int64)
    /// Half-precision operations a second, in thousandths of 10¹².
    case milliTeraflops(Int64)

    /// Reads `50%`, `12.5TFLOPS`, `12.5TF`; nil where that is neither.
    public init?(_ text: String) {
        if let percent = Percent(text) {
            guard percent.value <= 100_000 else { return nil }
            self = .percent(percent.value)
            return
        }
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        // Double reads signs and exponents too, which no digit begins.
        guard ["TFLOPS", "TF"].contains(unit.uppercased()), let value = Double(digits), value < 1e9 else { return nil }
        self = .milliTeraflops(Int64((value * 1000).rounded()))
    }

    /// Whether nothing is asked for.
    public var isZero: Bool {
        switch self {
        case .percent(let value), .milliTeraflops(let value): value == 0
        }
    }

    /// What this is of a device that makes `deviceTeraflops` (in thousandths), in thousandths of the device, rounded
    /// up; nil where the device's speed is not known and needed.
    public func milliDevices(deviceMilliTeraflops speed: Int64) -> Int64? {
        switch self {
        case .percent(let percent): return percent * 10
        case .milliTeraflops(let wanted):
            guard speed > 0 else { return wanted == 0 ? 0 : nil }
            return (wanted * 1000 + speed - 1) / speed
        }
    }
}

extension ComputeQuantity: CustomStringConvertible {
    /// `50%` or `12.5TFLOPS`.
    public var description: String {
        switch self {
        case .percent(let value): return "\(value)%"
        case .milliTeraflops(let value):
            guard value % 1000 != 0 else { return "\(value / 1000)TFLOPS" }
            var digits = String(value % 1000 + 1000).dropFirst()
            while digits.hasSuffix("0") { digits = digits.dropLast() }
            return "\(value / 1000).\(digits)TFLOPS"
        }
    }
}

/// What a workload is guaranteed and what it may use at most; a manifest may give one value for both.
public struct Bounds<Value: Codable & Sendable & Hashable>: Sendable, Hashable {
    /// What is guaranteed.
    public var request: Value
    /// What may be used at most.
    public var limit: Value

    /// The same for both.
    public init(_ value: Value) {
        request = value
        limit = value
    }

    /// Different values.
    public init(request: Value, limit: Value) {
        self.request = request
        self.limit = limit
    }
}

// MARK: - Coding

/// A quantity that stands as text in JSON.
protocol TextQuantity: Codable, LosslessStringConvertible {
    /// How it is written, for messages.
    static var form: String { get }
}

extension TextQuantity {
    /// Reads the text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(Self.form), not \(text)")
        }
        self = value
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension MemoryQuantity: TextQuantity {
    static let form = "memory is written as 512MiB or 4GiB"
}

extension ComputeQuantity: TextQuantity {
    static let form = "compute is written as 50% or 12.5TFLOPS"
}

extension Bounds: Codable {
    private enum CodingKeys: String, CodingKey {
        case request, limit
    }

    /// Reads one value for both, or an object with `request`, `limit` or both; one alone stands for both.
    public init(from decoder: any Decoder) throws {
        if let value = try? decoder.singleValueContainer().decode(Value.self) {
            self.init(value)
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let request = try container.decodeIfPresent(Value.self, forKey: .request)
        let limit = try container.decodeIfPresent(Value.self, forKey: .limit)
        guard let value = request ?? limit else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "needs request, limit or both"))
        }
        self.init(request: request ?? value, limit: limit ?? value)
    }

    /// Writes one value where both are the same.
    public func encode(to encoder: any Encoder) throws {
        if request == limit {
            var container = encoder.singleValueContainer()
            try container.encode(request)
        } else {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(request, forKey: .request)
            try container.encode(limit, forKey: .limit)
        }
    }
}

/// A share of a whole in whole percent, written as `80%`; may be above 100.
public struct Percent: Sendable, Hashable, Comparable {
    /// The share, in percent.
    public var value: Int64

    /// Wraps a share.
    public init(_ value: Int64) {
        self.value = value
    }

    public static func < (left: Percent, right: Percent) -> Bool { left.value < right.value }
}

extension Percent: TextQuantity {
    static let form = "a share is written as 80%"

    /// Reads `80%`; nil where that is no share.
    public init?(_ text: String) {
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let unit = text.utf8.dropFirst(digits.count).drop { $0 == UInt8(ascii: " ") }
        guard unit.elementsEqual("%".utf8), let value = Int64(Substring(digits)) else { return nil }
        self.value = value
    }

    /// `80%`.
    public var description: String { "\(value)%" }
}
