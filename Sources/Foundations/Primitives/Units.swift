/// A number of bytes, as people write it: "4GiB", "512MiB", "1.5 GB", "65536".
public struct Bytes: Sendable, Hashable, Comparable {
    public var count: UInt64

    @inlinable public init(_ count: UInt64) { self.count = count }

    @inlinable public static func < (left: Bytes, right: Bytes) -> Bool { left.count < right.count }

    /// Parses a number with an optional unit: B, K/KB/KiB … T/TB/TiB, where K and KiB mean 1024, and KB means 1000.
    public init?(utf8 text: some Sequence<UInt8>) {
        var scanner = DecimalScanner(text)
        guard let number = scanner.number(), let unit = Bytes.unit(scanner.rest()) else { return nil }
        guard let count = number.scaled(by: unit) else { return nil }
        self.count = count
    }

    public init?(_ text: String) { self.init(utf8: text.utf8) }

    /// Bytes per unit, or nil for a word that is none.
    private static func unit(_ word: [UInt8]) -> UInt64? {
        let lower = word.map { $0 | 0x20 }
        guard let first = lower.first else { return 1 }
        let letters: StaticString = "bkmgt"
        var power = -1
        letters.withUTF8Buffer { letters in
            for (index, letter) in letters.enumerated() where letter == first { power = index }
        }
        guard power >= 0 else { return nil }
        let isBinary = lower.count == 3 && lower[1] == UInt8(ascii: "i") && lower[2] == UInt8(ascii: "b")
        let isDecimal = lower.count == 2 && lower[1] == UInt8(ascii: "b")
        guard lower.count == 1 || (power > 0 && (isBinary || isDecimal)) else { return nil }
        var unit: UInt64 = 1
        for _ in 0..<power { unit &*= isDecimal ? 1000 : 1024 }
        return unit
    }
}

extension Bytes: CustomStringConvertible {
    /// The largest binary unit that fits, with at most one decimal: "1.5GiB", "512MiB", "100B".
    public var description: String {
        let units: [(shift: UInt64, name: StaticString)] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
        for unit in units where count >> unit.shift > 0 {
            let whole = count >> unit.shift
            let rest = count & ((1 << unit.shift) &- 1)
            let tenths = ((rest >> (unit.shift - 10)) * 10 + 512) >> 10
            if tenths == 0 { return "\(whole)\(unit.name)" }
            return tenths == 10 ? "\(whole + 1)\(unit.name)" : "\(whole).\(tenths)\(unit.name)"
        }
        return "\(count)B"
    }
}

/// A share of a whole: "50%", "0.5", "1". Kept in parts per million, so that equal shares are equal.
public struct Ratio: Sendable, Hashable, Comparable {
    public var partsPerMillion: UInt32

    @inlinable public init(partsPerMillion: UInt32) { self.partsPerMillion = min(partsPerMillion, 1_000_000) }
    @inlinable public init(percent: UInt32) { self.init(partsPerMillion: min(percent, 100) * 10_000) }

    @inlinable
    public static func < (left: Ratio, right: Ratio) -> Bool { left.partsPerMillion < right.partsPerMillion }

    /// The whole.
    public static let one = Ratio(partsPerMillion: 1_000_000)
    /// Rounded to whole percent.
    public var percent: UInt32 { (partsPerMillion + 5_000) / 10_000 }

    /// Parses a percentage with its sign, or a fraction of 1; nil outside 0…1.
    public init?(utf8 text: some Sequence<UInt8>) {
        var scanner = DecimalScanner(text)
        guard let number = scanner.number() else { return nil }
        let unit = scanner.rest()
        let isPercent = unit.count == 1 && unit[0] == UInt8(ascii: "%")
        guard unit.isEmpty || isPercent, let parts = number.scaled(by: isPercent ? 10_000 : 1_000_000),
            parts <= 1_000_000
        else { return nil }
        partsPerMillion = UInt32(parts)
    }

    public init?(_ text: String) { self.init(utf8: text.utf8) }

    /// This share of a number, rounded down.
    public func of(_ whole: UInt64) -> UInt64 {
        let product = whole.multipliedFullWidth(by: UInt64(partsPerMillion))
        return UInt64(1_000_000).dividingFullWidth(product).quotient
    }
}

extension Ratio: CustomStringConvertible {
    /// A percentage with at most one decimal: "50%", "12.5%".
    public var description: String {
        let tenths = (partsPerMillion + 500) / 1_000
        return tenths % 10 == 0 ? "\(tenths / 10)%" : "\(tenths / 10).\(tenths % 10)%"
    }
}

/// A decimal number as digits and the place of its point.
struct Decimal: Sendable {
    var digits: UInt64
    var decimals: Int

    /// The number times a factor, rounded down; nil when it does not fit.
    func scaled(by factor: UInt64) -> UInt64? {
        var divisor: UInt64 = 1
        for _ in 0..<decimals { divisor *= 10 }
        let product = digits.multipliedFullWidth(by: factor)
        guard product.high < divisor else { return nil }
        return divisor.dividingFullWidth(product).quotient
    }
}

/// Reads "12.5 GiB" as a number and a word.
struct DecimalScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: some Sequence<UInt8>) {
        bytes = [UInt8](text)
    }

    /// At most nine digits after the point; nil without a digit or beyond 64 bits.
    mutating func number() -> Decimal? {
        var value = Decimal(digits: 0, decimals: 0)
        var digitCount = 0
        var hasPoint = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
                let (product, isTooLarge) = value.digits.multipliedReportingOverflow(by: 10)
                let (sum, isOver) = product.addingReportingOverflow(UInt64(byte &- UInt8(ascii: "0")))
                if isTooLarge || isOver || value.decimals == 9 { return nil }
                value.digits = sum
                value.decimals += hasPoint ? 1 : 0
                digitCount += 1
            } else {
                break
            }
            position += 1
        }
        return digitCount > 0 ? value : nil
    }

    /// What follows the number, without spaces around it.
    mutating func rest() -> [UInt8] {
        while position < bytes.count, bytes[position] == UInt8(ascii: " ") { position += 1 }
        var end = bytes.count
        while end > position, bytes[end - 1] == UInt8(ascii: " ") { end -= 1 }
        return [UInt8](bytes[position..<end])
    }
}
