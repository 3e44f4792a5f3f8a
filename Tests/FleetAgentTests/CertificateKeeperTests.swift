import Certificates
import FleetAgent
import FleetModel
import Foundation
import Logging
import Synchronization
import Testing

/// A clock that stands, and tells when somebody waits for it.
private final class WaitingClock: Clock {
    private let waits = AsyncStream<Void>.makeStream()

    var now: ContinuousClock.Instant { .now }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {
        waits.continuation.yield()
        let (forever, _) = AsyncStream<Void>.makeStream()
        for await _ in forever {}
        throw CancellationError()
    }

    func someoneWaits() async {
        for await _ in waits.stream { return }
    }
}

/// What a keeper did.
private final class Counts: Sendable {
    struct Values: Equatable {
        var asked = 0
        var renewed = 0
    }

    let values = Mutex(Values())
}

private let noon = Timestamp("2026-12-01T12:00:00Z") ?? Timestamp(milliseconds: 0)

@Suite("Keeping a node's certificate")
struct CertificateKeeperTests {
    /// A node's files in a folder of their own, certified at noon by an authority.
    private struct Node {
        let files: IdentityFiles
        let authority: CertificateAuthority

        init() throws {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("roost-\(UUID().uuidString)")
            files = IdentityFiles(folder: folder.path)
            authority = try CertificateAuthority(madeAt: noon)
            let request = try CertificateRequest.pem(node: "gpu-1", key: files.ensureKey())
            try PrivateFile.write(issue(RenewRequest(certificateRequest: request), at: noon), to: files.certificate)
        }

        func issue(_ request: RenewRequest, at moment: Timestamp) throws -> String {
            let subject = CertificateAuthority.NodeSubject(node: "gpu-1", generation: "1", address: "127.0.0.1")
            let checked = try CertificateRequest(pem: request.certificateRequest, node: "gpu-1")
            return try authority.nodeCertificate(subject, for: checked, now: moment)
        }

        func keeper(at moment: Timestamp, _ clock: WaitingClock) -> CertificateKeeper {
            var log = Logger(label: "test")
            log.logLevel = .critical
            return CertificateKeeper(node: "gpu-1", files: files, now: { moment }, clock: clock, log: log)
        }
    }

    /// Runs a keeper until it waits, having asked once.
    private func run(
        _ node: Node, at moment: Timestamp, renew: @escaping @Sendable (RenewRequest) throws -> String
    ) async -> Counts.Values {
        let counts = Counts()
        let clock = WaitingClock()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await node.keeper(at: moment, clock).run(
                    renew: { request in
                        counts.values.withLock { $0.asked += 1 }
                        return IssuedCertificate(
                            certificate: try renew(request), authority: node.authority.certificatePEM)
                    },
                    onRenewed: { counts.values.withLock { $0.renewed += 1 } })
            }
            await clock.someoneWaits()
            group.cancelAll()
        }
        return counts.values.withLock { $0 }
    }

    @Test("When it is due, another one by the same key takes its place")
    func renews() async throws {
        let node = try Node()
        defer { node.files.remove() }
        let before = try node.files.nodeCertificate()
        let due = noon + .hours(24 * 60)
        let counts = await run(node, at: due) { try node.issue($0, at: due) }
        #expect(counts == Counts.Values(asked: 1, renewed: 1))
        let after = try node.files.nodeCertificate()
        #expect(after.pin == before.pin)
        #expect(after.notAfter == due + CertificateAuthority.nodeSpan)
    }

    @Test("A refusal, or an answer for another key, leaves the one that is there")
    func keepsWhatIsGood() async throws {
        let node = try Node()
        defer { node.files.remove() }
        let before = try node.files.nodeCertificate()
        let due = noon + .hours(24 * 60)
        _ = await run(node, at: due) { _ in throw CertificateError("no") }
        #expect(try node.files.nodeCertificate().serial == before.serial)
        _ = await run(node, at: due) { _ in
            let other = try CertificateRequest.pem(node: "gpu-1", key: SigningKey())
            return try node.issue(RenewRequest(certificateRequest: other), at: due)
        }
        #expect(try node.files.nodeCertificate().serial == before.serial)
    }
}
