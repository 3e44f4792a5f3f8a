public import FleetModel
import Foundation

/// The files by which a machine shows who it is, in a folder of its own.
public struct IdentityFiles: Sendable, Hashable, Codable {
    /// The certificate, the private key, and the certificate of the cluster's authority (PEM).
    public var certificate: String
    public var key: String
    public var authority: String

    /// Names the files of a folder.
    public init(folder: String) {
        certificate = folder + "/certificate.pem"
        key = folder + "/key.pem"
        authority = folder + "/authority.pem"
    }

    private var folder: String { (key as NSString).deletingLastPathComponent }

    /// The key of the file, or a new one that is written there. Others may read neither file nor folder.
    public func ensureKey() throws -> SigningKey {
        if FileManager.default.fileExists(atPath: key) {
            do {
                return try SigningKey(pem: try String(contentsOfFile: key, encoding: .utf8))
            } catch {
                throw CertificateError("can't use the key \(key): \(error). Remove it for a new one.")
            }
        }
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let made = SigningKey()
        try PrivateFile.write(made.pem, to: key)
        return made
    }

    /// Makes sure of a key and of a certificate that it signed itself. The pin stays as long as the key's file does.
    public func ensureSelfSigned(address: String, now: Timestamp) throws {
        let key = try ensureKey()
        let known = try? String(contentsOfFile: certificate, encoding: .utf8)
        guard !(known.map { SelfSignedCertificate.isGood(pem: $0, key: key, now: now) } ?? false) else { return }
        try PrivateFile.write(SelfSignedCertificate.pem(key: key, address: address, now: now), to: certificate)
    }

    /// The certificate of a node's file.
    public func nodeCertificate() throws -> NodeCertificate {
        do {
            return try NodeCertificate(pem: try String(contentsOfFile: certificate, encoding: .utf8))
        } catch {
            throw CertificateError("can't use the certificate \(certificate): \(error)")
        }
    }

    /// Removes the files and their folder.
    public func remove() {
        for path in [certificate, key, authority] { unlink(path) }
        rmdir(folder)
    }
}

/// Writes files that only their owner may read.
public enum PrivateFile {
    /// Replaces a file at once: no reader sees half of it, and it never was readable by others.
    public static func write(_ text: String, to path: String) throws(CertificateError) {
        let temporary = "\(path).\(UUID().uuidString)"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw CertificateError("can't write \(temporary): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Foundation.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0,
            rename(temporary, path) == 0
        else {
            unlink(temporary)
            throw CertificateError("can't write \(path): \(String(cString: strerror(errno)))")
        }
    }
}
