import Certificates
import FleetModel
import FleetStore

/// What the routes of nodes' identities do.
extension ControlService {
    func join(_ call: APICall) async throws -> APIAnswer {
        let request = try call.object(JoinRequest.self, fields: JoinRequest.fields)
        let certificates = try request.certificateRequest.map { text in
            let certificates = try demandCertificates()
            let address = request.facts.address
            return (certificates, try certificates.check(text, node: request.name, address: address))
        }
        let operations = parts.operations
        var lease = TimeSpan(milliseconds: 0)
        var identity: IssuedCertificate?
        // A certificate authenticates connections; where those are plain, the node needs a token.
        let hasOwnToken = certificates == nil || !call.isEncrypted
        let token = try await tokens.join(request.token, node: request.name, hasOwnToken: hasOwnToken) {
            lease = try await operations.join(request)
            guard let (certificates, wanted) = certificates else { return [] }
            let issue = try await certificates.issue(wanted, node: request.name, address: request.facts.address)
            identity = issue.certificate
            return [issue.operation]
        }
        return try .value(JoinAnswer(token: token, lease: lease, identity: identity))
    }

    func renew(_ call: APICall) async throws -> APIAnswer {
        let name = try call.parameter("name")
        try call.identity.demand(.heartbeat, .resource(.node), in: AccessScope(.everywhere, node: name))
        let request = try call.object(RenewRequest.self, fields: RenewRequest.fields)
        let certificates = try demandCertificates()
        let wanted = try certificates.check(request.certificateRequest, node: name, address: nil)
        return try .value(try await certificates.renew(wanted, node: name))
    }

    func authority(_ call: APICall) async throws -> APIAnswer {
        let text = try demandCertificates().authority.certificatePEM
        return APIAnswer(body: .bytes(Array(text.utf8), mediaType: "application/x-pem-file"))
    }

    private func demandCertificates() throws -> NodeCertificates {
        if let certificates = parts.certificates { return certificates }
        throw Problem(.unavailable, "this server has no certificate authority").retrying(afterSeconds: 60)
    }
}
