/// The SHA-256 of the public key in a certificate: whoever knows it needs nobody to vouch for the certificate.
///
/// The key is hashed as it stands there: the DER form of `SubjectPublicKeyInfo` (RFC 5280), so that a renewed
/// certificate with the same key has the same pin.
public struct CertificatePin: Sendable, Equatable {
    /// Bytes of the hash.
    public static let byteCount = 32

    /// The hash.
    public let bytes: [UInt8]

    /// A pin that somebody computed; nil unless it has the right length.
    public init?(bytes: [UInt8]) {
        guard bytes.count == CertificatePin.byteCount else { return nil }
        self.bytes = bytes
    }

    /// Parses 64 hexadecimal digits.
    public init?(utf8 text: some Collection<UInt8>) {
        guard text.count == 2 * CertificatePin.byteCount else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(CertificatePin.byteCount)
        var high: UInt8?
        for digit in text {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit &- UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit &- UInt8(ascii: "a") &+ 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit &- UInt8(ascii: "A") &+ 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        self.bytes = bytes
    }

    /// Compares in a time that depends on nothing.
    public static func == (one: CertificatePin, other: CertificatePin) -> Bool {
        var difference: UInt8 = 0
        for index in 0..<CertificatePin.byteCount { difference |= one.bytes[index] ^ other.bytes[index] }
        return difference == 0
    }
}

extension CertificatePin: CustomStringConvertible {
    /// 64 hexadecimal digits in lower case.
    public var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(2 * CertificatePin.byteCount)
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                text.append(digit < 10 ? UInt8(ascii: "0") &+ digit : UInt8(ascii: "a") &+ digit &- 10)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
