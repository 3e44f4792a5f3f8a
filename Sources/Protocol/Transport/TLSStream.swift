import CPosix
import CTLS

/// One end of an encrypted stream over a connection's socket.
///
/// One thread may read while another writes. The socket itself stays in the connection's hands: shutting it down ends
/// all waiting here.
final class TLSStream {
    private let stream: OpaquePointer
    /// What the other end's certificate must be; nil where nothing is asked, or authorities are.
    private let pin: CertificatePin?
    /// How long ``receive(_:timeout:)`` waits when it is not told; negative: forever.
    var readTimeoutMilliseconds: Int32 = -1

    init(_ stream: OpaquePointer, pin: CertificatePin?) {
        self.stream = stream
        self.pin = pin
    }

    /// The client's end. Without a pin, the certificate must name the host and be vouched for by an authority of the
    /// file in `ROOST_TLS_CA_FILE`, else by one of the system's.
    convenience init(over descriptor: Int32, host: [UInt8], pin: CertificatePin?) throws(TransportError) {
        var result: Int32 = 0
        let stream: OpaquePointer?
        if pin != nil {
            stream = tls_client_stream(descriptor, nil, nil, &result)
        } else {
            let file = posix_environment("ROOST_TLS_CA_FILE").flatMap { $0[0] == 0 ? nil : $0 }
            stream = host.withTerminator { tls_client_stream(descriptor, $0, file, &result) }
        }
        guard let stream else { throw Connection.streamError(result) }
        self.init(stream, pin: pin)
    }

    /// Frees everything; nothing else may be called afterwards. Not in a forked child, whose parent may have been in
    /// the midst of something.
    func free() { tls_stream_free(stream) }

    /// Agrees on keys, and on the client's side makes sure who the worker is. Once that is done it does nothing.
    func handshake(_ deadline: Deadline) throws(TransportError) {
        let status = tls_handshake(stream, try deadline.remaining())
        guard status == 0 else { throw Connection.streamError(status) }
        guard let pin else { return }
        var bytes = [UInt8](repeating: 0, count: CertificatePin.byteCount)
        let hashed = bytes.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.map { tls_peer_pin(stream, $0) } ?? -EINVAL
        }
        guard hashed == 0, let found = CertificatePin(bytes: bytes), found == pin else { throw .tls(.pinDiffers) }
    }

    /// Writes all of both buffers: 0 or what ``Connection/streamError(_:)`` understands.
    func write(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Int32 {
        tls_write_all(stream, first.baseAddress, first.count, second.baseAddress, second.count)
    }

    /// Receives at least one byte, waiting at most so long (0: not at all; negative: forever).
    /// The count, `-EAGAIN`, or what ``Connection/streamError(_:)`` understands.
    func receive(_ start: UnsafeMutableRawPointer, _ byteCount: Int, timeout: Int32) -> Int {
        tls_read(stream, start, byteCount, timeout)
    }

    /// After how many records this end's writer takes a new key.
    func setRecordsPerKey(_ count: UInt64) { tls_set_records_per_key(stream, count) }
}

extension Connection {
    /// How much this end writes with one key, in records; for tests of what takes 64 GiB otherwise.
    package func setRecordsPerKey(_ count: UInt64) { tls?.setRecordsPerKey(count) }
}
