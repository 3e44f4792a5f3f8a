import Crypto
import FleetModel
import SwiftASN1
import X509

/// A node's request for a certificate (PKCS #10): its public key, its name, and the proof that it has the private key.
public struct CertificateRequest: Sendable {
    /// The longest text, in bytes.
    public static let byteCountMax = 8192

    let publicKey: P256.Signing.PublicKey

    /// Writes a request (PEM).
    public static func pem(node: String, key: SigningKey) throws -> String {
        let wanted = try ExtensionRequest(
            extensions: Certificate.Extensions { SubjectAlternativeNames([SubjectNames.requested(node: node)]) })
        let request = try CertificateSigningRequest(
            version: .v1, subject: SubjectNames.common("node:\(node)"), privateKey: key.signer,
            attributes: CertificateSigningRequest.Attributes([.init(wanted)]), signatureAlgorithm: .ecdsaWithSHA256)
        return try request.serializeAsPEM().pemString + "\n"
    }

    /// Reads and checks the request of a node. Only key and name count of what it asks for.
    public init(pem: String, node: String) throws(CertificateError) {
        guard pem.utf8.count <= CertificateRequest.byteCountMax else {
            throw CertificateError("has more than \(CertificateRequest.byteCountMax) bytes")
        }
        let request: CertificateSigningRequest
        do {
            request = try CertificateSigningRequest(pemEncoded: pem)
        } catch {
            throw CertificateError("is no certificate request in PEM form (PKCS #10)")
        }
        guard let key = P256.Signing.PublicKey(request.publicKey) else {
            throw CertificateError("is for another kind of key; a node's key is on the curve P-256")
        }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw CertificateError("is not signed by the key that it is for")
        }
        let names = (try? request.attributes.extensionRequest?.extensions.subjectAlternativeNames) ?? nil
        guard let asked = names.flatMap(SubjectNames.node), asked.generation == nil else {
            throw CertificateError("names no node")
        }
        guard asked.node == node else {
            throw CertificateError("is for node \(asked.node), not for \(node)")
        }
        publicKey = key
    }
}
