import CPosix
import CTLS

// SAFETY: the certificate and key never change after the initializer; OpenSSL counts their users itself.
/// A worker's certificate and private key, for listening with TLS.
public final class TLSIdentity: @unchecked Sendable {
    private let server: OpaquePointer

    /// What endpoints name the certificate by.
    public let pin: CertificatePin

    /// Reads a certificate, with those of its issuers after it, and its key: PEM files, the key's without a password
    /// and for its owner only.
    public init(certificateFile: String, keyFile: String) throws(TransportError) {
        let certificate = [UInt8](certificateFile.utf8)
        let key = [UInt8](keyFile.utf8)
        let mode = key.withTerminator { posix_file_mode($0) }
        guard mode >= 0 else { throw .tls(.keyUnusable) }
        guard mode & 0o066 == 0 else { throw .tls(.keyExposed) }
        var result: Int32 = 0
        let server = certificate.withTerminator { certificate in
            key.withTerminator { tls_server_open(certificate, $0, &result) }
        }
        guard let server else { throw Connection.streamError(result) }
        self.server = server
        var bytes = [UInt8](repeating: 0, count: CertificatePin.byteCount)
        let status = bytes.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.map { tls_server_pin(server, $0) } ?? -EINVAL
        }
        guard status == 0, let pin = CertificatePin(bytes: bytes) else {
            tls_server_close(server)
            throw .tls(.certificateUnusable)
        }
        self.pin = pin
    }

    deinit { tls_server_close(server) }

    /// The worker's end of a stream over a socket.
    func stream(over descriptor: Int32) throws(TransportError) -> TLSStream {
        guard let stream = tls_server_stream(server, descriptor) else { throw .system(ENOMEM) }
        return TLSStream(stream, pin: nil)
    }
}
