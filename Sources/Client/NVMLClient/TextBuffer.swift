internal import CNVML

/// A caller's buffer for a terminated string.
struct TextBuffer {
    private let start: UnsafeMutablePointer<CChar>
    private let byteCount: Int

    init(_ start: UnsafeMutablePointer<CChar>?, _ byteCount: UInt32) throws(NVMLFailure) {
        guard let start else { throw .invalidArgument }
        guard byteCount > 0 else { throw .insufficientSize }
        self.start = start
        self.byteCount = Int(byteCount)
    }

    /// Writes all of the text, or nothing.
    func set(_ text: [UInt8]) throws(NVMLFailure) {
        guard text.count < byteCount else { throw .insufficientSize }
        setCut(text)
    }

    func set(_ text: StaticString) throws(NVMLFailure) {
        try set([UInt8](UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)))
    }

    /// Writes as much of the text as fits.
    func setCut(_ text: [UInt8]) {
        var count = 0
        for byte in text {
            guard count < byteCount &- 1 else { break }
            start[count] = CChar(bitPattern: byte)
            count &+= 1
        }
        start[count] = 0
    }
}

/// Text in bytes, digit by digit: formatting without the Unicode tables of `String`.
enum HexadecimalText {
    /// The lowest `count` digits of a number.
    static func digits(_ value: UInt64, _ count: Int, isUppercase: Bool = false) -> [UInt8] {
        var text: [UInt8] = []
        for place in (0..<count).reversed() {
            let digit = UInt8(truncatingIfNeeded: (value >> UInt64(4 &* place)) & 15)
            let letter = isUppercase ? UInt8(ascii: "A") : UInt8(ascii: "a")
            text.append(digit < 10 ? UInt8(ascii: "0") &+ digit : letter &+ digit &- 10)
        }
        return text
    }

    /// "GPU-" and a UUID in its usual form.
    static func uuid(high: UInt64, low: UInt64) -> [UInt8] {
        let dash = [UInt8(ascii: "-")]
        var text: [UInt8] = [UInt8(ascii: "G"), UInt8(ascii: "P"), UInt8(ascii: "U"), UInt8(ascii: "-")]
        text += digits(high >> 32, 8) + dash + digits(high >> 16, 4) + dash + digits(high, 4) + dash
        text += digits(low >> 48, 4) + dash + digits(low, 12)
        return text
    }

    /// "dddddddd:bb:dd.0" with so many digits of the domain.
    static func busID(domainDigitCount: Int, bus: UInt32) -> [UInt8] {
        let colon = [UInt8(ascii: ":")]
        return digits(0, domainDigitCount) + colon + digits(UInt64(bus), 2, isUppercase: true) + colon + digits(0, 2)
            + [UInt8(ascii: "."), UInt8(ascii: "0")]
    }

    /// The bus in `[domain:]bus:device[.function]`; nil when it is not written so, or no vGPU can be there.
    static func bus(_ text: UnsafePointer<CChar>) -> UInt32? {
        var fields: [UInt32] = [0]
        var digitCount = 0
        for index in 0..<32 {
            let byte = UInt8(bitPattern: text[index])
            if byte == 0 || byte == UInt8(ascii: ".") { break }
            if byte == UInt8(ascii: ":") {
                guard digitCount > 0 else { return nil }
                fields.append(0)
                digitCount = 0
                continue
            }
            guard let digit = value(byte), digitCount < 8, let last = fields.popLast() else { return nil }
            fields.append(last << 4 | digit)
            digitCount &+= 1
        }
        guard digitCount > 0, fields.count == 2 || fields.count == 3 else { return nil }
        let device = fields.removeLast()
        let bus = fields.removeLast()
        return device == 0 && (fields.first ?? 0) == 0 ? bus : nil
    }

    private static func value(_ digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit &- UInt8(ascii: "0"))
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(digit &- UInt8(ascii: "A")) &+ 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(digit &- UInt8(ascii: "a")) &+ 10
        default: nil
        }
    }
}
