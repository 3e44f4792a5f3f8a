internal import Glibc

/// Text for people and for other programs, written at once.
enum Output {
    /// Writes a line to the standard output.
    static func line(_ text: String) { write(text + "\n", to: 1) }

    /// Writes a line to the standard error.
    static func complain(_ text: String) { write(text + "\n", to: 2) }

    /// Writes all of the text; what can't be written is lost.
    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Writes a file; false if that fails.
    static func write(_ text: String, toFile path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { return false }
        write(text, to: descriptor)
        return close(descriptor) == 0
    }

    /// All of a file, or nil.
    static func read(file path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = part.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes += part[..<count]
        }
    }
}

extension String {
    /// The text with spaces behind it, or before it, up to a width.
    func padded(_ width: Int, left: Bool = false) -> String {
        let room = String(repeating: " ", count: max(0, width - count))
        return left ? room + self : self + room
    }
}

/// A number with three significant digits, without an exponent.
func shortText(_ value: Double) -> String {
    guard value.isFinite else { return "?" }
    let size = abs(value)
    let decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (size * scale).rounded()
    guard scaled < 1e18 else { return "\(value)" }
    let whole = UInt64(scaled)
    let sign = value < 0 && whole > 0 ? "-" : ""
    if decimals == 0 { return "\(sign)\(whole)" }
    let fraction = "\(whole % UInt64(scale))"
    return "\(sign)\(whole / UInt64(scale))." + String(repeating: "0", count: decimals - fraction.count) + fraction
}
