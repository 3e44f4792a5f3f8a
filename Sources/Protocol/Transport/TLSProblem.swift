import CTLS

/// Why TLS did not come about, or came to an end.
public enum TLSProblem: Sendable, Equatable {
    case libraryMissing
    case libraryOld
    case certificateUnusable
    case keyUnusable
    case keyExposed
    case keyDiffers
    /// A listener for TLS was given no certificate.
    case identityMissing
    /// A listener's endpoint has a pin that is not its certificate's.
    case identityDiffers
    case authoritiesUnusable
    case noTLS
    case noTLS13
    case refused
    case handshakeFailed
    /// The certificate's key has not the endpoint's pin.
    case pinDiffers
    case notTrusted
    case notValidNow
    case wrongName
    case damaged

    /// What a result of `CTLS` says; nil for other numbers.
    init?(result: Int32) {
        switch result {
        case TLS_LIBRARY_MISSING.number: self = .libraryMissing
        case TLS_LIBRARY_OLD.number: self = .libraryOld
        case TLS_CERTIFICATE_UNUSABLE.number: self = .certificateUnusable
        case TLS_KEY_UNUSABLE.number: self = .keyUnusable
        case TLS_KEY_DIFFERS.number: self = .keyDiffers
        case TLS_AUTHORITIES_UNUSABLE.number: self = .authoritiesUnusable
        case TLS_NO_TLS.number: self = .noTLS
        case TLS_NO_TLS_13.number: self = .noTLS13
        case TLS_REFUSED.number: self = .refused
        case TLS_HANDSHAKE_FAILED.number: self = .handshakeFailed
        case TLS_NOT_TRUSTED.number: self = .notTrusted
        case TLS_NOT_VALID_NOW.number: self = .notValidNow
        case TLS_WRONG_NAME.number: self = .wrongName
        case TLS_DAMAGED.number: self = .damaged
        default: return nil
        }
    }

    /// What is wrong, and the next step.
    var reason: StaticString {
        switch self {
        case .libraryMissing:
            """
            OpenSSL is not installed, which tls:// needs; install the package libssl3 (on Debian; libssl1.1 on \
            older systems), or name its libssl in ROOST_LIBSSL
            """
        case .libraryOld: "the OpenSSL found is older than 1.1.1; name a newer libssl in ROOST_LIBSSL"
        case .certificateUnusable: "the certificate's file can't be read as PEM; check --tls-certificate"
        case .keyUnusable: "the key's file can't be read as PEM without a password; check --tls-key"
        case .keyExposed: "the key's file is open to other users; run chmod 600 on it"
        case .keyDiffers: "the key does not belong to the certificate; check --tls-certificate and --tls-key"
        case .identityMissing: "tls:// needs a certificate; give --tls-certificate and --tls-key"
        case .identityDiffers: "the certificate's key has not the pin behind #; leave it out, or name the right files"
        case .authoritiesUnusable: "the certificate authorities can't be read; check the file in ROOST_TLS_CA_FILE"
        case .noTLS: "the other end does not speak TLS; use tcp:// if it listens there without encryption"
        case .noTLS13: "the other end does not speak TLS 1.3; check what listens there"
        case .refused: "the other end refused the TLS handshake; its log may say why"
        case .handshakeFailed: "the TLS handshake failed; check what listens there"
        case .pinDiffers:
            """
            the worker's certificate has not the pin of its endpoint: its key was renewed, or somebody stands \
            between; ask anew for the endpoint where it came from
            """
        case .notTrusted:
            """
            no authority that is trusted here vouches for the worker's certificate; name its authority's file in \
            ROOST_TLS_CA_FILE, or use an endpoint with a pin (tls://host:port#PIN)
            """
        case .notValidNow: "the worker's certificate is not valid now; renew it, or check this machine's clock"
        case .wrongName:
            """
            the worker's certificate is for another name; use a name or address that is in it, or an endpoint \
            with a pin (tls://host:port#PIN)
            """
        case .damaged: "the encrypted stream was damaged on its way"
        }
    }
}

extension TLSResult {
    /// The number that functions return.
    var number: Int32 { Int32(bitPattern: UInt32(truncatingIfNeeded: rawValue)) }
}
