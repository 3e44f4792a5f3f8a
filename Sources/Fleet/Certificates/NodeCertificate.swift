import Crypto
public import FleetModel
import Foundation
import SwiftASN1
import X509

/// A node's certificate, as it is read: what it says. That it is good, ``CertificateAuthority/signed(_:)`` and the
/// clock decide.
public struct NodeCertificate: Sendable {
    /// The node's name.
    public let node: String
    /// Which of the node's joins it is of.
    public let generation: String
    /// From when to when it is good.
    public let notBefore: Timestamp
    public let notAfter: Timestamp
    /// SHA-256 of the key's SubjectPublicKeyInfo, 64 hexadecimal digits.
    public let pin: String
    /// The serial number, in hexadecimal.
    public let serial: String
    let certificate: Certificate

    /// Reads a certificate (PEM).
    public init(pem: String) throws(CertificateError) {
        guard let certificate = try? Certificate(pemEncoded: pem) else {
            throw CertificateError("it is no certificate in PEM form")
        }
        try self.init(certificate)
    }

    /// Reads a certificate (DER).
    public init(der: [UInt8]) throws(CertificateError) {
        guard let certificate = try? Certificate(derEncoded: der) else {
            throw CertificateError("it is no certificate")
        }
        try self.init(certificate)
    }

    private init(_ certificate: Certificate) throws(CertificateError) {
        let names = (try? certificate.extensions.subjectAlternativeNames) ?? nil
        guard let subject = names.flatMap(SubjectNames.node), let generation = subject.generation,
            let key = P256.Signing.PublicKey(certificate.publicKey)
        else { throw CertificateError("it is no certificate of a node") }
        node = subject.node
        self.generation = generation
        notBefore = Timestamp(certificate.notValidBefore)
        notAfter = Timestamp(certificate.notValidAfter)
        pin = keyPin(key)
        serial = hexadecimal(certificate.serialNumber.bytes)
        self.certificate = certificate
    }
}
