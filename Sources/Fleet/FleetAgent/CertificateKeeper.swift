public import Certificates
public import FleetModel
public import Logging

/// Keeps a node's certificate good: asks for another one in time, by the same key, so that what clients were told of
/// the node's workers stays true.
public struct CertificateKeeper: Sendable {
    /// Asks the control plane.
    public typealias Renew = @Sendable (RenewRequest) async throws -> IssuedCertificate

    private let node: String
    private let files: IdentityFiles
    private let now: @Sendable () -> Timestamp
    private let clock: any Clock<Duration>
    private let log: Logger

    /// Keeps the certificate of a node's files.
    public init(
        node: String, files: IdentityFiles, now: @escaping @Sendable () -> Timestamp,
        clock: any Clock<Duration> = ContinuousClock(), log: Logger
    ) {
        self.node = node
        self.files = files
        self.now = now
        self.clock = clock
        self.log = log
    }

    /// Renews the certificate whenever it is due, until the task is cancelled.
    ///
    /// - Parameter onRenewed: Told when another one is in the file.
    public func run(renew: Renew, onRenewed: @Sendable () async -> Void) async {
        do {
            var renewal = try CertificateKeeper.renewal(files)
            while !Task.isCancelled {
                switch renewal.decide(at: now()) {
                case .wait(let span): try await clock.sleep(for: .milliseconds(span.milliseconds))
                case .renew:
                    do {
                        try await self.renew(renew)
                        renewal = try CertificateKeeper.renewal(files)
                        log.info("certificate renewed", metadata: ["until": "\(renewal.notAfter)"])
                        await onRenewed()
                    } catch {
                        renewal.failed(at: now())
                        log.warning("certificate not renewed", metadata: ["reason": "\(error)"])
                    }
                }
            }
        } catch is CancellationError {
            return
        } catch {
            log.error("can't renew the certificate", metadata: ["reason": "\(error)"])
        }
    }

    private static func renewal(_ files: IdentityFiles) throws -> CertificateRenewal {
        let certificate = try files.nodeCertificate()
        return CertificateRenewal(notBefore: certificate.notBefore, notAfter: certificate.notAfter)
    }

    private func renew(_ renew: Renew) async throws {
        let key = try files.ensureKey()
        let request = RenewRequest(certificateRequest: try CertificateRequest.pem(node: node, key: key))
        let answer = try await renew(request)
        // What could not be used must not replace what still can.
        guard try NodeCertificate(pem: answer.certificate).pin == key.pin else {
            throw CertificateError("the control plane's certificate is for another key")
        }
        try PrivateFile.write(answer.certificate, to: files.certificate)
    }
}
