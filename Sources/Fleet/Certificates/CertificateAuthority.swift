import Crypto
public import FleetModel
import Foundation
import SwiftASN1
import X509

/// A cluster's certificate authority: signs the certificates of servers and of nodes.
public struct CertificateAuthority: Sendable {
    /// How long a node's certificate is good for.
    public static let nodeSpan = TimeSpan.hours(24 * 90)
    private static let ownSpan = TimeSpan.hours(24 * 3650)
    private static let serverSpan = TimeSpan.hours(24 * 397)
    /// Clocks of a cluster may differ by so much.
    private static let leeway = 300.0
    private static let name = "Roost cluster authority"

    /// The authority's certificate, for everybody (PEM).
    public let certificatePEM: String
    /// The authority's key (PEM). Secret.
    public var keyPEM: String { key.pem }
    /// SHA-256 of the certificate in DER form: `sha256:` and 64 hexadecimal digits.
    public let fingerprint: String
    private let certificate: Certificate
    private let key: SigningKey

    /// Makes an authority.
    public init(madeAt now: Timestamp) throws {
        let key = SigningKey()
        let name = try SubjectNames.common(CertificateAuthority.name)
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.signer.publicKey,
            notValidBefore: now.date - CertificateAuthority.leeway,
            notValidAfter: now.date + CertificateAuthority.ownSpan.seconds, issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            }, issuerPrivateKey: key.signer)
        try self.init(certificate, key)
    }

    /// Reads an authority.
    public init(certificatePEM: String, keyPEM: String) throws {
        try self.init(Certificate(pemEncoded: certificatePEM), SigningKey(pem: keyPEM))
    }

    private init(_ certificate: Certificate, _ key: SigningKey) throws {
        guard certificate.publicKey == key.signer.publicKey else {
            throw CertificateError("the authority's certificate and key do not belong together")
        }
        self.certificate = certificate
        self.key = key
        certificatePEM = try certificate.serializeAsPEM().pemString + "\n"
        fingerprint = try CertificateAuthority.fingerprint(ofPEM: certificatePEM)
    }

    /// The fingerprint of a certificate (PEM).
    public static func fingerprint(ofPEM pem: String) throws(CertificateError) -> String {
        do {
            let document = try PEMDocument(pemString: pem)
            guard document.discriminator == "CERTIFICATE" else { throw CertificateError("is no certificate") }
            return "sha256:" + hexadecimal(SHA256.hash(data: document.derBytes))
        } catch {
            throw CertificateError("it is no certificate in PEM form")
        }
    }

    /// Whether a certificate (PEM) is that of a cluster's authority, by its name.
    public static func isClusters(pem: String) -> Bool {
        guard let certificate = try? Certificate(pemEncoded: pem), let name = try? SubjectNames.common(name) else {
            return false
        }
        return certificate.subject == name
    }

    // MARK: - Issuing

    /// Makes a server's key, and its certificate for host names and addresses, followed by the authority's.
    public func serverIdentity(names: [String], now: Timestamp) throws -> (chainPEM: String, keyPEM: String) {
        for name in names {
            guard let objection = SubjectNames.objection(toAddress: name) else { continue }
            throw CertificateError("a server's name \(objection)")
        }
        let serverKey = SigningKey()
        let alternatives = [GeneralName.dnsName(SubjectNames.controlPlane)] + names.map(SubjectNames.address)
        let made = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: serverKey.signer.publicKey,
            notValidBefore: now.date - CertificateAuthority.leeway,
            notValidAfter: now.date + CertificateAuthority.serverSpan.seconds, issuer: certificate.subject,
            subject: try SubjectNames.common(names.first ?? SubjectNames.controlPlane),
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(alternatives)
            }, issuerPrivateKey: key.signer)
        return (try made.serializeAsPEM().pemString + "\n" + certificatePEM, serverKey.pem)
    }

    /// Whose certificate a node's is.
    public struct NodeSubject: Sendable, Hashable {
        /// The node's name.
        public var node: String
        /// Which of its joins; lowercase hexadecimal digits.
        public var generation: String
        /// The host name or address at which its workers are reached.
        public var address: String

        /// Names a subject.
        public init(node: String, generation: String, address: String) {
            self.node = node
            self.generation = generation
            self.address = address
        }
    }

    /// A node's certificate (PEM), for a request that was checked.
    public func nodeCertificate(
        _ subject: NodeSubject, for request: CertificateRequest, now: Timestamp,
        span: TimeSpan = CertificateAuthority.nodeSpan
    ) throws -> String {
        if let objection = SubjectNames.objection(toAddress: subject.address) {
            throw CertificateError("a node's address \(objection)")
        }
        var alternatives = [SubjectNames.certified(node: subject.node, generation: subject.generation)]
        // A host name does no harm where another name is looked for; an IP address does: clients by NIOSSL take a
        // certificate with the address that they are connected to, whatever name they look for.
        if case .dnsName = SubjectNames.address(subject.address) {
            alternatives.append(SubjectNames.address(subject.address))
        }
        let made = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PublicKey(request.publicKey),
            notValidBefore: now.date - CertificateAuthority.leeway, notValidAfter: now.date + span.seconds,
            issuer: certificate.subject, subject: try SubjectNames.common("node:\(subject.node)"),
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.clientAuth, .serverAuth])
                SubjectAlternativeNames(alternatives)
            }, issuerPrivateKey: key.signer)
        return try made.serializeAsPEM().pemString + "\n"
    }

    /// Whether the authority signed a certificate.
    public func signed(_ certificate: NodeCertificate) -> Bool {
        certificate.certificate.issuer == self.certificate.subject
            && self.certificate.publicKey.isValidSignature(
                certificate.certificate.signature, for: certificate.certificate)
    }
}

extension Timestamp {
    var date: Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }

    init(_ date: Date) { self.init(milliseconds: Int64((date.timeIntervalSince1970 * 1000).rounded())) }
}
