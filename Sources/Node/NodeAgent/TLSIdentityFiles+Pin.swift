public import NodeModel
import Transport

extension TLSIdentityFiles {
    /// Reads the files and computes the pin by which clients know the certificate's key: 64 hexadecimal digits.
    ///
    /// - Throws: ``AgentError`` where the files can't be used as they are, or the machine has no OpenSSL.
    public func pin() throws -> String {
        do throws(TransportError) {
            return "\(try TLSIdentity(certificateFile: certificate, keyFile: key).pin)"
        } catch {
            throw AgentError(
                .identity, "The certificate \(certificate) with the key \(key) can't be used: \(error.reason).")
        }
    }
}
