public import Certificates
import FleetModel
public import FleetStore
import Foundation

/// Gives nodes their certificates, and knows nodes by them.
///
/// A certificate counts as long as its node's object exists and its generation is that of the node's last join: so a
/// node's identity ends when the node is deleted, and when another machine joins in its place.
public struct NodeCertificates: Sendable {
    /// What the store holds of a node's identity.
    private struct Record: Codable {
        /// The node's object.
        var uid: String
        /// Which of the node's joins.
        var generation: String
        /// The newest certificate's number, for people.
        var serial: String
    }

    /// A certificate that counts once the operation is committed.
    struct Issue: Sendable {
        var certificate: IssuedCertificate
        var operation: StoreOperation
    }

    let authority: CertificateAuthority
    /// Whether the server's own certificate is of the same authority.
    let signedServer: Bool
    private let store: any FleetStore
    private let surroundings: Surroundings

    /// Gives certificates of an authority.
    public init(
        authority: CertificateAuthority, signedServer: Bool, store: any FleetStore, surroundings: Surroundings
    ) {
        self.authority = authority
        self.signedServer = signedServer
        self.store = store
        self.surroundings = surroundings
    }

    // MARK: - Giving

    /// Checks a request; throws a problem that names the field.
    func check(_ text: String, node: String, address: String?) throws -> CertificateRequest {
        if let objection = address.flatMap(SubjectNames.objection) {
            let problem = FieldProblem("facts.address", objection)
            throw Problem(.invalid, "the body's values are wrong", problems: [problem])
        }
        do {
            return try CertificateRequest(pem: text, node: node)
        } catch {
            let problem = FieldProblem("certificateRequest", error.description)
            throw Problem(.invalid, "the body's values are wrong", problems: [problem])
        }
    }

    /// A certificate for a node that joins: the certificates of its earlier joins count no more.
    func issue(_ request: CertificateRequest, node: String, address: String) async throws -> Issue {
        guard let uid = try await uid(of: node) else { throw NodeCertificates.gone(node) }
        let before = try await record(node)
        let generation = hexadecimal(surroundings.random(8))
        return try issue(request, node, address, Record(uid: uid, generation: generation, serial: ""), before?.entry)
    }

    /// Another certificate for a node that has one.
    func renew(_ request: CertificateRequest, node: String) async throws -> IssuedCertificate {
        let text = try await ResourceReader(store: store).find(ResourceReference(kind: .node, name: node))
        let document = try text?.document()
        guard let document, let before = try await record(node), document.metadata.uid == before.record.uid else {
            throw Problem(.conflict, "node \(node) has no certificate that could be renewed; let it join again")
        }
        let address = try document.resource(NodeSpec.self).status.address ?? "127.0.0.1"
        let issue = try issue(request, node, address, before.record, before.entry)
        try await storing { () async throws(StoreError) in
            _ = try await store.commit(StoreTransaction([issue.operation]))
        }
        return issue.certificate
    }

    private func issue(
        _ request: CertificateRequest, _ node: String, _ address: String, _ record: Record, _ before: StoreEntry?
    ) throws -> Issue {
        let subject = CertificateAuthority.NodeSubject(node: node, generation: record.generation, address: address)
        let text: String
        var record = record
        do {
            text = try authority.nodeCertificate(subject, for: request, now: surroundings.now())
            record.serial = try NodeCertificate(pem: text).serial
        } catch let error as CertificateError {
            throw Problem(.invalid, error.description)
        }
        let bytes = Array(try JSONEncoder().encode(record))
        let key = try NodeCertificates.key(node)
        let operation: StoreOperation =
            before.map { .replace(key, value: bytes, expected: $0.revision) } ?? .create(key, value: bytes)
        let certificate = IssuedCertificate(certificate: text, authority: authority.certificatePEM)
        return Issue(certificate: certificate, operation: operation)
    }

    // MARK: - Knowing

    /// The node whose certificate (DER) the client's end of a connection showed; throws `unauthenticated`.
    func identity(of der: [UInt8]) async throws -> Identity {
        let certificate: NodeCertificate
        do {
            certificate = try NodeCertificate(der: der)
        } catch {
            throw Problem(.unauthenticated, "the client's certificate is no node's: send a token, or join as a node")
        }
        let node = certificate.node
        let now = surroundings.now()
        guard authority.signed(certificate) else {
            throw Problem(.unauthenticated, "another authority signed the certificate of node \(node); join again")
        }
        guard certificate.notBefore <= now, now < certificate.notAfter else {
            throw Problem(
                .unauthenticated,
                "the certificate of node \(node) is good from \(certificate.notBefore) to \(certificate.notAfter), "
                    + "not at \(now); look at the machines' clocks, or join again")
        }
        guard let uid = try await uid(of: node), let known = try await record(node)?.record, known.uid == uid,
            known.generation == certificate.generation
        else { throw NodeCertificates.gone(node) }
        return Identity(
            subject: "node:\(node)", grants: [Grant(.node, node: node)], method: "certificate",
            expiresAt: certificate.notAfter)
    }

    private static func gone(_ node: String) -> Problem {
        Problem(
            .unauthenticated, "node \(node) was deleted, or joined again elsewhere; join this machine with a new token")
    }

    // MARK: - The store

    private func uid(of node: String) async throws -> String? {
        let text = try await ResourceReader(store: store).find(ResourceReference(kind: .node, name: node))
        return try text?.document().metadata.uid
    }

    private func record(_ node: String) async throws -> (record: Record, entry: StoreEntry)? {
        let key = try NodeCertificates.key(node)
        guard let entry = try await storing({ () async throws(StoreError) in try await store.get(key) }) else {
            return nil
        }
        return (try JSONDecoder().decode(Record.self, from: Data(entry.value)), entry)
    }

    private static func key(_ node: String) throws -> StoreKey { try StoreKey("/secrets/nodes/\(node)") }
}
