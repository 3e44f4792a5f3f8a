import Certificates
import FleetClient
import FleetModel
import Foundation
import Glibc

/// A machine's way into a pool: makes sure of the control plane, shows it the token and a request for a certificate,
/// and keeps what it answers.
struct PoolJoining {
    /// The control plane's address.
    var server: String
    /// The file with the certificate of the authority that signed the server's, or that authority's fingerprint.
    var ca: String?
    var fingerprint: String?
    /// Where the machine's identity is kept.
    var files: IdentityFiles

    /// Joins.
    ///
    /// - Returns: How the node reaches the control plane from now on.
    func join(token: String, node: String, facts: NodeFacts) async throws -> FleetClient.Target {
        let key = try files.ensureKey()
        // The files of an earlier membership stay good until this one is.
        let draft = files.authority + ".new"
        defer { unlink(draft) }
        var first = FleetClient.Target(server: server, authorityFile: ca.map { URL(fileURLWithPath: $0).path })
        if let fingerprint {
            let authority = try await FleetClient.authority(of: server, fingerprint: fingerprint)
            try PrivateFile.write(authority, to: draft)
            first.authorityFile = draft
        }
        var request = JoinRequest(token: token, name: node, epoch: 0, facts: facts)
        request.certificateRequest = try CertificateRequest.pem(node: node, key: key)
        let answer = try await answer(request, by: first)
        guard let identity = answer.identity, try NodeCertificate(pem: identity.certificate).pin == key.pin else {
            throw CertificateError(
                "the control plane at \(server) answered without a certificate for this machine's key")
        }
        try PrivateFile.write(identity.certificate, to: files.certificate)
        try PrivateFile.write(identity.authority, to: files.authority)
        var own = FleetClient.Target(server: server, token: answer.token, authorityFile: first.authorityFile)
        if fingerprint != nil { own.authorityFile = files.authority }
        if answer.token == nil { (own.certificateFile, own.keyFile) = (files.certificate, files.key) }
        return own
    }

    private func answer(_ request: JoinRequest, by target: FleetClient.Target) async throws -> JoinAnswer {
        let client = try FleetClient(target)
        do {
            let answer = try await client.join(request)
            await client.shutdown()
            return answer
        } catch {
            await client.shutdown()
            throw error
        }
    }
}
