public import FleetModel

/// Decides when a certificate is renewed: at two thirds of its life, and then, should that fail, again and again.
public struct CertificateRenewal: Sendable, Hashable {
    /// What to do at a moment.
    public enum Decision: Sendable, Hashable {
        /// Nothing for so long.
        case wait(TimeSpan)
        /// Ask for another one now.
        case renew
    }

    /// The longest wait before looking at the clock again: a machine may sleep meanwhile.
    private static let lookSpan = TimeSpan.hours(1)
    /// The shortest wait after a failure.
    private static let retrySpan = TimeSpan.minutes(1)

    /// From when to when the certificate is good.
    public var notBefore: Timestamp
    public var notAfter: Timestamp
    /// When it was last tried in vain.
    private var failedAt: Timestamp?

    /// Watches over a certificate.
    public init(notBefore: Timestamp, notAfter: Timestamp) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// When it is to be renewed first.
    public var dueAt: Timestamp { notBefore + TimeSpan(milliseconds: (notAfter - notBefore).milliseconds / 3 * 2) }

    /// What to do now.
    public func decide(at now: Timestamp) -> Decision {
        var due = dueAt
        if let failedAt {
            // More often as its end comes nearer, and no more than once a minute.
            let left = TimeSpan(milliseconds: max(0, (notAfter - failedAt).milliseconds) / 10)
            due = max(due, failedAt + min(CertificateRenewal.lookSpan, max(CertificateRenewal.retrySpan, left)))
        }
        return due <= now ? .renew : .wait(min(CertificateRenewal.lookSpan, due - now))
    }

    /// Takes note that renewing failed.
    public mutating func failed(at now: Timestamp) { failedAt = now }
}
