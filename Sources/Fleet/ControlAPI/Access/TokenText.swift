import Crypto
import FleetModel
import Foundation

/// The text of a token: `roost_`, the id that names its record, `_`, and the secret.
struct TokenText: Sendable, Hashable {
    private static let prefix = "roost_"
    private static let idByteCount = 8
    private static let secretByteCount = 32

    let id: String
    let secret: String

    /// What a client sends.
    var text: String { "\(TokenText.prefix)\(id)_\(secret)" }

    /// SHA-256 of the secret, in hexadecimal: all that is kept of it. The secret has 256 random bits, so that a slow
    /// hash would add nothing.
    var digest: String { hexadecimal(SHA256.hash(data: Data(secret.utf8))) }

    /// Makes a new one.
    init(random: (Int) -> [UInt8]) {
        id = hexadecimal(random(TokenText.idByteCount))
        secret = Data(random(TokenText.secretByteCount)).base64EncodedString()
            .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    /// Reads what a client sent; nil where it is no token of ours.
    init?(_ text: String) {
        let idLength = TokenText.idByteCount * 2
        let bytes = Array(text.utf8)
        let start = TokenText.prefix.utf8.count
        guard bytes.count > start + idLength + 1, bytes.count <= 256, text.hasPrefix(TokenText.prefix),
            bytes[start + idLength] == UInt8(ascii: "_")
        else { return nil }
        id = String(decoding: bytes[start..<(start + idLength)], as: UTF8.self)
        secret = String(decoding: bytes[(start + idLength + 1)...], as: UTF8.self)
        guard id.utf8.allSatisfy({ ("0"..."9").contains(UnicodeScalar($0)) || ("a"..."f").contains(UnicodeScalar($0)) })
        else { return nil }
    }

    /// Whether two texts are the same, in a time that depends on their lengths alone.
    static func isEqual(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}

/// Bytes as hexadecimal digits.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return String(decoding: text, as: UTF8.self)
}

/// SHA-256 of bytes, in hexadecimal.
func sha256(_ bytes: some Sequence<UInt8>) -> String { hexadecimal(SHA256.hash(data: Data(bytes))) }
