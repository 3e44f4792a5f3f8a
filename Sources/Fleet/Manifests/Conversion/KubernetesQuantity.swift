import FleetModel
import Foundation

/// Amounts and lengths of time as Kubernetes and Go write them.
enum KubernetesQuantity {
    private static let factors: [(suffix: String, factor: Double)] = [
        ("Ki", 0x1p10), ("Mi", 0x1p20), ("Gi", 0x1p30), ("Ti", 0x1p40), ("Pi", 0x1p50), ("Ei", 0x1p60),
        ("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15),
        ("E", 1e18),
    ]

    /// Reads `16Gi`, `1500m`, `2e3`; nil where that is no amount.
    static func value(_ text: String) -> Double? {
        let text = text.filter { $0 != " " }
        let unit = factors.first { text.hasSuffix($0.suffix) }
        guard let value = Double(text.dropLast(unit?.suffix.count ?? 0)), value.isFinite, value >= 0 else { return nil }
        let scaled = value * (unit?.factor ?? 1)
        return scaled < 1e18 ? scaled : nil
    }

    /// Memory, rounded up to whole mebibytes.
    static func memory(_ text: String) -> MemoryQuantity? {
        value(text).map { MemoryQuantity(mebibytes: Int64(($0 / 0x1p20).rounded(.up))) }
    }

    /// A speed in TFLOPS.
    static func speed(_ text: String) -> ComputeQuantity? {
        guard let value = value(text), value < 1e12 else { return nil }
        return .milliTeraflops(Int64((value * 1000).rounded()))
    }

    /// A share in whole percent, rounded up.
    static func percent(_ text: String) -> Percent? {
        guard let value = value(text.hasSuffix("%") ? String(text.dropLast()) : text), value <= 1e9 else { return nil }
        return Percent(Int64(value.rounded(.up)))
    }

    /// A length of time as Go writes it: `1h30m`, `1.5h`, `100ms`; nil where that is none.
    static func span(_ text: String) -> TimeSpan? {
        if text == "0" { return .seconds(0) }
        let units: [Substring: Double] = ["h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1, "us": 1e-3, "ns": 1e-6]
        var total = 0.0
        var rest = text[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(letters.count)
            guard let count = Double(digits), let unit = units[letters] else { return nil }
            total += count * unit
        }
        return text.isEmpty || total > 1e15 ? nil : TimeSpan(milliseconds: Int64(total.rounded()))
    }
}
