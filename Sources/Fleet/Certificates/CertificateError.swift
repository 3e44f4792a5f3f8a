/// Why a certificate, a key or a request for a certificate is of no use.
public struct CertificateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and what to do next. Never holds a key.
    public let description: String

    /// Describes a failure.
    public init(_ description: String) {
        self.description = description
    }
}
