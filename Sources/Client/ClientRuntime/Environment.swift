internal import CPosix

/// The environment variables that configure a client process.
public enum Environment {
    /// The value of a variable, or nil.
    public static func text(_ name: StaticString) -> UnsafePointer<CChar>? {
        name.utf8Start.withMemoryRebound(to: CChar.self, capacity: name.utf8CodeUnitCount &+ 1) {
            posix_environment($0)
        }
    }

    /// The bytes of a value without its terminator; empty when the variable is not there.
    public static func bytes(_ name: StaticString) -> UnsafeRawBufferPointer {
        guard let start = text(name) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: start, count: length(of: start))
    }

    /// The length of a C string, in bytes.
    public static func length(of text: UnsafePointer<CChar>) -> Int { strlen(text) }

    /// Whether a C string is exactly `word`.
    public static func equals(_ text: UnsafePointer<CChar>, _ word: StaticString) -> Bool {
        length(of: text) == word.utf8CodeUnitCount && memcmp(text, word.utf8Start, word.utf8CodeUnitCount) == 0
    }

    /// Whether a variable says yes: "1", "true", "yes" or "on".
    public static func flag(_ name: StaticString) -> Bool {
        guard let value = text(name) else { return false }
        return equals(value, "1") || equals(value, "true") || equals(value, "yes") || equals(value, "on")
    }

    /// Whether a variable says no: "0", "false", "no" or "off".
    public static func isOff(_ name: StaticString) -> Bool {
        guard let value = text(name) else { return false }
        return equals(value, "0") || equals(value, "false") || equals(value, "no") || equals(value, "off")
    }

    /// The token for one of several endpoints: `ROOST_TOKEN` has one for all, or one for each with semicolons between.
    public static func token(_ index: Int, of endpointCount: Int) -> UnsafeRawBufferPointer {
        let all = bytes("ROOST_TOKEN")
        guard endpointCount > 1 else { return all }
        var separatorCount = 0
        for byte in all where byte == UInt8(ascii: ";") { separatorCount &+= 1 }
        guard separatorCount &+ 1 == endpointCount else { return all }
        var start = 0
        var place = 0
        for position in 0...all.count where position == all.count || all[position] == UInt8(ascii: ";") {
            if place == index { return UnsafeRawBufferPointer(rebasing: all[start..<position]) }
            place &+= 1
            start = position &+ 1
        }
        return all
    }

    /// A variable's decimal value; nil when it is absent, malformed or above `limit`.
    public static func number(_ name: StaticString, atMost limit: UInt64) -> UInt64? {
        let digits = bytes(name)
        guard digits.count > 0, digits.count <= 18 else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard digit >= 48, digit <= 57 else { return nil }
            value = value &* 10 &+ UInt64(digit &- 48)
        }
        return value <= limit ? value : nil
    }
}
