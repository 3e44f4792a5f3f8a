/// A value of a JSON text, as far as results have them.
indirect enum JSONText {
    case text(String)
    case number(Double)
    case list([JSONText])
    case object([String: JSONText])
    case other

    subscript(_ key: String) -> JSONText? {
        if case .object(let members) = self { return members[key] }
        return nil
    }

    var string: String? {
        if case .text(let value) = self { return value }
        return nil
    }

    var double: Double? {
        if case .number(let value) = self { return value }
        return nil
    }

    var elements: [JSONText] {
        if case .list(let values) = self { return values }
        return []
    }

    var members: [String: JSONText] {
        if case .object(let members) = self { return members }
        return [:]
    }

    /// Reads a whole text; nil when it is none.
    init?(_ bytes: [UInt8]) {
        var reader = JSONReader(bytes: bytes)
        guard let value = reader.value(depth: 0), reader.isAtEnd else { return nil }
        self = value
    }
}

/// A cursor over a JSON text.
private struct JSONReader {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return at == bytes.count
        }
    }

    mutating func value(depth: Int) -> JSONText? {
        skipSpace()
        guard depth < 32, at < bytes.count else { return nil }
        switch bytes[at] {
        case UInt8(ascii: "\""): return string().map { .text($0) }
        case UInt8(ascii: "{"): return object(depth: depth)
        case UInt8(ascii: "["): return list(depth: depth)
        default: return word()
        }
    }

    private mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[at]) { at += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    private mutating func object(depth: Int) -> JSONText? {
        at += 1
        var members: [String: JSONText] = [:]
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            guard let key = string(), take(":"), let value = value(depth: depth + 1) else { return nil }
            members[key] = value
        } while take(",")
        return take("}") ? .object(members) : nil
    }

    private mutating func list(depth: Int) -> JSONText? {
        at += 1
        var values: [JSONText] = []
        if take("]") { return .list(values) }
        repeat {
            guard let value = value(depth: depth + 1) else { return nil }
            values.append(value)
        } while take(",")
        return take("]") ? .list(values) : nil
    }

    private mutating func string() -> String? {
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { return nil }
        at += 1
        var text: [UInt8] = []
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            guard bytes[at] == UInt8(ascii: "\\") else {
                text.append(bytes[at])
                at += 1
                continue
            }
            guard at + 1 < bytes.count else { return nil }
            switch bytes[at + 1] {
            case UInt8(ascii: "n"): text.append(0x0a)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                let digits = String(decoding: bytes.dropFirst(at + 2).prefix(4), as: UTF8.self)
                guard let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else { return nil }
                text += Array(String(Character(scalar)).utf8)
                at += 4
            default: text.append(bytes[at + 1])
            }
            at += 2
        }
        guard at < bytes.count else { return nil }
        at += 1
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func word() -> JSONText? {
        let start = at
        let ends = Array(",]} \n\r\t".utf8)
        while at < bytes.count, !ends.contains(bytes[at]) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if ["true", "false", "null"].contains(text) { return .other }
        return Double(text).map { .number($0) }
    }
}
