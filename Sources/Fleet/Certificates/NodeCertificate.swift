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

/// A certificate that a machine makes for itself: known by its key's pin, not by who signed it.
public enum SelfSignedCertificate {
    private static let span = TimeSpan.hours(24 * 3650)

    /// Makes a certificate (PEM) of a key for a host name or address.
    public static func pem(key: SigningKey, address: String, now: Timestamp) throws -> String {
        let name = try SubjectNames.common("roost worker")
        let made = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.signer.publicKey,
            notValidBefore: now.date - 300, notValidAfter: now.date + span.seconds, issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames([SubjectNames.address(address)])
            }, issuerPrivateKey: key.signer)
        return try made.serializeAsPEM().pemString + "\n"
    }
}
