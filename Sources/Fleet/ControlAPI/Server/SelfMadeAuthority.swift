import Crypto
import FleetModel
import Foundation
import SwiftASN1
import X509

/// A certificate authority in the state folder, for who has no other: clients trust its `ca.pem`.
public struct SelfMadeAuthority: Sendable {
    private static let authoritySpan = TimeSpan.hours(24 * 3650)
    private static let serverSpan = TimeSpan.hours(24 * 397)

    private let folder: String
    private let now: Date
    private let authority: Certificate
    private let key: Certificate.PrivateKey

    /// The authority's certificate, for clients.
    public var certificatePath: String { folder + "/ca.pem" }

    /// Opens the authority of a folder, or makes it.
    public init(folder: String, surroundings: Surroundings) throws {
        self.folder = folder
        now = Date(timeIntervalSince1970: Double(surroundings.now().milliseconds) / 1000)
        let paths = (certificate: folder + "/ca.pem", key: folder + "/ca-key.pem")
        if let certificate = try? String(contentsOfFile: paths.certificate, encoding: .utf8),
            let keyText = try? String(contentsOfFile: paths.key, encoding: .utf8)
        {
            do {
                authority = try Certificate(pemEncoded: certificate)
                key = try Certificate.PrivateKey(pemEncoded: keyText)
            } catch {
                throw ServerError("can't read the certificate authority \(paths.certificate): \(error)")
            }
            return
        }
        let made = try SelfMadeAuthority.makeAuthority(now: now)
        try PrivateFile.write(made.key.serializeAsPEM().pemString + "\n", to: paths.key)
        try PrivateFile.write(made.certificate.serializeAsPEM().pemString + "\n", to: paths.certificate)
        authority = made.certificate
        key = made.key
    }

    /// Writes a server's certificate for names and addresses, and its key; the paths of both.
    public func certificate(for names: [String]) throws -> (certificate: String?, key: String?) {
        guard let first = names.first else { throw ServerError("a certificate needs at least one name") }
        let serverKey = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let alternatives = SubjectAlternativeNames(
            names.map { name in
                SelfMadeAuthority.addressBytes(name).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) }
                    ?? .dnsName(name)
            })
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: serverKey.publicKey,
            notValidBefore: now - 300, notValidAfter: now + SelfMadeAuthority.serverSpan.seconds,
            issuer: authority.subject, subject: DistinguishedName { CommonName(first) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                alternatives
            }, issuerPrivateKey: key)
        let paths = (certificate: folder + "/server.pem", key: folder + "/server-key.pem")
        let chain = [certificate, authority]
        let text = try chain.map { try $0.serializeAsPEM().pemString + "\n" }.joined()
        try PrivateFile.write(try serverKey.serializeAsPEM().pemString + "\n", to: paths.key)
        try PrivateFile.write(text, to: paths.certificate)
        return (paths.certificate, paths.key)
    }

    private static func makeAuthority(now: Date) throws -> (certificate: Certificate, key: Certificate.PrivateKey) {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName { CommonName("Roost control plane") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
            notValidBefore: now - 300, notValidAfter: now + authoritySpan.seconds, issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            }, issuerPrivateKey: key)
        return (certificate, key)
    }

    /// The bytes of an IPv4 or IPv6 address; nil for a name.
    private static func addressBytes(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
        var six = in6_addr()
        if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: &six) { Array($0) } }
        return nil
    }
}
