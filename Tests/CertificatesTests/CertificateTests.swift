import Crypto
import FleetModel
import Foundation
import SwiftASN1
import Testing
import X509

@testable import Certificates

private let noon = Timestamp("2026-12-01T12:00:00Z") ?? Timestamp(milliseconds: 0)

@Suite("Certificates of nodes")
struct CertificateTests {
    private let authority: CertificateAuthority
    private let subject = CertificateAuthority.NodeSubject(node: "gpu-1", generation: "ab12", address: "10.0.0.1")

    init() throws { authority = try CertificateAuthority(madeAt: noon) }

    @Test("A node's certificate says which node it is of, for how long, and has the pin of its key")
    func roundTrip() throws {
        let key = SigningKey()
        let request = try CertificateRequest(pem: CertificateRequest.pem(node: "gpu-1", key: key), node: "gpu-1")
        let text = try authority.nodeCertificate(subject, for: request, now: noon)
        let read = try NodeCertificate(pem: text)
        #expect(read.node == "gpu-1")
        #expect(read.generation == "ab12")
        #expect(read.notAfter == noon + .hours(24 * 90))
        #expect(read.notBefore == noon + TimeSpan(milliseconds: -300_000))
        #expect(read.pin == key.pin)
        #expect(read.pin.count == 64)
        #expect(authority.signed(read))
        let x509 = try Certificate(pemEncoded: text)
        #expect(x509.subject.description.contains("node:gpu-1"))
        let usage = try #require(try x509.extensions.extendedKeyUsage)
        #expect(Set(usage) == [.clientAuth, .serverAuth])
        // No address: who sits at the control plane's must not be taken for it.
        let names = try #require(try x509.extensions.subjectAlternativeNames)
        #expect(Array(names) == [.uniformResourceIdentifier("urn:roost:node:gpu-1:ab12")])
        // The same key has the same pin in another certificate; another key has another.
        let again = try NodeCertificate(pem: authority.nodeCertificate(subject, for: request, now: noon + .hours(1)))
        #expect(again.pin == read.pin)
        #expect(again.serial != read.serial)
        #expect(SigningKey().pin != read.pin)
    }

