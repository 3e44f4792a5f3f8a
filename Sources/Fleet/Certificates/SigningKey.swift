import Crypto
import Foundation
import SwiftASN1
import X509

/// A private key on the curve P-256, of an authority, a server or a node.
public struct SigningKey: Sendable {
    let key: P256.Signing.PrivateKey

    /// Makes a new one.
    public init() {
        key = P256.Signing.PrivateKey()
    }

    /// Reads a key (PEM).
    public init(pem: String) throws(CertificateError) {
        do {
            key = try P256.Signing.PrivateKey(pemRepresentation: pem)
        } catch {
            throw CertificateError("it is no private key on the curve P-256 in PEM form")
        }
    }

    /// The key as PEM text (PKCS #8). Secret.
    public var pem: String { key.pemRepresentation + "\n" }

    /// What clients are told of a worker's key; see ``keyPin(_:)``.
    public var pin: String { keyPin(key.publicKey) }

    var signer: Certificate.PrivateKey { Certificate.PrivateKey(key) }
}

/// SHA-256 of a public key's SubjectPublicKeyInfo in DER form, as 64 hexadecimal digits: the same for all certificates
/// of one key (RFC 7469, section 2.4, in hexadecimal).
func keyPin(_ key: P256.Signing.PublicKey) -> String {
    hexadecimal(SHA256.hash(data: key.derRepresentation))
}

/// Bytes as hexadecimal digits.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
        let digits = String(byte, radix: 16)
        return byte < 16 ? "0" + digits : digits
    }.joined()
}
