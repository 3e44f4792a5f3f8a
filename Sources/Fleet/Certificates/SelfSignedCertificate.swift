import FleetModel
import Foundation
import SwiftASN1
import X509

/// A certificate that a machine makes for itself: known by its key's pin, not by who signed it.
enum SelfSignedCertificate {
    private static let span = TimeSpan.hours(24 * 3650)

    /// Whether a certificate (PEM) is of a key and good for a day more.
    static func isGood(pem: String, key: SigningKey, now: Timestamp) -> Bool {
        guard let certificate = try? Certificate(pemEncoded: pem) else { return false }
        return certificate.publicKey == key.signer.publicKey
            && Timestamp(certificate.notValidAfter) > now + .hours(24)
    }

    /// Makes a certificate (PEM) of a key for a host name or address.
    static func pem(key: SigningKey, address: String, now: Timestamp) throws -> String {
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