    @Test("An authority is read as it was written; a foreign one signed nothing of ours")
    func authorities() throws {
        let same = try CertificateAuthority(certificatePEM: authority.certificatePEM, keyPEM: authority.keyPEM)
        #expect(same.fingerprint == authority.fingerprint)
        #expect(same.fingerprint.wholeMatch(of: /sha256:[0-9a-f]{64}/) != nil)
        #expect(CertificateAuthority.isClusters(pem: authority.certificatePEM))
        let foreign = try CertificateAuthority(madeAt: noon)
        #expect(foreign.fingerprint != authority.fingerprint)
        #expect(throws: (any Error).self) {
            try CertificateAuthority(certificatePEM: authority.certificatePEM, keyPEM: foreign.keyPEM)
        }
        let request = try CertificateRequest(
            pem: CertificateRequest.pem(node: "gpu-1", key: SigningKey()), node: "gpu-1")
        let read = try NodeCertificate(pem: foreign.nodeCertificate(subject, for: request, now: noon))
        #expect(!authority.signed(read))
        let server = try authority.serverIdentity(names: ["127.0.0.1"], now: noon)
        #expect(throws: (any Error).self) { try NodeCertificate(pem: server.chainPEM) }
    }

    @Test("A request counts only for its own node, with a P-256 key that signed it")
    func requests() throws {
        let good = try CertificateRequest.pem(node: "gpu-1", key: SigningKey())
        #expect(throws: CertificateError("is for node gpu-1, not for gpu-2")) {
            try CertificateRequest(pem: good, node: "gpu-2")
        }
        #expect(throws: CertificateError("is for another kind of key; a node's key is on the curve P-256")) {
            try CertificateRequest(
                pem: requested(
                    "gpu-1", by: Certificate.PrivateKey(P384.Signing.PrivateKey()),
                    .ecdsaWithSHA384), node: "gpu-1")
        }
        // The subject alone is not enough, nor is a certificate's own name.
        let bare = try CertificateSigningRequest(
            version: .v1, subject: DistinguishedName { CommonName("node:gpu-1") },
            privateKey: Certificate.PrivateKey(P256.Signing.PrivateKey()),
            attributes: CertificateSigningRequest.Attributes(), signatureAlgorithm: .ecdsaWithSHA256)
        #expect(throws: CertificateError("names no node")) {
            try CertificateRequest(pem: bare.serializeAsPEM().pemString, node: "gpu-1")
        }
        for text in ["", "x", authority.certificatePEM, String(repeating: "x", count: 9000)] {
            #expect(throws: (any Error).self) { try CertificateRequest(pem: text, node: "gpu-1") }
        }
        // A signature that is not the key's.
        var bytes = try PEMDocument(pemString: good).derBytes
        bytes[bytes.count - 1] ^= 1
        let forged = PEMDocument(type: "CERTIFICATE REQUEST", derBytes: bytes).pemString
        #expect(throws: CertificateError("is not signed by the key that it is for")) {
            try CertificateRequest(pem: forged, node: "gpu-1")
        }
    }

    private func requested(
        _ node: String, by key: Certificate.PrivateKey, _ algorithm: Certificate.SignatureAlgorithm
    ) throws -> String {
        let wanted = try ExtensionRequest(
            extensions: Certificate.Extensions { SubjectAlternativeNames([SubjectNames.requested(node: node)]) })
        let request = try CertificateSigningRequest(
            version: .v1, subject: DistinguishedName { CommonName("node:\(node)") }, privateKey: key,
            attributes: CertificateSigningRequest.Attributes([.init(wanted)]), signatureAlgorithm: algorithm)
        return try request.serializeAsPEM().pemString
    }

    @Test(
        "No node is certified for the control plane's name, or for what is no address",
        arguments: [
            ("10.0.0.1", true), ("::1", true), ("gpu-1.example", true), ("GPU-1", true),
            ("control-plane.roost.internal", false), ("x.roost.internal", false), ("*.example", false), ("a b", false),
            ("", false), ("-a", false), ("a..b", false),
        ])
    func addresses(_ address: String, _ isRight: Bool) throws {
        #expect((SubjectNames.objection(toAddress: address) == nil) == isRight)
        let request = try CertificateRequest(
            pem: CertificateRequest.pem(node: "gpu-1", key: SigningKey()), node: "gpu-1")
        var subject = subject
        subject.address = address
        let made = try? authority.nodeCertificate(subject, for: request, now: noon)
        #expect((made != nil) == isRight)
    }

    @Test("Key files are for their owner alone, and stay")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("roost-keys-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = IdentityFiles(folder: folder.path)
        let key = try files.ensureKey()
        #expect(try files.ensureKey().pin == key.pin)
        let manager = FileManager.default
        #expect(try manager.attributesOfItem(atPath: files.key)[.posixPermissions] as? Int == 0o600)
        #expect(try manager.attributesOfItem(atPath: folder.path)[.posixPermissions] as? Int == 0o700)
        try files.ensureSelfSigned(address: "0.0.0.0", now: noon)
        let made = try String(contentsOfFile: files.certificate, encoding: .utf8)
        #expect(try Certificate(pemEncoded: made).publicKey == key.signer.publicKey)
        try files.ensureSelfSigned(address: "10.0.0.1", now: noon + .hours(1))
        #expect(try String(contentsOfFile: files.certificate, encoding: .utf8) == made, "it stays")
        try files.ensureSelfSigned(address: "10.0.0.1", now: noon + .hours(24 * 3650))
        #expect(try String(contentsOfFile: files.certificate, encoding: .utf8) != made, "until it ends")
        try "no key".write(toFile: files.key, atomically: true, encoding: .utf8)
        #expect(throws: (any Error).self) { try files.ensureKey() }
        files.remove()
        #expect(!manager.fileExists(atPath: folder.path))
    }
}

@Suite("Renewal")
struct RenewalTests {
    private let renewal = CertificateRenewal(notBefore: noon, notAfter: noon + .hours(24 * 90))

    @Test("A certificate is renewed at two thirds of its life; until then the clock is looked at each hour")
    func due() {
        #expect(renewal.dueAt == noon + .hours(24 * 60))
        #expect(renewal.decide(at: noon) == .wait(.hours(1)))
        #expect(renewal.decide(at: noon + .hours(24 * 60) + .minutes(-10)) == .wait(.minutes(10)))
        #expect(renewal.decide(at: noon + .hours(24 * 60)) == .renew)
        #expect(renewal.decide(at: noon + .hours(24 * 100)) == .renew)
    }

    @Test("After a failure it is tried again: hourly, and each minute near the end")
    func failures() {
        var renewal = renewal
        let due = renewal.dueAt
        renewal.failed(at: due)
        #expect(renewal.decide(at: due) == .wait(.hours(1)))
        #expect(renewal.decide(at: due + .hours(1)) == .renew)
        let late = renewal.notAfter + .minutes(-30)
        renewal.failed(at: late)
        #expect(renewal.decide(at: late) == .wait(.minutes(3)))
        renewal.failed(at: renewal.notAfter + .hours(5))
        #expect(renewal.decide(at: renewal.notAfter + .hours(5)) == .wait(.minutes(1)))
    }
}
